# SPDX-License-Identifier: LGPL-2.1-or-later
# Figures, not verdicts: docs/benchmarks.md. Each part is a target of its own.
#
#   make bench-testbed BENCH_RUNS=3 BENCH_CASES="idle hot32@50mbit"
BENCH_RUNS = 3
BENCH_CASES =
EXTRA_DIST += tests/bench/probe.c tests/bench/testbed.sh \
	tests/bench/testbed-run.sh tests/bench/testbed-table.jq

.PHONY: bench bench-testbed
bench: bench-testbed
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
