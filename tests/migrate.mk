# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += tests/test-save-ipc
TESTS += tests/test-save-ipc
tests_test_save_ipc_SOURCES = tests/unit/test_save_ipc.c
tests_test_save_ipc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_save_ipc_LDADD = $(LXE_LIBS) $(UNIT_LIBS)
