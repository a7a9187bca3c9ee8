# SPDX-License-Identifier: LGPL-2.1-or-later
# The real libxenguest on a fake hypervisor: tests/fakexen/README.md.
FX_CPPFLAGS = $(UNIT_CPPFLAGS) $(XEN_CFLAGS) -I$(top_srcdir)/tests/fakexen
FX_XEN_SOURCES = tests/fakexen/fx_domctl.c tests/fakexen/fx_foreign.c \
	tests/fakexen/fx_hypercall.h tests/fakexen/fx_log_dirty.c \
	tests/fakexen/fx_world.c tests/fakexen/fx_world.h \
	tests/fakexen/fx_xencall.c
FX_SOURCES = $(FX_XEN_SOURCES) \
	tests/fakexen/fx_guest.c tests/fakexen/fx_guest.h \
	tests/fakexen/fx_helper.c \
	tests/fakexen/fx_libxl.c tests/fakexen/fx_libxl.h \
	tests/fakexen/fx_migration.c tests/fakexen/fx_migration.h \
	tests/fakexen/fx_program.c tests/fakexen/fx_program.h \
	tests/fakexen/fx_random.c tests/fakexen/fx_random.h \
	tests/fakexen/fx_wire.c tests/fakexen/fx_wire.h
FX_LIBS = $(MIG_LIBS) $(UNIT_LIBS)

# To be loaded into programs that are not ours. It is a shared library, which
# automake without libtool knows as a program only.
check_PROGRAMS += tests/libfakexen.so
tests_libfakexen_so_SOURCES = $(FX_XEN_SOURCES)
tests_libfakexen_so_CPPFLAGS = $(FX_CPPFLAGS)
tests_libfakexen_so_CFLAGS = -std=gnu11 -pthread $(WARN_CFLAGS) -fPIC
tests_libfakexen_so_LDFLAGS = -shared -pthread

check_PROGRAMS += tests/test-fakexen
TESTS += tests/test-fakexen
tests_test_fakexen_SOURCES = tests/fakexen/test_fakexen.c $(FX_SOURCES)
tests_test_fakexen_CPPFLAGS = $(FX_CPPFLAGS)
tests_test_fakexen_LDADD = $(FX_LIBS)

check_PROGRAMS += tests/test-foretold
TESTS += tests/test-foretold
tests_test_foretold_SOURCES = tests/fakexen/test_foretold.c $(FX_SOURCES)
tests_test_foretold_CPPFLAGS = $(FX_CPPFLAGS)
tests_test_foretold_LDADD = $(FX_LIBS)

# Migrations by chance: make soak SOAK_SECONDS=3600
check_PROGRAMS += tests/fakexen-soak
tests_fakexen_soak_SOURCES = tests/fakexen/soak.c $(FX_SOURCES)
tests_fakexen_soak_CPPFLAGS = $(FX_CPPFLAGS)
tests_fakexen_soak_LDADD = $(FX_LIBS)
SOAK_SECONDS = 600
.PHONY: soak soak-fakexen soak-seeds
soak: soak-fakexen soak-seeds
soak-fakexen: tests/fakexen-soak
	tests/fakexen-soak --seconds $(SOAK_SECONDS)

EXTRA_DIST += tests/fakexen/README.md
