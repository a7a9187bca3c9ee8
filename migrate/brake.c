/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "brake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "throttle.h"

struct mig_brake {
    struct mig_brake_config config;
    struct lxe_guest_brake *guest;
    struct mig_guard *guard;

    /* Caps only. */
    unsigned original_cap;
    uint64_t free_ns, free_cpu_ns; /* clock and CPU time when last let go */
    double own_percent;            /* of one CPU, that it used since then */

    /* Pauses only. */
    pthread_t thread;
    bool threaded, ending, paused;
    uint64_t pause_start_ns;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    double slowed;
    uint64_t level_ns;      /* since when `slowed` holds */
    uint64_t level_lost_ns; /* lost_ns then */
    uint64_t lost_ns;       /* taken from the guest so far */
};

static bool by_pauses(const struct mig_brake *b)
{
    return b->config.way == MIG_THROTTLE_PAUSE;
}

/* What was taken so far, in ns; with the lock held. */
static uint64_t lost_by(const struct mig_brake *b, uint64_t now_ns)
{
    if (!by_pauses(b))
        return b->lost_ns +
               (uint64_t)((double)(now_ns - b->level_ns) * b->slowed);
    return b->lost_ns + (b->paused ? now_ns - b->pause_start_ns : 0);
}

/* From now on this share is taken; with the lock held. */
static void new_level(struct mig_brake *b, double slowed)
{
    uint64_t now_ns = lxe_now_ns();

    if (!by_pauses(b))
        b->lost_ns = lost_by(b, now_ns);
    b->level_ns = now_ns;
    b->level_lost_ns = lost_by(b, now_ns);
    b->slowed = slowed;
}

/* ---- by the scheduler's cap ---- */

static void note_free(struct mig_brake *b)
{
    b->free_ns = lxe_now_ns();
    b->guest->ops->cpu_ns(b->guest, &b->free_cpu_ns, NULL);
}

/* What the guest used while it was free: a cap above it would slow nothing. */
static void learn_own_percent(struct mig_brake *b)
{
    uint64_t cpu_ns = 0, span_ns = lxe_now_ns() - b->free_ns;

    b->own_percent = 100;
    if (!b->guest->ops->cpu_ns(b->guest, &cpu_ns, NULL) && span_ns &&
        cpu_ns > b->free_cpu_ns)
        b->own_percent = (double)(cpu_ns - b->free_cpu_ns) /
                         (double)span_ns * 100;
}

static int put_cap(struct mig_brake *b, double slowed, struct lxe_err *err)
{
    double percent = b->own_percent * (1 - slowed);

    mig_guard_engage(b->guard);
    return b->guest->ops->cap_set(b->guest,
                                  percent > 1 ? (unsigned)(percent + 0.5) : 1,
                                  err);
}

/* Where it fails, the guard tries once more when we end. */
static int lift_cap(struct mig_brake *b, struct lxe_err *err)
{
    int rc = b->guest->ops->cap_set(b->guest, b->original_cap, err);

    if (!rc || rc == -ESRCH)
        mig_guard_disengage(b->guard);
    note_free(b);
    return rc;
}

/* With the lock held. */
static void set_cap(struct mig_brake *b, double slowed)
{
    struct lxe_err err = { 0 };
    int rc = 0;

    if (slowed > 0 && !mig_guard_alive(b->guard))
        rc = lxe_fail(&err, -ECHILD, "the brake's guard has gone");
    if (!rc && slowed > 0 && !(b->slowed > 0))
        learn_own_percent(b);
    if (!rc && slowed > 0)
        rc = put_cap(b, slowed, &err);
    if (rc) {
        lxe_warn("the guest is not slowed: %s", err.text);
        slowed = 0;
    }
    if (!(slowed > 0) && (b->slowed > 0 || rc) && lift_cap(b, &err))
        lxe_warn("%s", err.text);
    new_level(b, slowed);
}

/* ---- by pauses ---- */

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / LXE_NS_PER_SEC),
                              .tv_nsec = (long)(ns % LXE_NS_PER_SEC) };
}

/* Until then, or until the guest is to be let go. With the lock held. */
static void wait_until(struct mig_brake *b, uint64_t until_ns)
{
    struct timespec until = timespec_of(until_ns);
    int rc = 0;

    while (!rc && b->slowed > 0 && !b->ending)
        rc = pthread_cond_timedwait(&b->changed, &b->lock, &until);
}

/*
 * Takes our pause back, if there is one. Xen counts pauses: where this fails
 * another on top would never end. So the flag stays until it has gone: the
 * next pause and the release try again, and so does the guard.
 */
static int take_back(struct mig_brake *b, struct lxe_err *err)
{
    int rc = 0;

    if (mig_guard_engaged(b->guard))
        rc = b->guest->ops->unpause(b->guest, err);
    if (rc && rc != -ESRCH && rc != -EINVAL)
        return rc;
    mig_guard_disengage(b->guard);
    return 0;
}

static void let_run(struct mig_brake *b)
{
    struct lxe_err err = { 0 };

    if (take_back(b, &err))
        lxe_error("%s", err.text);
    b->lost_ns += lxe_now_ns() - b->pause_start_ns;
    b->paused = false;
    pthread_cond_broadcast(&b->changed);
}

static int stop_run(struct mig_brake *b, struct lxe_err *err)
{
    int rc;

    if (!mig_guard_alive(b->guard))
        return lxe_fail(err, -ECHILD, "the brake's guard has gone");
    rc = take_back(b, err);
    if (rc)
        return rc;
    mig_guard_engage(b->guard);
    rc = b->guest->ops->pause(b->guest, err);
    if (rc)
        mig_guard_disengage(b->guard);
    b->paused = !rc;
    b->pause_start_ns = lxe_now_ns();
    return rc;
}

/* A pause, and the run that follows it. With the lock held. */
static void pause_once(struct mig_brake *b)
{
    uint64_t now_ns = lxe_now_ns(), cycle_ns, pause_ns;
    double due_ns = b->slowed * (double)(now_ns - b->level_ns);
    int64_t owed_ns = (int64_t)due_ns -
                      (int64_t)(b->lost_ns - b->level_lost_ns);
    double run_ns;
    struct lxe_err err = { 0 };

    pause_ns = mig_throttle_pause_ns(b->slowed, owed_ns, &cycle_ns);
    run_ns = (1 - b->slowed) * (double)cycle_ns;
    if (pause_ns && stop_run(b, &err)) {
        lxe_warn("the guest is not slowed: %s", err.text);
        new_level(b, 0);
        return;
    }
    if (pause_ns) {
        wait_until(b, b->pause_start_ns + pause_ns);
        let_run(b);
    }
    wait_until(b, lxe_now_ns() + (uint64_t)run_ns);
}

static void *pause_main(void *data)
{
    struct mig_brake *b = data;

    pthread_mutex_lock(&b->lock);
    while (!b->ending) {
        if (b->slowed > 0)
            pause_once(b);
        else
            pthread_cond_wait(&b->changed, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static int start_thread(struct mig_brake *b, struct lxe_err *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&b->thread, NULL, pause_main, b);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    b->threaded = !rc;
    return rc ? lxe_fail(err, -rc, "cannot start a thread: %s", strerror(rc))
              : 0;
}

/* ---- from outside ---- */

static int open_parts(struct mig_brake *b, struct lxe_err *err)
{
    struct mig_guard_config guard = {
        .domid = b->config.domid,
        .open_guest = b->config.open_guest,
        .pauses = by_pauses(b),
    };
    int rc = b->config.open_guest(b->config.domid, &b->guest, err);

    if (!rc && !by_pauses(b))
        rc = b->guest->ops->cap_get(b->guest, &b->original_cap, err);
    guard.original_cap = b->original_cap;
    if (!rc)
        rc = mig_guard_start(&guard, &b->guard, err);
    if (!rc && by_pauses(b))
        rc = start_thread(b, err);
    if (!rc && !by_pauses(b))
        note_free(b);
    return rc;
}

int mig_brake_open(const struct mig_brake_config *config,
                   struct mig_brake **out, struct lxe_err *err)
{
    struct mig_brake *b = calloc(1, sizeof(*b));
    pthread_condattr_t monotonic;
    int rc;

    *out = NULL;
    if (!b)
        return lxe_fail(err, -ENOMEM, "out of memory");
    b->config = *config;
    b->level_ns = lxe_now_ns();
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    rc = open_parts(b, err);
    if (rc)
        mig_brake_close(b);
    else
        *out = b;
    return rc;
}

void mig_brake_set(struct mig_brake *brake, double slowed)
{
    pthread_mutex_lock(&brake->lock);
    if (by_pauses(brake))
        new_level(brake, slowed);
    else
        set_cap(brake, slowed);
    pthread_cond_broadcast(&brake->changed);
    pthread_mutex_unlock(&brake->lock);
}

double mig_brake_slowed(struct mig_brake *brake)
{
    double slowed;

    if (!brake)
        return 0;
    pthread_mutex_lock(&brake->lock);
    slowed = brake->slowed;
    pthread_mutex_unlock(&brake->lock);
    return slowed;
}

void mig_brake_release(struct mig_brake *brake)
{
    struct lxe_err err = { 0 };

    if (!brake)
        return;
    mig_brake_set(brake, 0);
    pthread_mutex_lock(&brake->lock);
    while (brake->paused)
        pthread_cond_wait(&brake->changed, &brake->lock);
    if (by_pauses(brake) && take_back(brake, &err))
        lxe_error("%s", err.text);
    pthread_mutex_unlock(&brake->lock);
}

uint64_t mig_brake_run_ns(struct mig_brake *brake)
{
    uint64_t now_ns = lxe_now_ns();

    if (!brake)
        return now_ns;
    pthread_mutex_lock(&brake->lock);
    now_ns = lxe_now_ns();
    now_ns -= lost_by(brake, now_ns);
    pthread_mutex_unlock(&brake->lock);
    return now_ns;
}

void mig_brake_close(struct mig_brake *brake)
{
    if (!brake)
        return;
    if (brake->guard)
        mig_brake_release(brake);
    if (brake->threaded) {
        pthread_mutex_lock(&brake->lock);
        brake->ending = true;
        pthread_cond_broadcast(&brake->changed);
        pthread_mutex_unlock(&brake->lock);
        pthread_join(brake->thread, NULL);
    }
    mig_guard_end(brake->guard);
    if (brake->guest)
        brake->guest->ops->close(brake->guest);
    pthread_cond_destroy(&brake->changed);
    pthread_mutex_destroy(&brake->lock);
    free(brake);
}
