# SPDX-License-Identifier: LGPL-2.1-or-later
# What balances: the daemon's modules, without its main.
noinst_LIBRARIES += libaero.a
libaero_a_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(XEN_CFLAGS) $(MHD_CFLAGS)
libaero_a_SOURCES = \
	%D%/activity.c %D%/activity.h \
	%D%/apply.c %D%/apply.h \
	%D%/balancer.c %D%/balancer.h \
	%D%/child.c %D%/child.h \
	%D%/config_changes.c %D%/config_changes.h \
	%D%/control.c %D%/control.h \
	%D%/control_call.c %D%/control_call.h \
	%D%/control_mem.c %D%/control_mem.h \
	%D%/control_methods.c %D%/control_methods.h \
	%D%/control_migration.c %D%/control_migration.h \
	%D%/control_pace.c %D%/control_pace.h \
	%D%/control_seats.c %D%/control_seats.h \
	%D%/daemon_config.c %D%/daemon_config.h \
	%D%/deadlines.c %D%/deadlines.h \
	%D%/decision.c %D%/decision.h \
	%D%/decision_history.c %D%/decision_history.h \
	%D%/decision_log.c %D%/decision_log.h \
	%D%/demand.c %D%/demand.h \
	%D%/fields.c %D%/fields.h \
	%D%/grants.c %D%/grants.h \
	%D%/guest_state.c %D%/guest_state.h \
	%D%/guests.c %D%/guests.h \
	%D%/hasten.c %D%/hasten.h \
	%D%/host_state.c %D%/host_state.h \
	%D%/judge.c %D%/judge.h \
	%D%/median.c %D%/median.h \
	%D%/counters.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/metrics_address.c %D%/metrics_address.h \
	%D%/metrics_http.c %D%/metrics_http.h \
	%D%/migrations.c %D%/migrations.h \
	%D%/moves.c %D%/moves.h \
	%D%/node_pools.c %D%/node_pools.h \
	%D%/numa.c %D%/numa.h \
	%D%/obtainable.c %D%/obtainable.h \
	%D%/pid_lock.c %D%/pid_lock.h \
	%D%/mul_div.h \
	%D%/policy.c %D%/policy.h \
	%D%/policy_bound.c %D%/policy_bound.h \
	%D%/policy_input.c %D%/policy_input.h \
	%D%/policy_nodes.c %D%/policy_nodes.h \
	%D%/policy_plan.h \
	%D%/policy_reason.c %D%/policy_reason.h \
	%D%/policy_share.c %D%/policy_share.h \
	%D%/policy_stay.c %D%/policy_stay.h \
	%D%/reason.c %D%/reason.h \
	%D%/replay.c %D%/replay.h \
	%D%/rate_share.c %D%/rate_share.h \
	%D%/probe.c %D%/probe.h \
	%D%/reload.c %D%/reload.h \
	%D%/reservations.c %D%/reservations.h \
	%D%/rivals.c %D%/rivals.h \
	%D%/sampler.c %D%/sampler.h \
	%D%/seldom.c %D%/seldom.h \
	%D%/self_move.c %D%/self_move.h \
	%D%/shortage.c %D%/shortage.h \
	%D%/speed.c %D%/speed.h \
	%D%/tick.c %D%/tick.h \
	%D%/trouble.c %D%/trouble.h \
	%D%/watcher.c %D%/watcher.h \
	%D%/water.c %D%/water.h
AERO_LIBS = libaero.a libmig.a $(LXE_LIBS) $(UV_LIBS) $(MHD_LIBS)

sbin_PROGRAMS += aerostatd
aerostatd_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(XEN_CFLAGS) $(SYSTEMD_CFLAGS)
aerostatd_SOURCES = %D%/daemon_main.c
aerostatd_LDADD = $(AERO_LIBS) $(SYSTEMD_LIBS)

EXTRA_DIST += docs/control.md docs/policy.md

EXTRA_DIST += %D%/aerostatd.service.in %D%/aerostatd.openrc.in
CLEANFILES += %D%/aerostatd.service %D%/aerostatd.openrc
if HAVE_SYSTEMD
systemdsystemunit_DATA = %D%/aerostatd.service
endif
# Installed as an example: whether OpenRC starts this host is not ours to say.
pkgdata_DATA = %D%/aerostatd.openrc
fill_in_paths = $(MKDIR_P) %D% && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@rundir[@]|$(runstatedir)/aerostat|g'
%D%/aerostatd.service: $(srcdir)/%D%/aerostatd.service.in Makefile
	$(AM_V_GEN)$(fill_in_paths) $(srcdir)/%D%/aerostatd.service.in \
		>$@.tmp && mv $@.tmp $@
%D%/aerostatd.openrc: $(srcdir)/%D%/aerostatd.openrc.in Makefile
	$(AM_V_GEN)$(fill_in_paths) $(srcdir)/%D%/aerostatd.openrc.in \
		>$@.tmp && mv $@.tmp $@

# The administrator's settings are not overwritten, nor removed if changed.
EXTRA_DIST += %D%/aerostat.conf
xenconf = $(DESTDIR)$(sysconfdir)/xen/aerostat.conf
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/xen'
	test -e '$(xenconf)' || \
		$(INSTALL_DATA) $(srcdir)/%D%/aerostat.conf '$(xenconf)'
uninstall-local:
	if cmp -s $(srcdir)/%D%/aerostat.conf '$(xenconf)'; then \
		rm -f '$(xenconf)'; fi
