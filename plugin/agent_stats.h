/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent's view of its guest: the kernel's own files, parsed.
 *
 * Pure: text in, numbers out. The kernel is trusted, but its versions differ:
 * a line that is not there leaves its member unknown.
 */
#ifndef AERO_AGENT_STATS_H
#define AERO_AGENT_STATS_H

#include "host.h"

/*
 * Each parses one file's text, NUL-terminated, and sets its members of the
 * report; what the text does not tell becomes LXE_UNKNOWN.
 *
 * /proc/meminfo sets total, available, used, and swap used and
 * free. Returns 0, or
 * -EINVAL where total or available is missing: without them there is no
 * report. (MemAvailable came with Linux 3.14.)
 */
int aero_stats_meminfo(const char *text, struct lxe_guest_report *report);

/*
 * /proc/vmstat sets refaults (workingset_refault, or its anon and file) and
 * swapins (pswpin).
 */
void aero_stats_vmstat(const char *text, struct lxe_guest_report *report);

/* /proc/pressure/memory sets psi: "some", the average over 10 s. */
void aero_stats_pressure(const char *text, struct lxe_guest_report *report);

#define AERO_STATS_MEMORY_STEP_KIB 4096 /* 4 MiB, or of what is available */
#define AERO_STATS_MEMORY_PART     8    /* an eighth, where that is less */
#define AERO_STATS_PSI_STEP_X100   100  /* one percent */

/*
 * Whether a report says so much that the last one did not that it is worth a
 * write: memory by more than 4 MiB or an eighth of what is left, or pressure by
 * a percent.
 */
bool aero_stats_differ(const struct lxe_guest_report *last,
                       const struct lxe_guest_report *now);

#endif
