# SPDX-License-Identifier: LGPL-2.1-or-later
dist_man_MANS += \
	%D%/man/aerostat-agent.8 \
	%D%/man/aerostat-migrate.8 \
	%D%/man/aerostat-receive.8 \
	%D%/man/aerostat-save-helper.8 \
	%D%/man/aerostat.conf.5 \
	%D%/man/aerostatd.8 \
	%D%/man/xl-aerostat.1 \
	%D%/man/xl-mem-explain.1 \
	%D%/man/xl-mem-policy.1 \
	%D%/man/xl-mem-replay.1 \
	%D%/man/xl-mem-reserve.1 \
	%D%/man/xl-mem-status.1 \
	%D%/man/xl-mem-top.1 \
	%D%/man/xl-migrate-cancel.1 \
	%D%/man/xl-migrate-live.1 \
	%D%/man/xl-migrate-rate.1 \
	%D%/man/xl-migrate-plan.1 \
	%D%/man/xl-migrate-report.1 \
	%D%/man/xl-migrate-status.1 \
	%D%/man/xl-wws.1
EXTRA_DIST += %D%/wws.md
EXTRA_DIST += %D%/architecture.svg
EXTRA_DIST += %D%/xenstore.md %D%/decision-log.md %D%/metrics.md
EXTRA_DIST += %D%/grafana/aerostat.json
EXTRA_DIST += %D%/migration.md %D%/migration-protocol.md %D%/report.md \
	%D%/prediction.md
EXTRA_DIST += %D%/benchmarks.md
EXTRA_DIST += %D%/repair.md
