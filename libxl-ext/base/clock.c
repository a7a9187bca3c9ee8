/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * LXE_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t lxe_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t lxe_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / LXE_NS_PER_SEC),
        .tv_nsec = (long)(ns % LXE_NS_PER_SEC),
    };
}

void lxe_sleep_ns(uint64_t ns)
{
    struct timespec ts = timespec_of(ns);

    nanosleep(&ts, NULL);
}

void lxe_sleep_until_ns(uint64_t at_ns)
{
    struct timespec ts = timespec_of(at_ns);

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}
