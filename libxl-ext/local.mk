# SPDX-License-Identifier: LGPL-2.1-or-later
# liblxe_base.a has no Xen in it but xentoollog; liblxe.a is all that has.
noinst_LIBRARIES += liblxe_base.a liblxe.a

liblxe_base_a_CPPFLAGS = $(AM_CPPFLAGS) $(YAJL_CFLAGS) $(XTL_CFLAGS)
liblxe_base_a_SOURCES = \
	%D%/base/bitmap.h \
	%D%/base/cleanup.h \
	%D%/base/clock.c %D%/base/clock.h \
	%D%/base/err.c %D%/base/err.h \
	%D%/base/fd_io.c %D%/base/fd_io.h \
	%D%/base/folders.c %D%/base/folders.h \
	%D%/base/journal_log.c %D%/base/journal_log.h \
	%D%/base/json.c %D%/base/json.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/rpc_client.c %D%/base/rpc_client.h \
	%D%/base/shown.c %D%/base/shown.h \
	%D%/base/std_fds.c %D%/base/std_fds.h \
	%D%/base/u64.h \
	%D%/base/units.c %D%/base/units.h
BASE_LIBS = liblxe_base.a $(YAJL_LIBS) $(XTL_LIBS) -lm

liblxe_a_CPPFLAGS = $(AM_CPPFLAGS) $(XEN_CFLAGS) $(XXHASH_CFLAGS)
liblxe_a_SOURCES = \
	%D%/cpu_features.c %D%/cpu_features.h \
	%D%/dirty_log.c %D%/dirty_log.h \
	%D%/guest_brake.c %D%/guest_brake.h \
	%D%/guest_keys.c %D%/guest_keys.h \
	%D%/host.c %D%/host.h \
	%D%/page_sample.c %D%/page_sample.h \
	%D%/qemu_log.c %D%/qemu_log.h \
	%D%/save_engine.c %D%/save_engine.h \
	%D%/save_ipc.c %D%/save_ipc.h \
	%D%/save_procs.c %D%/save_procs.h \
	%D%/save_stream.c %D%/save_stream.h \
	%D%/host_open.c \
	%D%/host_sim.c %D%/host_sim.h \
	%D%/sim_guest.c %D%/sim_guest.h \
	%D%/sim_host.h \
	%D%/sim_log.c \
	%D%/sim_numa.c %D%/sim_numa.h \
	%D%/sim_pages.c %D%/sim_pages.h \
	%D%/sim_random.h \
	%D%/sim_sample.c \
	%D%/sim_save.c \
	%D%/sim_scenario.c %D%/sim_scenario.h \
	%D%/sim_world.c %D%/sim_world.h \
	%D%/host_xen.c %D%/host_xen.h \
	%D%/xen_agent_keys.c %D%/xen_agent_keys.h \
	%D%/xen_compat.h \
	%D%/xen_cpu.c \
	%D%/xen_domains.c %D%/xen_domains.h \
	%D%/xen_errors.c %D%/xen_errors.h \
	%D%/xen_store.c %D%/xen_store.h \
	%D%/xen_watch.c %D%/xen_watch.h \
	%D%/xen_numa.c %D%/xen_numa.h \
	%D%/xen_sample.c \
	%D%/xl_conf.c %D%/xl_conf.h \
	%D%/xl_domain.c %D%/xl_domain.h \
	%D%/xl_stream.c %D%/xl_stream.h
LXE_LIBS = liblxe.a $(BASE_LIBS) $(XEN_LIBS) $(XXHASH_LIBS)

EXTRA_DIST += docs/scenarios.md \
	docs/scenarios/comings-and-goings.json \
	docs/scenarios/migration.json \
	docs/scenarios/squeezed-a.json \
	docs/scenarios/squeezed-b.json \
	docs/scenarios/squeezed-c.json \
	docs/scenarios/squeezed-d.json \
	docs/scenarios/squeezed-e.json \
	docs/scenarios/three-guests.json \
	docs/scenarios/zoo.json
