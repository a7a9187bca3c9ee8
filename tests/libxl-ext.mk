# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += tests/test-json tests/test-units
TESTS += tests/test-json tests/test-units

tests_test_json_SOURCES = tests/unit/test_json.c
tests_test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_json_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

tests_test_units_SOURCES = tests/unit/test_units.c
tests_test_units_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_units_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-rpc-client
TESTS += tests/test-rpc-client
tests_test_rpc_client_SOURCES = tests/unit/test_rpc_client.c
tests_test_rpc_client_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_rpc_client_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/test-std-fds
TESTS += tests/test-std-fds
tests_test_std_fds_SOURCES = tests/unit/test_std_fds.c
tests_test_std_fds_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_std_fds_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-journal-log
TESTS += tests/test-journal-log
tests_test_journal_log_SOURCES = tests/unit/test_journal_log.c
tests_test_journal_log_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_journal_log_LDADD = $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-guest-keys
TESTS += tests/test-guest-keys
tests_test_guest_keys_SOURCES = tests/unit/test_guest_keys.c
tests_test_guest_keys_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_guest_keys_LDADD = liblxe.a $(UNIT_LIBS)

check_PROGRAMS += tests/test-save-procs
TESTS += tests/test-save-procs
tests_test_save_procs_SOURCES = tests/unit/test_save_procs.c
tests_test_save_procs_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_save_procs_LDADD = liblxe.a $(BASE_LIBS) $(UNIT_LIBS)

# Includes host_xen.c, and stands in for what of libxl it tries.
check_PROGRAMS += tests/test-host-xen
TESTS += tests/test-host-xen
tests_test_host_xen_SOURCES = tests/unit/test_host_xen.c
tests_test_host_xen_CPPFLAGS = $(UNIT_CPPFLAGS) $(XEN_CFLAGS)
tests_test_host_xen_LDADD = $(LXE_LIBS) $(UNIT_LIBS)

SIM_TESTS = tests/test-page-sample tests/test-sim-guest tests/test-sim-host \
	tests/test-sim-property tests/test-sim-scenario
check_PROGRAMS += $(SIM_TESTS)
TESTS += $(SIM_TESTS)
SIM_LIBS = $(LXE_LIBS) $(UNIT_LIBS)
tests_test_page_sample_SOURCES = tests/unit/test_page_sample.c \
	tests/unit/sim_fixture.h
tests_test_page_sample_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_page_sample_LDADD = $(SIM_LIBS)
tests_test_sim_guest_SOURCES = tests/unit/test_sim_guest.c \
	tests/unit/sim_fixture.h
tests_test_sim_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_sim_guest_LDADD = $(SIM_LIBS)
tests_test_sim_host_SOURCES = tests/unit/test_sim_host.c \
	tests/unit/sim_fixture.h
tests_test_sim_host_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_sim_host_LDADD = $(SIM_LIBS)
tests_test_sim_property_SOURCES = tests/unit/test_sim_property.c \
	tests/unit/sim_fixture.h
tests_test_sim_property_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_sim_property_LDADD = $(SIM_LIBS)
tests_test_sim_scenario_SOURCES = tests/unit/test_sim_scenario.c \
	tests/unit/sim_fixture.h
tests_test_sim_scenario_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_sim_scenario_LDADD = $(SIM_LIBS)

check_PROGRAMS += tests/test-cpu-features
TESTS += tests/test-cpu-features
tests_test_cpu_features_SOURCES = tests/unit/test_cpu_features.c
tests_test_cpu_features_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_cpu_features_LDADD = $(LXE_LIBS) $(UNIT_LIBS)

# QEMU's log of what it writes to a guest.
check_PROGRAMS += tests/test-qemu-log
TESTS += tests/test-qemu-log
tests_test_qemu_log_SOURCES = tests/unit/test_qemu_log.c
tests_test_qemu_log_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_qemu_log_LDADD = $(LXE_LIBS) $(UNIT_LIBS)

# Tries the host's ops by hand, in the testbed and on a dom0.
noinst_PROGRAMS += tests/testbed/hostprobe
tests_testbed_hostprobe_SOURCES = tests/testbed/hostprobe.c
tests_testbed_hostprobe_CPPFLAGS = $(AM_CPPFLAGS) $(XTL_CFLAGS)
tests_testbed_hostprobe_LDADD = $(LXE_LIBS)
