# SPDX-License-Identifier: LGPL-2.1-or-later

# The command line: tables, and all that a shell can see.
check_PROGRAMS += tests/test-cli-table tests/test-top-view tests/rpc-stub
TESTS += tests/test-cli-table tests/test-top-view tests/cli.sh
EXTRA_DIST += tests/cli.sh

tests_test_cli_table_SOURCES = tests/unit/test_cli_table.c \
	plugin/cli_table.c plugin/cli_text.c
tests_test_cli_table_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_cli_table_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

tests_test_top_view_SOURCES = tests/unit/test_top_view.c \
	plugin/cli.c plugin/cli_text.c plugin/top_view.c
tests_test_top_view_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_top_view_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

tests_rpc_stub_SOURCES = tests/rpc_stub.c
tests_rpc_stub_CPPFLAGS = $(AM_CPPFLAGS)

# The agent's reading of the kernel's files.
check_PROGRAMS += tests/test-agent-stats
TESTS += tests/test-agent-stats
tests_test_agent_stats_SOURCES = tests/unit/test_agent_stats.c \
	plugin/agent_stats.c
tests_test_agent_stats_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_agent_stats_LDADD = liblxe.a $(UNIT_LIBS)

# Its keys, with a xenstored in the program.
check_PROGRAMS += tests/test-agent-xs
TESTS += tests/test-agent-xs
tests_test_agent_xs_SOURCES = tests/unit/test_agent_xs.c \
	tests/unit/fake_xenstore.c tests/unit/fake_xenstore.h \
	plugin/agent_xenstore.c
tests_test_agent_xs_CPPFLAGS = $(UNIT_CPPFLAGS) $(XS_CFLAGS)
tests_test_agent_xs_LDADD = liblxe.a liblxe_base.a $(UNIT_LIBS)

check_PROGRAMS += tests/test-agent-watch
TESTS += tests/test-agent-watch
tests_test_agent_watch_SOURCES = tests/unit/test_agent_watch.c \
	plugin/agent_watch.c
tests_test_agent_watch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_agent_watch_LDADD = $(UNIT_LIBS)
