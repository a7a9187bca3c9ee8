# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += tests/test-json tests/test-units
TESTS += tests/test-json tests/test-units

tests_test_json_SOURCES = tests/unit/test_json.c
tests_test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_json_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

tests_test_units_SOURCES = tests/unit/test_units.c
tests_test_units_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_units_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
