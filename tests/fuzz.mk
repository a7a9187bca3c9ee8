# SPDX-License-Identifier: LGPL-2.1-or-later
# configure --enable-fuzz CC=clang; make fuzz FUZZ_SECONDS=600. Each fuzzer
# compiles what it fuzzes itself, so that this is instrumented.
EXTRA_DIST += tests/fuzz/fuzz_stream.c tests/fuzz/corpus_stream.c \
	tests/fuzz/fuzz_save_ipc.c tests/fuzz/fuzz_hello.c \
	tests/fuzz/fuzz_status.c tests/fuzz/fuzz_report.c \
	tests/fuzz/seeds/report/run.json tests/fuzz/fuzz_replay.c
EXTRA_DIST += tests/fuzz/fuzz_wws.c tests/fuzz/seeds/wws/curve.json
EXTRA_DIST += tests/fuzz/fuzz_journal.c tests/fuzz/seeds/journal/source.json
EXTRA_DIST += tests/fuzz/fuzz_config.c tests/fuzz/fuzz_control.c \
	tests/fuzz/seeds/config/all.conf tests/fuzz/seeds/control/long \
	tests/fuzz/seeds/control/memory tests/fuzz/seeds/control/migration
.PHONY: fuzz fuzz-stream fuzz-small
if FUZZ
FUZZ_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all
FUZZ_SECONDS = 30

noinst_PROGRAMS += tests/fuzz-stream tests/corpus-stream
tests_fuzz_stream_SOURCES = tests/fuzz/fuzz_stream.c \
	migrate/stream.c migrate/stream_edit.c libxl-ext/base/err.c
tests_fuzz_stream_CFLAGS = $(FUZZ_CFLAGS)
tests_corpus_stream_SOURCES = tests/fuzz/corpus_stream.c
tests_corpus_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_corpus_stream_LDADD = $(SYNTH_LIBS)

# The small parsers; those of guest keys and scenarios are in libxl-ext.mk.
FUZZ_JSON_SOURCES = libxl-ext/base/json.c libxl-ext/base/err.c
noinst_PROGRAMS += tests/fuzz-save-ipc tests/fuzz-hello tests/fuzz-status
tests_fuzz_save_ipc_SOURCES = tests/fuzz/fuzz_save_ipc.c \
	libxl-ext/save_ipc.c libxl-ext/base/err.c libxl-ext/base/fd_io.c
tests_fuzz_save_ipc_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c migrate/hello.c \
	migrate/line.c \
	migrate/probe.c \
	$(FUZZ_JSON_SOURCES)
tests_fuzz_hello_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_hello_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_hello_LDADD = $(YAJL_LIBS)
tests_fuzz_status_SOURCES = tests/fuzz/fuzz_status.c migrate/status.c \
	libxl-ext/base/fd_io.c \
	migrate/limits.c libxl-ext/base/units.c $(FUZZ_JSON_SOURCES)
tests_fuzz_status_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_status_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_status_LDADD = $(YAJL_LIBS)

noinst_PROGRAMS += tests/fuzz-report
tests_fuzz_report_SOURCES = tests/fuzz/fuzz_report.c \
	migrate/report_read.c migrate/report_compare.c \
	migrate/report_html.c migrate/report_plots.c \
	migrate/figures.c migrate/svg.c $(FUZZ_JSON_SOURCES)
tests_fuzz_report_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_report_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_report_LDADD = $(YAJL_LIBS) -lm

noinst_PROGRAMS += tests/fuzz-replay
tests_fuzz_replay_SOURCES = tests/fuzz/fuzz_replay.c plugin/replay.c \
	plugin/decision.c plugin/fields.c plugin/policy.c plugin/hasten.c \
	plugin/median.c plugin/reason.c plugin/water.c \
	libxl-ext/base/units.c $(FUZZ_JSON_SOURCES)
tests_fuzz_replay_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_replay_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_replay_LDADD = $(YAJL_LIBS)

noinst_PROGRAMS += tests/fuzz-wws
tests_fuzz_wws_SOURCES = tests/fuzz/fuzz_wws.c migrate/wws.c \
	$(FUZZ_JSON_SOURCES)
tests_fuzz_wws_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_wws_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_wws_LDADD = $(YAJL_LIBS) -lm

noinst_PROGRAMS += tests/fuzz-journal
tests_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c migrate/journal.c \
	libxl-ext/base/fd_io.c libxl-ext/base/log.c $(FUZZ_JSON_SOURCES)
tests_fuzz_journal_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS)
tests_fuzz_journal_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_journal_LDADD = $(YAJL_LIBS) $(XTL_LIBS)

noinst_PROGRAMS += tests/fuzz-config
tests_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c \
	plugin/daemon_config.c libxl-ext/guest_keys.c \
	libxl-ext/base/units.c libxl-ext/base/err.c
tests_fuzz_config_CPPFLAGS = $(AM_CPPFLAGS) $(XEN_CFLAGS)
tests_fuzz_config_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_config_LDADD = $(XEN_LIBS)

# The socket and its methods; the host behind them is the libraries'.
noinst_PROGRAMS += tests/fuzz-control
tests_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c plugin/control.c \
	plugin/control_call.c plugin/control_mem.c \
	plugin/control_methods.c plugin/control_migration.c \
	plugin/decision_history.c plugin/migrations.c \
	plugin/reservations.c libxl-ext/base/json.c
tests_fuzz_control_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(YAJL_CFLAGS)
tests_fuzz_control_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_control_LDADD = $(AERO_LIBS)

SMALL_FUZZER_NAMES = wws journal save-ipc hello status report replay config \
	control guest-keys scenario
SMALL_FUZZERS = tests/fuzz-wws tests/fuzz-journal tests/fuzz-save-ipc \
	tests/fuzz-hello tests/fuzz-status tests/fuzz-report \
	tests/fuzz-replay tests/fuzz-config tests/fuzz-control \
	tests/fuzz-guest-keys tests/fuzz-scenario

fuzz: fuzz-stream fuzz-small
fuzz-small: $(SMALL_FUZZERS)
	set -e; for name in $(SMALL_FUZZER_NAMES); do \
		$(MKDIR_P) tests/fuzz-corpus/$$name; \
		seeds=$(srcdir)/tests/fuzz/seeds/$$name; \
		[ -d $$seeds ] || seeds=; \
		tests/fuzz-$$name -max_len=8192 \
			-max_total_time=$(FUZZ_SECONDS) \
			tests/fuzz-corpus/$$name $$seeds; \
	done
fuzz-stream: tests/fuzz-stream tests/corpus-stream
	$(MKDIR_P) tests/fuzz-corpus/stream
	tests/corpus-stream tests/fuzz-corpus/stream
	tests/fuzz-stream -max_len=32768 -max_total_time=$(FUZZ_SECONDS) \
		tests/fuzz-corpus/stream
clean-local: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz-corpus
endif
