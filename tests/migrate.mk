# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += tests/test-save-ipc
TESTS += tests/test-save-ipc
tests_test_save_ipc_SOURCES = tests/unit/test_save_ipc.c
tests_test_save_ipc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_save_ipc_LDADD = $(LXE_LIBS) $(UNIT_LIBS)

# The pure modules. The migration streams they are shown are synthetic.
check_LIBRARIES += libsynth.a
libsynth_a_CPPFLAGS = $(UNIT_CPPFLAGS)
libsynth_a_SOURCES = tests/unit/synth_stream.c tests/unit/synth_stream.h
SYNTH_LIBS = libsynth.a libmig.a liblxe_base.a $(UNIT_LIBS) -lm

check_PROGRAMS += tests/test-stream tests/test-stream-edit tests/test-rate \
	tests/test-precopy tests/test-relax tests/test-throttle \
	tests/test-peek-policy tests/test-wire-rate tests/test-dirty-counts
TESTS += tests/test-stream tests/test-stream-edit tests/test-rate \
	tests/test-precopy tests/test-relax tests/test-throttle \
	tests/test-peek-policy tests/test-wire-rate tests/test-dirty-counts
tests_test_stream_SOURCES = tests/unit/test_stream.c
tests_test_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_stream_LDADD = $(SYNTH_LIBS)
tests_test_stream_edit_SOURCES = tests/unit/test_stream_edit.c
tests_test_stream_edit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_stream_edit_LDADD = $(SYNTH_LIBS)
tests_test_rate_SOURCES = tests/unit/test_rate.c
tests_test_rate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_rate_LDADD = $(SYNTH_LIBS)
tests_test_precopy_SOURCES = tests/unit/test_precopy.c
tests_test_precopy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_precopy_LDADD = $(SYNTH_LIBS)
tests_test_relax_SOURCES = tests/unit/test_relax.c
tests_test_relax_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_relax_LDADD = $(SYNTH_LIBS)
tests_test_peek_policy_SOURCES = tests/unit/test_peek_policy.c
tests_test_peek_policy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_peek_policy_LDADD = $(SYNTH_LIBS)
tests_test_throttle_SOURCES = tests/unit/test_throttle.c
tests_test_throttle_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_throttle_LDADD = $(SYNTH_LIBS)
tests_test_wire_rate_SOURCES = tests/unit/test_wire_rate.c
tests_test_wire_rate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_wire_rate_LDADD = $(SYNTH_LIBS)
tests_test_dirty_counts_SOURCES = tests/unit/test_dirty_counts.c
tests_test_dirty_counts_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_dirty_counts_LDADD = $(SYNTH_LIBS)

# Whether a guest is slowed, with another brake.
check_PROGRAMS += tests/test-slowing
TESTS += tests/test-slowing
tests_test_slowing_SOURCES = tests/unit/test_slowing.c
tests_test_slowing_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_slowing_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS) -lm

# What is sent packed.
check_PROGRAMS += tests/test-pack
TESTS += tests/test-pack
tests_test_pack_SOURCES = tests/unit/test_pack.c
tests_test_pack_CPPFLAGS = $(UNIT_CPPFLAGS) $(ZSTD_CFLAGS)
tests_test_pack_LDADD = libsynth.a libmig.a liblxe.a $(BASE_LIBS) \
	$(ZSTD_LIBS) $(UNIT_LIBS)

# How a guest is made smaller, on a simulated host.
check_PROGRAMS += tests/test-page-cache
TESTS += tests/test-page-cache
tests_test_page_cache_SOURCES = tests/unit/test_page_cache.c \
	tests/unit/sim_fixture.h
tests_test_page_cache_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_page_cache_LDADD = libmig.a $(SIM_LIBS)

# A receiver whose link is cut.
check_PROGRAMS += tests/test-idle
TESTS += tests/test-idle
tests_test_idle_SOURCES = tests/unit/test_idle.c
tests_test_idle_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_idle_LDADD = libmig.a liblxe_base.a $(UNIT_LIBS)

# What is left of a migration that was killed.
check_PROGRAMS += tests/test-journal tests/test-repair tests/test-settle
TESTS += tests/test-journal tests/test-repair tests/test-settle
tests_test_journal_SOURCES = tests/unit/test_journal.c
tests_test_journal_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_journal_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_repair_SOURCES = tests/unit/test_repair.c tests/unit/sim_fixture.h
tests_test_repair_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_repair_LDADD = libmig.a $(SIM_LIBS)
tests_test_settle_SOURCES = tests/unit/test_settle.c tests/unit/sim_fixture.h
tests_test_settle_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_settle_LDADD = libmig.a $(SIM_LIBS)

check_PROGRAMS += tests/test-movable
TESTS += tests/test-movable
tests_test_movable_SOURCES = tests/unit/test_movable.c \
	tests/unit/sim_fixture.h
tests_test_movable_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_movable_LDADD = libmig.a $(SIM_LIBS)

check_PROGRAMS += tests/test-save-run
TESTS += tests/test-save-run
tests_test_save_run_SOURCES = tests/unit/test_save_run.c
tests_test_save_run_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_save_run_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-daemon-link tests/test-handshake
TESTS += tests/test-daemon-link tests/test-handshake
tests_test_daemon_link_SOURCES = tests/unit/test_daemon_link.c
tests_test_daemon_link_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_daemon_link_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS)
tests_test_handshake_SOURCES = tests/unit/test_handshake.c
tests_test_handshake_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_handshake_LDADD = libmig.a liblxe.a $(BASE_LIBS) $(UNIT_LIBS)

# A process that begins once the journal has it.
check_PROGRAMS += tests/test-held-child
TESTS += tests/test-held-child
tests_test_held_child_SOURCES = tests/unit/test_held_child.c
tests_test_held_child_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_held_child_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/test-receive
TESTS += tests/test-receive
tests_test_receive_SOURCES = tests/unit/test_receive.c
tests_test_receive_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_receive_LDADD = libsynth.a libmig.a liblxe.a $(BASE_LIBS) $(ZSTD_LIBS) \
	$(UNIT_LIBS)

check_PROGRAMS += tests/test-announce
TESTS += tests/test-announce
tests_test_announce_SOURCES = tests/unit/test_announce.c
tests_test_announce_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_announce_LDADD = libmig.a $(BASE_LIBS) $(UNIT_LIBS)

# The small texts that are passed around, and the report.
TEXT_TESTS = tests/test-limits tests/test-status tests/test-hello \
	tests/test-control-line
check_PROGRAMS += $(TEXT_TESTS)
TESTS += $(TEXT_TESTS)
TEXT_LIBS = libmig.a $(BASE_LIBS) $(UNIT_LIBS) -lm
tests_test_limits_SOURCES = tests/unit/test_limits.c
tests_test_limits_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_limits_LDADD = $(TEXT_LIBS)
tests_test_status_SOURCES = tests/unit/test_status.c
tests_test_status_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_status_LDADD = $(TEXT_LIBS)
tests_test_hello_SOURCES = tests/unit/test_hello.c
tests_test_hello_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_hello_LDADD = $(TEXT_LIBS)
tests_test_control_line_SOURCES = tests/unit/test_control_line.c
tests_test_control_line_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_control_line_LDADD = $(TEXT_LIBS)

check_PROGRAMS += tests/test-progress
TESTS += tests/test-progress
tests_test_progress_SOURCES = tests/unit/test_progress.c
tests_test_progress_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_progress_LDADD = $(TEXT_LIBS)

# What runs in two threads, with a dirty log that sees what overlaps.
check_LIBRARIES += libfakelog.a
libfakelog_a_SOURCES = tests/unit/fake_log.c tests/unit/fake_log.h
THREAD_TESTS = tests/test-brake tests/test-hot-pages tests/test-pump tests/test-rounds
check_PROGRAMS += $(THREAD_TESTS)
TESTS += $(THREAD_TESTS)
THREAD_LIBS = libfakelog.a libsynth.a libmig.a $(BASE_LIBS) $(ZSTD_LIBS) \
	$(UNIT_LIBS)
tests_test_brake_SOURCES = tests/unit/test_brake.c
tests_test_brake_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_brake_LDADD = $(THREAD_LIBS)
tests_test_hot_pages_SOURCES = tests/unit/test_hot_pages.c
tests_test_hot_pages_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_hot_pages_LDADD = $(THREAD_LIBS)
tests_test_pump_SOURCES = tests/unit/test_pump.c
tests_test_pump_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_pump_LDADD = $(THREAD_LIBS)
tests_test_rounds_SOURCES = tests/unit/test_rounds.c
tests_test_rounds_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_rounds_LDADD = $(THREAD_LIBS)

check_PROGRAMS += tests/test-report tests/test-transport tests/test-xl-stream
TESTS += tests/test-report tests/test-transport tests/test-xl-stream
check_PROGRAMS += tests/test-archive tests/test-report-read
TESTS += tests/test-archive tests/test-report-read
tests_test_report_read_SOURCES = tests/unit/test_report_read.c
tests_test_report_read_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_report_read_LDADD = $(TEXT_LIBS) -lm
tests_test_archive_SOURCES = tests/unit/test_archive.c
tests_test_archive_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_archive_LDADD = $(TEXT_LIBS)
tests_test_report_SOURCES = tests/unit/test_report.c
tests_test_report_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_report_LDADD = $(TEXT_LIBS)
tests_test_transport_SOURCES = tests/unit/test_transport.c
tests_test_transport_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_transport_LDADD = $(TEXT_LIBS)
tests_test_xl_stream_SOURCES = tests/unit/test_xl_stream.c
tests_test_xl_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_xl_stream_LDADD = liblxe.a $(TEXT_LIBS)

# Pictures.
check_PROGRAMS += tests/test-svg
TESTS += tests/test-svg
tests_test_svg_SOURCES = tests/unit/test_svg.c
tests_test_svg_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_svg_LDADD = libmig.a $(UNIT_LIBS) -lm

# The writable working set's curve.
WWS_TESTS = tests/test-wws tests/test-wws-guard tests/test-wws-measure
check_PROGRAMS += $(WWS_TESTS)
TESTS += $(WWS_TESTS)
tests_test_wws_guard_SOURCES = tests/unit/test_wws_guard.c
tests_test_wws_guard_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_wws_guard_LDADD = $(MIG_LIBS) $(UNIT_LIBS)
tests_test_wws_measure_SOURCES = tests/unit/test_wws_measure.c \
	tests/unit/sim_fixture.h
tests_test_wws_measure_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_wws_measure_LDADD = libmig.a $(SIM_LIBS) -lm
tests_test_wws_SOURCES = tests/unit/test_wws.c
tests_test_wws_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_wws_LDADD = $(TEXT_LIBS) -lm

# What a migration will cost.
check_PROGRAMS += tests/test-packing
TESTS += tests/test-packing
tests_test_packing_SOURCES = tests/unit/test_packing.c \
	tests/unit/sim_fixture.h
tests_test_packing_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_packing_LDADD = libmig.a $(SIM_LIBS) $(ZSTD_LIBS) -lm
check_PROGRAMS += tests/test-foretell
TESTS += tests/test-foretell
tests_test_foretell_SOURCES = tests/unit/test_foretell.c \
	tests/unit/sim_fixture.h
tests_test_foretell_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_foretell_LDADD = libmig.a $(SIM_LIBS) -lm
PREDICT_TESTS = tests/test-predict tests/test-costs tests/test-past-runs \
	tests/test-probe tests/test-plan tests/test-outrun tests/test-pace
check_PROGRAMS += $(PREDICT_TESTS)
TESTS += $(PREDICT_TESTS)
tests_test_predict_SOURCES = tests/unit/test_predict.c
tests_test_predict_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_predict_LDADD = $(TEXT_LIBS) -lm
tests_test_outrun_SOURCES = tests/unit/test_outrun.c
tests_test_outrun_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_outrun_LDADD = $(TEXT_LIBS) -lm
tests_test_pace_SOURCES = tests/unit/test_pace.c
tests_test_pace_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_pace_LDADD = $(TEXT_LIBS) -lm
tests_test_costs_SOURCES = tests/unit/test_costs.c
tests_test_costs_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_costs_LDADD = $(TEXT_LIBS) -lm
tests_test_past_runs_SOURCES = tests/unit/test_past_runs.c
tests_test_past_runs_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_past_runs_LDADD = $(TEXT_LIBS) -lm
tests_test_plan_SOURCES = tests/unit/test_plan.c
tests_test_plan_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_plan_LDADD = libmig.a liblxe.a $(BASE_LIBS) $(UNIT_LIBS) -lm
tests_test_probe_SOURCES = tests/unit/test_probe.c
tests_test_probe_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_test_probe_LDADD = libmig.a liblxe.a $(BASE_LIBS) $(UNIT_LIBS)
