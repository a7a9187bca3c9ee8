/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monotonic clock, in nanoseconds: what every duration is taken from. */
#ifndef LXE_BASE_CLOCK_H
#define LXE_BASE_CLOCK_H

#include <stdint.h>

#define LXE_NS_PER_SEC UINT64_C(1000000000)
#define LXE_NS_PER_MS  UINT64_C(1000000)

/* Returns CLOCK_MONOTONIC in nanoseconds. */
uint64_t lxe_now_ns(void);

/* What this thread has had of processors, in nanoseconds. */
uint64_t lxe_thread_cpu_ns(void);

/* Sleeps for a duration in nanoseconds; a signal may end it early. */
void lxe_sleep_ns(uint64_t ns);

/* Sleeps until CLOCK_MONOTONIC has come to this; a signal may end it early. */
void lxe_sleep_until_ns(uint64_t at_ns);

#endif
