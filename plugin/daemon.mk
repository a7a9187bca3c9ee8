# SPDX-License-Identifier: LGPL-2.1-or-later
# What balances: the daemon's modules, without its main.
noinst_LIBRARIES += libaero.a
libaero_a_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(XEN_CFLAGS)
libaero_a_SOURCES = \
	%D%/apply.c %D%/apply.h \
	%D%/balancer.c %D%/balancer.h \
	%D%/control.c %D%/control.h \
	%D%/control_methods.c %D%/control_methods.h \
	%D%/daemon_config.c %D%/daemon_config.h \
	%D%/demand.c %D%/demand.h \
	%D%/guest_state.c %D%/guest_state.h \
	%D%/guests.c %D%/guests.h \
	%D%/migrations.c %D%/migrations.h \
	%D%/pid_lock.c %D%/pid_lock.h \
	%D%/policy.c %D%/policy.h \
	%D%/reservations.c %D%/reservations.h \
	%D%/water.c %D%/water.h \
	libxl-ext/xl_conf.c libxl-ext/xl_conf.h
AERO_LIBS = libaero.a $(LXE_LIBS) $(UV_LIBS)

xenconfdir = $(sysconfdir)/xen
dist_xenconf_DATA = %D%/aerostat.conf
