# SPDX-License-Identifier: LGPL-2.1-or-later
noinst_LIBRARIES += libmig.a

libmig_a_SOURCES = \
	%D%/announce.c %D%/announce.h \
	%D%/archive.c %D%/archive.h \
	%D%/brake.c %D%/brake.h \
	%D%/brake_guard.c %D%/brake_guard.h \
	%D%/control_line.c %D%/control_line.h \
	%D%/costs.c %D%/costs.h \
	%D%/daemon_link.c %D%/daemon_link.h \
	%D%/figures.c %D%/figures.h \
	%D%/dirty_counts.c %D%/dirty_counts.h \
	%D%/dirty_curve.c %D%/dirty_curve.h \
	%D%/foretell.c %D%/foretell.h \
	%D%/handshake.c %D%/handshake.h \
	%D%/hello.c %D%/hello.h %D%/line.c %D%/line.h \
	%D%/held_child.c %D%/held_child.h \
	%D%/hot_pages.c %D%/hot_pages.h \
	%D%/idle.c %D%/idle.h \
	%D%/journal.c %D%/journal.h \
	%D%/keepalive.c %D%/keepalive.h \
	%D%/limits.c %D%/limits.h \
	%D%/limit_options.c %D%/limit_options.h \
	%D%/line_io.c %D%/line_io.h \
	%D%/movable.c %D%/movable.h \
	%D%/outlet.c %D%/outlet.h \
	%D%/pace.c %D%/pace.h \
	%D%/pack.c %D%/pack.h \
	%D%/pack_sample.c %D%/pack_sample.h \
	%D%/packing.c %D%/packing.h \
	%D%/page_cache.c %D%/page_cache.h \
	%D%/past_runs.c %D%/past_runs.h \
	%D%/plan.c %D%/plan.h \
	%D%/peek_policy.c %D%/peek_policy.h \
	%D%/precopy.c %D%/precopy.h \
	%D%/predict.c %D%/predict.h \
	%D%/probe.c %D%/probe.h \
	%D%/probe_ask.c %D%/probe_ask.h \
	%D%/probe_serve.c %D%/probe_serve.h \
	%D%/progress.c %D%/progress.h \
	%D%/pump.c %D%/pump.h \
	%D%/rate.c %D%/rate.h \
	%D%/receive.c %D%/receive.h \
	%D%/repair.c %D%/repair.h \
	%D%/relax.c %D%/relax.h \
	%D%/report.c %D%/report.h \
	%D%/rescue.c %D%/rescue.h \
	%D%/report_compare.c %D%/report_compare.h \
	%D%/report_html.c %D%/report_html.h \
	%D%/report_plots.c %D%/report_plots.h \
	%D%/report_read.c %D%/report_read.h \
	%D%/rounds.c %D%/rounds.h \
	%D%/save_run.c %D%/save_run.h \
	%D%/session.c %D%/session.h \
	%D%/settle.c %D%/settle.h \
	%D%/slowing.c %D%/slowing.h \
	%D%/status.c %D%/status.h \
	%D%/stream.c %D%/stream.h \
	%D%/stream_edit.c %D%/stream_edit.h \
	%D%/supersede.c %D%/supersede.h \
	%D%/svg.c %D%/svg.h \
	%D%/throttle.c %D%/throttle.h \
	%D%/transport.c %D%/transport.h \
	%D%/unpack.c %D%/unpack.h \
	%D%/unpacker.c %D%/unpacker.h \
	%D%/wire_rate.c %D%/wire_rate.h \
	%D%/wws.c %D%/wws.h \
	%D%/wws_build.c %D%/wws_build.h \
	%D%/wws_guard.c %D%/wws_guard.h \
	%D%/wws_measure.c %D%/wws_measure.h \
	%D%/wws_watch.c %D%/wws_watch.h
libmig_a_CPPFLAGS = $(AM_CPPFLAGS) $(ZSTD_CFLAGS)
MIG_LIBS = libmig.a $(LXE_LIBS) $(ZSTD_LIBS) -lm

pkglibexec_PROGRAMS += aerostat-save-helper aerostat-migrate
sbin_PROGRAMS += aerostat-receive
aerostat_save_helper_SOURCES = %D%/helper_main.c
aerostat_save_helper_CPPFLAGS = $(AM_CPPFLAGS) $(XEN_CFLAGS)
aerostat_save_helper_LDADD = $(MIG_LIBS)

aerostat_migrate_SOURCES = %D%/migrate_main.c
aerostat_migrate_LDADD = $(MIG_LIBS)

aerostat_receive_SOURCES = %D%/receive_main.c
aerostat_receive_LDADD = $(MIG_LIBS)
