# SPDX-License-Identifier: LGPL-2.1-or-later
# Each test program is one CUnit suite over one module, and exits with 1 when
# a check failed.
check_LIBRARIES = libunit.a
libunit_a_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
libunit_a_SOURCES = %D%/unit/unit.c %D%/unit/unit.h
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) -I$(top_srcdir)/tests/unit
UNIT_LIBS = libunit.a $(CUNIT_LIBS)

AM_TESTS_ENVIRONMENT = top_srcdir='$(top_srcdir)'; export top_srcdir; \
	top_builddir='$(top_builddir)'; export top_builddir;

include tests/libxl-ext.mk
include tests/migrate.mk
include tests/plugin.mk
include tests/fakexen.mk
include tests/fuzz.mk
include tests/bench.mk
include tests/soak.mk

# Those that draw at random, with other seeds than `make check` has.
RANDOM_TESTS = tests/test-apply tests/test-balancer tests/test-cli-table \
	tests/test-control tests/test-decisions tests/test-demand \
	tests/test-guest-keys tests/test-hasten tests/test-hello \
	tests/test-host-state tests/test-hot-pages tests/test-limits \
	tests/test-page-sample tests/test-peek-policy tests/test-policy \
	tests/test-precopy tests/test-predict tests/test-pump tests/test-rate \
	tests/test-rate-share tests/test-relax tests/test-save-ipc \
	tests/test-sim-property tests/test-status tests/test-stream \
	tests/test-stream-edit tests/test-throttle tests/test-wws \
	tests/test-wws-measure
EXTRA_DIST += %D%/seeds.sh
soak-seeds: $(RANDOM_TESTS)
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/seeds.sh $(SOAK_SECONDS) $(RANDOM_TESTS)

# Scripts that are run from the source tree.
EXTRA_DIST += %D%/run %D%/packages.sh %D%/debian %D%/demo \
	%D%/demo.d/balance.sh %D%/demo.d/migration.sh %D%/demo.d/show.sh \
	%D%/testbed/README.md \
	%D%/testbed/balance.sh %D%/testbed/case.sh %D%/testbed/guest.sh \
	%D%/testbed/host.sh %D%/testbed/image.sh \
	%D%/testbed/kinds.sh %D%/testbed/lib.sh \
	%D%/testbed/migrate.sh %D%/testbed/prepare.sh %D%/testbed/shell.sh \
	%D%/testbed/case-agent.sh %D%/testbed/debian-watch \
	%D%/testbed/case-balance.sh %D%/testbed/case-cancel.sh \
	%D%/testbed/case-coordinate.sh \
	%D%/testbed/case-helper.sh %D%/testbed/case-hvm.sh \
	%D%/testbed/case-idle.sh \
	%D%/testbed/case-migrate.sh %D%/testbed/case-plan.sh \
	%D%/testbed/case-packed.sh \
	%D%/testbed/case-pv.sh %D%/testbed/case-react.sh \
	%D%/testbed/case-numa.sh %D%/testbed/case-samples.sh \
	%D%/testbed/case-slow.sh \
	%D%/testbed/case-ssh.sh %D%/testbed/case-stock.sh \
	%D%/testbed/case-systemd.sh \
	%D%/testbed/case-target-dies.sh %D%/testbed/case-tax.sh \
	%D%/testbed/case-throttle.sh \
	%D%/testbed/case-wws.sh \
	%D%/testbed/case-repair.sh %D%/testbed/case-reserve.sh \
	%D%/testbed/case-together.sh \
	%D%/testbed/debian.sh \
	%D%/testbed/debian/init %D%/testbed/debian/network \
	%D%/testbed/debian/tb-network.service \
	%D%/testbed/debian/tb-remote.service \
	%D%/testbed/logdirty.c %D%/testbed/remote.c %D%/testbed/work.c \
	%D%/testbed/rootfs/block %D%/testbed/rootfs/dom0-init \
	%D%/testbed/rootfs/guest-init %D%/testbed/rootfs/vif-bridge
