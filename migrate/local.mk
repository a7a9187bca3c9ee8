# SPDX-License-Identifier: LGPL-2.1-or-later
noinst_LIBRARIES += libmig.a

libmig_a_SOURCES = \
	%D%/hot_pages.c %D%/hot_pages.h \
	%D%/limits.c %D%/limits.h \
	%D%/precopy.c %D%/precopy.h \
	%D%/pump.c %D%/pump.h \
	%D%/rate.c %D%/rate.h \
	%D%/rounds.c %D%/rounds.h \
	%D%/status.c %D%/status.h \
	%D%/stream.c %D%/stream.h \
	%D%/stream_edit.c %D%/stream_edit.h
MIG_LIBS = libmig.a $(LXE_LIBS)

pkglibexec_PROGRAMS += aerostat-save-helper
aerostat_save_helper_SOURCES = %D%/helper_main.c
aerostat_save_helper_CPPFLAGS = $(AM_CPPFLAGS) $(XEN_CFLAGS)
aerostat_save_helper_LDADD = $(MIG_LIBS)
