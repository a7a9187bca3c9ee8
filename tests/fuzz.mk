# SPDX-License-Identifier: LGPL-2.1-or-later
# configure --enable-fuzz CC=clang; make fuzz FUZZ_SECONDS=600. Each fuzzer
# compiles what it fuzzes itself, so that this is instrumented.
EXTRA_DIST += tests/fuzz/fuzz_stream.c tests/fuzz/corpus_stream.c
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

.PHONY: fuzz fuzz-stream
fuzz: fuzz-stream
fuzz-stream: tests/fuzz-stream tests/corpus-stream
	$(MKDIR_P) tests/fuzz-corpus/stream
	tests/corpus-stream tests/fuzz-corpus/stream
	tests/fuzz-stream -max_len=32768 -max_total_time=$(FUZZ_SECONDS) \
		tests/fuzz-corpus/stream
clean-local: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz-corpus
endif
