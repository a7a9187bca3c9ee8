# SPDX-License-Identifier: LGPL-2.1-or-later
# Figures, not verdicts: docs/benchmarks.md. Each part is a target of its own.
#
#   make bench-testbed BENCH_RUNS=3 BENCH_CASES="idle hot32@50mbit"
BENCH_RUNS = 3
BENCH_CASES =
EXTRA_DIST += tests/bench/daemon-memory.sh \
	tests/bench/testbed.sh \
	tests/bench/testbed-run.sh tests/bench/testbed-table.jq \
	tests/bench/foretold.jq tests/bench/probe.sh

check_PROGRAMS += tests/bench/probe
tests_bench_probe_SOURCES = tests/bench/probe.c
TESTS += tests/bench/probe.sh

#   make bench-native BENCH_FLAGS=--quick
check_PROGRAMS += tests/bench/native
tests_bench_native_SOURCES = tests/bench/native.c tests/bench/native.h \
	tests/bench/native_limiter.c tests/bench/native_memory.c \
	tests/bench/native_sweep.c \
	tests/bench/native_throughput.c \
	$(FX_SOURCES)
tests_bench_native_CPPFLAGS = $(FX_CPPFLAGS)
tests_bench_native_LDADD = $(FX_LIBS) -lm

.PHONY: bench bench-native bench-testbed
bench: bench-native bench-testbed
bench-native: tests/bench/native tests/libfakexen.so aerostat-save-helper \
		aerostatd
	tests/bench/native --json bench-native.json $(BENCH_FLAGS)
	$(srcdir)/tests/bench/daemon-memory.sh ./aerostatd
CLEANFILES += bench-native.json
bench-testbed: all
	rm -rf bench-dest
	$(MAKE) $(AM_MAKEFLAGS) install DESTDIR='$(abs_builddir)/bench-dest' \
		>bench-install.log
	$(top_srcdir)/tests/bench/testbed.sh -n $(BENCH_RUNS) -o bench-testbed \
		'$(abs_builddir)/bench-dest' $(BENCH_CASES)
CLEANFILES += bench-install.log
mostlyclean-local: clean-bench
clean-bench:
	rm -rf bench-dest bench-testbed

# make bench-memory: balancers side by side on the simulated host.
EXTRA_PROGRAMS = tests/bench-memory
tests_bench_memory_SOURCES = \
	%D%/bench/memory/memory.c \
	%D%/bench/memory/course.c %D%/bench/memory/course.h \
	%D%/bench/memory/course_make.c %D%/bench/memory/course_make.h \
	%D%/bench/memory/peer.c %D%/bench/memory/peer.h \
	%D%/bench/memory/peer_aerostat.c %D%/bench/memory/peer_mom.c \
	%D%/bench/memory/peer_proxmox.c %D%/bench/memory/peer_qmemman.c \
	%D%/bench/memory/peer_squeezed.c %D%/bench/memory/peer_static.c
tests_bench_memory_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/bench/memory
tests_bench_memory_LDADD = $(AERO_LIBS) -lm
CLEANFILES += tests/bench-memory

.PHONY: bench-memory
bench: bench-memory
bench-memory: tests/bench-memory
	tests/bench-memory $(BENCH_MEMORY_FLAGS)

# make bench-cost: what a tick takes, and the daemon that is left alone.
EXTRA_PROGRAMS += tests/bench-cost
tests_bench_cost_SOURCES = \
	%D%/bench/cost/cost.c \
	%D%/bench/cost/crowd.c %D%/bench/cost/crowd.h \
	%D%/bench/memory/peer.c %D%/bench/memory/peer.h \
	%D%/bench/memory/peer_aerostat.c %D%/bench/memory/peer_mom.c \
	%D%/bench/memory/peer_proxmox.c %D%/bench/memory/peer_qmemman.c \
	%D%/bench/memory/peer_squeezed.c
tests_bench_cost_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/bench/memory
tests_bench_cost_LDADD = $(AERO_LIBS) -lm
EXTRA_DIST += tests/bench/cost/cost.sh
CLEANFILES += tests/bench-cost bench-cost.json

.PHONY: bench-cost
bench: bench-cost
bench-cost: tests/bench-cost aerostatd
	$(top_srcdir)/tests/bench/cost/cost.sh $(BENCH_COST_FLAGS) \
		'$(abs_builddir)'
