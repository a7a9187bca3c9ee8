
# What people touch: the command line.
bin_PROGRAMS += xl-aerostat
xl_aerostat_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS)
xl_aerostat_SOURCES = \
	%D%/cli.c %D%/cli.h \
	%D%/cli_create.c %D%/cli_create.h \
	%D%/cli_explain.c %D%/cli_explain.h \
	%D%/cli_main.c \
	%D%/cli_mem.c %D%/cli_mem.h \
	%D%/cli_migrate.c %D%/cli_migrate.h \
	%D%/cli_plan.c %D%/cli_plan.h \
	%D%/cli_replay.c %D%/cli_replay.h \
	%D%/cli_report.c %D%/cli_report.h \
	%D%/cli_reserve.c %D%/cli_reserve.h \
	%D%/cli_run.c %D%/cli_run.h \
	%D%/cli_table.c %D%/cli_table.h \
	%D%/cli_text.c %D%/cli_text.h \
	%D%/cli_top.c %D%/cli_top.h \
	%D%/plan_text.c %D%/plan_text.h \
	%D%/report_text.c %D%/report_text.h \
	%D%/top_screen.c %D%/top_screen.h \
	%D%/top_view.c %D%/top_view.h
xl_aerostat_LDADD = libaero.a $(MIG_LIBS) $(NCURSES_LIBS)

# The verb wws.
xl_aerostat_SOURCES += \
	%D%/cli_wws.c %D%/cli_wws.h \
	%D%/wws_svg.c %D%/wws_svg.h \
	%D%/wws_text.c %D%/wws_text.h

# The front: installed under libexec, for the administrator to put first in
# PATH.
pkglibexec_SCRIPTS = %D%/xl
CLEANFILES += %D%/xl
EXTRA_DIST += %D%/xl.in %D%/completion.bash
%D%/xl: $(srcdir)/%D%/xl.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	sed -e 's|@bindir[@]|$(bindir)|g' \
		-e 's|@rundir[@]|$(runstatedir)/aerostat|g' $(srcdir)/%D%/xl.in >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@

# Read when a shell starts, not when a command is first completed: the stock
# xl has its completion there, and this one goes before it.
bashstartdir = $(sysconfdir)/bash_completion.d
bashstart_DATA = %D%/completion/xl-aerostat
CLEANFILES += %D%/completion/xl-aerostat
%D%/completion/xl-aerostat: %D%/completion.bash
	$(AM_V_GEN)$(MKDIR_P) %D%/completion && \
	cp $(srcdir)/%D%/completion.bash $@

# The guest's agent. Static, so that it runs in any guest; sanitizers cannot.
sbin_PROGRAMS += aerostat-agent
aerostat_agent_CPPFLAGS = $(AM_CPPFLAGS) $(XS_CFLAGS)
aerostat_agent_SOURCES = \
	%D%/agent_main.c \
	%D%/agent_stats.c %D%/agent_stats.h \
	%D%/agent_watch.c %D%/agent_watch.h \
	%D%/agent_xenstore.c %D%/agent_xenstore.h \
	libxl-ext/guest_keys.c
aerostat_agent_LDADD = liblxe_base.a $(XS_LIBS) -lxentoolcore
aerostat_agent_LDFLAGS = $(AM_LDFLAGS)
if !SANITIZERS
aerostat_agent_LDFLAGS += -static
endif

agentinitddir = $(sysconfdir)/init.d
agentinitd_SCRIPTS = %D%/aerostat-agent
agentunitdir = $(systemdsystemunitdir)
agentunit_DATA = %D%/aerostat-agent.service
CLEANFILES += %D%/aerostat-agent %D%/aerostat-agent.service
EXTRA_DIST += %D%/aerostat-agent.initd.in %D%/aerostat-agent.service.in
%D%/aerostat-agent: $(srcdir)/%D%/aerostat-agent.initd.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' \
		$(srcdir)/%D%/aerostat-agent.initd.in >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@
%D%/aerostat-agent.service: $(srcdir)/%D%/aerostat-agent.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' \
		$(srcdir)/%D%/aerostat-agent.service.in >$@.tmp && mv $@.tmp $@
