# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon: its pure modules, its loop on a simulated host, the program.
daemon_tests = tests/test-demand tests/test-activity tests/test-numa tests/test-node-pools tests/test-hasten tests/test-guest-state tests/test-host-state tests/test-policy \
	tests/test-apply tests/test-reservations tests/test-config \
	tests/test-control tests/test-balancer tests/test-react tests/test-migrations tests/test-rate-share tests/test-self-move tests/test-rivals tests/test-trouble \
	tests/test-decisions tests/test-metrics
check_PROGRAMS += $(daemon_tests) tests/rpc-call
TESTS += $(daemon_tests) tests/daemon.sh
EXTRA_DIST += tests/daemon.sh

tests_rpc_call_SOURCES = tests/rpc_call.c
tests_rpc_call_CPPFLAGS = $(AM_CPPFLAGS)
tests_rpc_call_LDADD = $(BASE_LIBS)

tests_test_activity_SOURCES = tests/unit/test_activity.c
tests_test_activity_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_activity_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_node_pools_SOURCES = tests/unit/test_node_pools.c
tests_test_node_pools_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_node_pools_LDADD = $(AERO_LIBS) $(UNIT_LIBS)
tests_test_numa_SOURCES = tests/unit/test_numa.c
tests_test_numa_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_numa_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_demand_SOURCES = tests/unit/test_demand.c
tests_test_demand_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_demand_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_guest_state_SOURCES = tests/unit/test_guest_state.c
tests_test_guest_state_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_guest_state_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_hasten_SOURCES = tests/unit/test_hasten.c
tests_test_hasten_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_hasten_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_host_state_SOURCES = tests/unit/test_host_state.c
tests_test_host_state_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_host_state_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_policy_SOURCES = tests/unit/test_policy.c
tests_test_policy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_policy_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_apply_SOURCES = tests/unit/test_apply.c
tests_test_apply_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_apply_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_rate_share_SOURCES = tests/unit/test_rate_share.c
tests_test_rate_share_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_rate_share_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_self_move_SOURCES = tests/unit/test_self_move.c \
	tests/unit/sim_fixture.h
tests_test_self_move_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
tests_test_self_move_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-watcher
TESTS += tests/test-watcher
tests_test_watcher_SOURCES = tests/unit/test_watcher.c
tests_test_watcher_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
tests_test_watcher_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

# Includes host_xen.c, and stands in for xenstored and what of libxl it tries.
check_PROGRAMS += tests/test-xen-keys
TESTS += tests/test-xen-keys
tests_test_xen_keys_SOURCES = tests/unit/test_xen_keys.c \
	tests/unit/fake_xenstore.c tests/unit/fake_xenstore.h
tests_test_xen_keys_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS) $(XEN_CFLAGS)
tests_test_xen_keys_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_migrations_SOURCES = tests/unit/test_migrations.c \
	tests/unit/sim_fixture.h
tests_test_migrations_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_migrations_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_reservations_SOURCES = tests/unit/test_reservations.c
tests_test_reservations_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_reservations_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_config_SOURCES = tests/unit/test_config.c
tests_test_config_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_config_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_control_SOURCES = tests/unit/test_control.c
tests_test_control_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
tests_test_control_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-control-pace tests/test-control-seats \
	tests/test-control-socket
TESTS += tests/test-control-pace tests/test-control-seats \
	tests/test-control-socket
tests_test_control_pace_SOURCES = tests/unit/test_control_pace.c
tests_test_control_pace_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_control_pace_LDADD = $(AERO_LIBS) $(UNIT_LIBS)
tests_test_control_seats_SOURCES = tests/unit/test_control_seats.c
tests_test_control_seats_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_control_seats_LDADD = $(AERO_LIBS) $(UNIT_LIBS)
tests_test_control_socket_SOURCES = tests/unit/test_control_socket.c
tests_test_control_socket_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
tests_test_control_socket_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_balancer_SOURCES = tests/unit/test_balancer.c
tests_test_balancer_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_balancer_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_react_SOURCES = tests/unit/test_react.c \
	tests/unit/sim_fixture.h
tests_test_react_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_react_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_rivals_SOURCES = tests/unit/test_rivals.c
tests_test_rivals_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_rivals_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_trouble_SOURCES = tests/unit/test_trouble.c
tests_test_trouble_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_trouble_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_decisions_SOURCES = tests/unit/test_decisions.c
tests_test_decisions_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_decisions_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

tests_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_test_metrics_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_metrics_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

# Includes metrics_http.c.
check_PROGRAMS += tests/test-metrics-http
TESTS += tests/test-metrics-http
tests_test_metrics_http_SOURCES = tests/unit/test_metrics_http.c
tests_test_metrics_http_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS) $(MHD_CFLAGS)
tests_test_metrics_http_LDADD = $(AERO_LIBS) $(UNIT_LIBS)

# A daemon's life in which each call fails once.
check_LIBRARIES += libstory.a
libstory_a_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
libstory_a_SOURCES = tests/unit/story.c tests/unit/story.h \
	tests/unit/sim_fixture.h
check_PROGRAMS += tests/test-faults
TESTS += tests/test-faults
tests_test_faults_SOURCES = tests/unit/test_faults.c \
	tests/unit/fault_host.c tests/unit/fault_host.h
tests_test_faults_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS)
tests_test_faults_LDADD = libstory.a $(AERO_LIBS) $(UNIT_LIBS)

# The same life, in which each allocation fails once.
NO_MEMORY_WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=reallocarray,--wrap=strdup,--wrap=strndup \
	-Wl,--wrap=open_memstream,--wrap=yajl_alloc,--wrap=yajl_gen_alloc \
	-Wl,--wrap=xlu_cfg_init
check_PROGRAMS += tests/test-no-memory
TESTS += tests/test-no-memory
tests_test_no_memory_SOURCES = tests/unit/test_no_memory.c \
	tests/unit/no_memory.c tests/unit/no_memory.h
tests_test_no_memory_CPPFLAGS = $(UNIT_CPPFLAGS) $(UV_CFLAGS) $(YAJL_CFLAGS) \
	$(XEN_CFLAGS)
tests_test_no_memory_LDFLAGS = $(AM_LDFLAGS) $(NO_MEMORY_WRAP)
tests_test_no_memory_LDADD = libstory.a $(AERO_LIBS) $(UNIT_LIBS)
