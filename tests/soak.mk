# SPDX-License-Identifier: LGPL-2.1-or-later
# A simulated day of a balancer in make check; a year: make soak-memory
check_PROGRAMS += tests/soak-memory
TESTS += tests/soak-memory
tests_soak_memory_SOURCES = tests/soak/memory.c \
	tests/soak/life.c tests/soak/life.h
tests_soak_memory_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/soak
tests_soak_memory_LDADD = $(AERO_LIBS)

SOAK_DAYS = 365
.PHONY: soak-memory
soak: soak-memory
soak-memory: tests/soak-memory
	tests/soak-memory --days $(SOAK_DAYS) $(SOAK_MEMORY_FLAGS)
