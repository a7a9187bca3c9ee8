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
include tests/fuzz.mk
