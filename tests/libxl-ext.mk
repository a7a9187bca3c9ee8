# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += tests/test-json tests/test-units
TESTS += tests/test-json tests/test-units

tests_test_json_SOURCES = tests/unit/test_json.c
tests_test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_json_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

tests_test_units_SOURCES = tests/unit/test_units.c
tests_test_units_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_units_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-guest-keys
TESTS += tests/test-guest-keys
tests_test_guest_keys_SOURCES = tests/unit/test_guest_keys.c
tests_test_guest_keys_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_guest_keys_LDADD = liblxe.a $(UNIT_LIBS)

if FUZZ
noinst_PROGRAMS += tests/fuzz-guest-keys
tests_fuzz_guest_keys_SOURCES = tests/fuzz/fuzz_guest_keys.c
tests_fuzz_guest_keys_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_guest_keys_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_guest_keys_LDADD = liblxe.a
endif
