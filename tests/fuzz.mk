# SPDX-License-Identifier: LGPL-2.1-or-later
# configure --enable-fuzz CC=clang; make fuzz FUZZ_SECONDS=600. All code is
# instrumented then, and each fuzzer is linked from the libraries.
EXTRA_DIST += tests/fuzz/fuzz_stream.c tests/fuzz/corpus_stream.c \
	tests/fuzz/fuzz_save_ipc.c tests/fuzz/fuzz_hello.c \
	tests/fuzz/fuzz_status.c tests/fuzz/fuzz_report.c \
	tests/fuzz/seeds/report/run.json tests/fuzz/fuzz_replay.c
EXTRA_DIST += tests/fuzz/fuzz_wws.c tests/fuzz/seeds/wws/curve.json
EXTRA_DIST += tests/fuzz/fuzz_journal.c tests/fuzz/seeds/journal/source.json
EXTRA_DIST += tests/fuzz/fuzz_config.c tests/fuzz/fuzz_control.c \
	tests/fuzz/seeds/config/all.conf tests/fuzz/seeds/control/long \
	tests/fuzz/seeds/control/memory tests/fuzz/seeds/control/migration
EXTRA_DIST += tests/fuzz/fuzz_unpack.c tests/fuzz/seeds/unpack/guest
.PHONY: fuzz fuzz-stream fuzz-small
if FUZZ
FUZZ_SECONDS = 30
FUZZ_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(XEN_CFLAGS) $(YAJL_CFLAGS)
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_stream_SOURCES = tests/fuzz/fuzz_stream.c
tests_fuzz_stream_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_stream_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_stream_LDADD = $(AERO_LIBS)
tests_fuzz_wws_SOURCES = tests/fuzz/fuzz_wws.c
tests_fuzz_wws_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_wws_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_wws_LDADD = $(AERO_LIBS)
tests_fuzz_unpack_SOURCES = tests/fuzz/fuzz_unpack.c
tests_fuzz_unpack_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_unpack_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_unpack_LDADD = $(MIG_LIBS)
tests_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c
tests_fuzz_journal_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_journal_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_journal_LDADD = $(AERO_LIBS)
tests_fuzz_save_ipc_SOURCES = tests/fuzz/fuzz_save_ipc.c
tests_fuzz_save_ipc_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_save_ipc_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_save_ipc_LDADD = $(AERO_LIBS)
tests_fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c
tests_fuzz_hello_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_hello_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_hello_LDADD = $(AERO_LIBS)
tests_fuzz_status_SOURCES = tests/fuzz/fuzz_status.c
tests_fuzz_status_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_status_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_status_LDADD = $(AERO_LIBS)
tests_fuzz_report_SOURCES = tests/fuzz/fuzz_report.c
tests_fuzz_report_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_report_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_report_LDADD = $(AERO_LIBS)
tests_fuzz_replay_SOURCES = tests/fuzz/fuzz_replay.c
tests_fuzz_replay_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_replay_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_replay_LDADD = $(AERO_LIBS)
tests_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_config_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_config_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_config_LDADD = $(AERO_LIBS)
tests_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c
tests_fuzz_control_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_control_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_control_LDADD = $(AERO_LIBS)
tests_fuzz_guest_keys_SOURCES = tests/fuzz/fuzz_guest_keys.c
tests_fuzz_guest_keys_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_guest_keys_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_guest_keys_LDADD = $(AERO_LIBS)
tests_fuzz_scenario_SOURCES = tests/fuzz/fuzz_scenario.c
tests_fuzz_scenario_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_scenario_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_scenario_LDADD = $(AERO_LIBS)

noinst_PROGRAMS += tests/corpus-stream
tests_corpus_stream_SOURCES = tests/fuzz/corpus_stream.c
tests_corpus_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_corpus_stream_LDADD = $(SYNTH_LIBS)

SMALL_FUZZER_NAMES = wws journal save-ipc hello status report replay config \
	control guest-keys scenario unpack
SMALL_FUZZERS = tests/fuzz-wws tests/fuzz-journal tests/fuzz-save-ipc \
	tests/fuzz-hello tests/fuzz-status tests/fuzz-report \
	tests/fuzz-replay tests/fuzz-config tests/fuzz-control \
	tests/fuzz-guest-keys tests/fuzz-scenario tests/fuzz-unpack
noinst_PROGRAMS += tests/fuzz-stream $(SMALL_FUZZERS)

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
