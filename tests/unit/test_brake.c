/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Brake and guard with real processes and a fake guest in shared memory: it
 * is let go whatever happens to whoever holds it.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "brake.h"
#include "unit.h"

#define MS(n)        ((n) * LXE_NS_PER_MS)
#define ORIGINAL_CAP 150u

/* The guest, as each process sees it. */
static struct guest {
    atomic_int pauses;     /* now; Xen's count */
    atomic_uint all_pauses, unpauses_in_vain;
    atomic_uint cap;
    atomic_uint lowest_cap;
    _Atomic uint64_t cpu_ns;
    atomic_int fail_pause, fail_cap, fail_open_after;
    atomic_int fail_unpauses; /* so many more of them */
} *guest;

static int fake_cap_get(struct lxe_guest_brake *b, unsigned *percent,
                        struct lxe_err *err)
{
    (void)b;
    *percent = atomic_load(&guest->cap);
    return guest->fail_cap ? lxe_fail(err, guest->fail_cap, "no cap") : 0;
}

static int fake_cap_set(struct lxe_guest_brake *b, unsigned percent,
                        struct lxe_err *err)
{
    (void)b;
    if (guest->fail_cap)
        return lxe_fail(err, guest->fail_cap, "no cap");
    atomic_store(&guest->cap, percent);
    if (percent < atomic_load(&guest->lowest_cap))
        atomic_store(&guest->lowest_cap, percent);
    return 0;
}

static int fake_pause(struct lxe_guest_brake *b, struct lxe_err *err)
{
    (void)b;
    if (guest->fail_pause)
        return lxe_fail(err, guest->fail_pause, "no pause");
    atomic_fetch_add(&guest->pauses, 1);
    atomic_fetch_add(&guest->all_pauses, 1);
    return 0;
}

/* Xen refuses one without a pause. */
static int fake_unpause(struct lxe_guest_brake *b, struct lxe_err *err)
{
    int now = atomic_load(&guest->pauses);

    (void)b;
    if (guest->fail_unpauses) {
        atomic_fetch_sub(&guest->fail_unpauses, 1);
        return lxe_fail(err, -EBUSY, "no unpause");
    }
    while (now && !atomic_compare_exchange_weak(&guest->pauses, &now,
                                                now - 1))
        ;
    if (now)
        return 0;
    atomic_fetch_add(&guest->unpauses_in_vain, 1);
    return lxe_fail(err, -EINVAL, "is not paused");
}

static int fake_cpu_ns(struct lxe_guest_brake *b, uint64_t *ns,
                       struct lxe_err *err)
{
    (void)b;
    (void)err;
    *ns = atomic_load(&guest->cpu_ns);
    return 0;
}

static void fake_close(struct lxe_guest_brake *b)
{
    (void)b;
}

static int open_guest(uint32_t domid, struct lxe_guest_brake **out,
                      struct lxe_err *err)
{
    static const struct lxe_guest_brake_ops ops = {
        fake_cap_get, fake_cap_set, fake_pause,
        fake_unpause, fake_cpu_ns,  fake_close,
    };
    static struct lxe_guest_brake brake = { &ops };

    CU_ASSERT_EQUAL(domid, 5);
    if (guest->fail_open_after && !--guest->fail_open_after)
        return lxe_fail(err, -EIO, "no libxc");
    *out = &brake;
    return 0;
}

static void new_guest(void)
{
    guest = mmap(NULL, sizeof(*guest), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_NOT_EQUAL_FATAL(guest, MAP_FAILED);
    guest->cap = ORIGINAL_CAP;
    guest->lowest_cap = ORIGINAL_CAP;
}

static struct mig_brake *open_brake(enum mig_throttle_way way)
{
    struct mig_brake_config config = { 5, way, open_guest };
    struct mig_brake *b;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL_FATAL(mig_brake_open(&config, &b, &err), 0);
    return b;
}

static void free_guest(void)
{
    munmap(guest, sizeof(*guest));
}

/* As the tests' alarm ends a wait in vain, no time limit is needed. */
static void wait_for_pauses(unsigned count)
{
    while (atomic_load(&guest->all_pauses) < count)
        lxe_sleep_ns(MS(1));
}

static void test_pauses(void)
{
    struct mig_brake *b;
    uint64_t run_ns, start_ns, span_ns;

    new_guest();
    b = open_brake(MIG_THROTTLE_PAUSE);
    CU_ASSERT_EQUAL(mig_brake_slowed(b), 0);
    start_ns = lxe_now_ns();
    run_ns = mig_brake_run_ns(b);
    mig_brake_set(b, 0.9);
    CU_ASSERT_DOUBLE_EQUAL(mig_brake_slowed(b), 0.9, 1e-9);
    wait_for_pauses(20);
    mig_brake_release(b);
    CU_ASSERT_EQUAL(guest->pauses, 0);
    run_ns = mig_brake_run_ns(b) - run_ns;
    span_ns = lxe_now_ns() - start_ns;
    /* What it lost was counted: much of the time, and never more than all. */
    CU_ASSERT_TRUE(run_ns < span_ns);
    CU_ASSERT_TRUE(span_ns - run_ns > 20 * MS(1));
    lxe_sleep_ns(MS(30));
    CU_ASSERT_EQUAL(guest->pauses, 0);
    mig_brake_close(b);
    CU_ASSERT_EQUAL(guest->pauses, 0);
    CU_ASSERT_EQUAL(guest->unpauses_in_vain, 0);
    CU_ASSERT_EQUAL(guest->cap, ORIGINAL_CAP);
    free_guest();
}

/* From what the guest used: two CPUs at 60 % each. */
static void test_cap(void)
{
    struct mig_brake *b;
    uint64_t start_ns;

    new_guest();
    b = open_brake(MIG_THROTTLE_CAP);
    start_ns = lxe_now_ns();
    lxe_sleep_ns(MS(50));
    guest->cpu_ns = (lxe_now_ns() - start_ns) * 12 / 10;
    mig_brake_set(b, 0.5);
    CU_ASSERT_TRUE(guest->cap >= 1 && guest->cap <= 60);
    mig_brake_set(b, 0.99);
    CU_ASSERT_TRUE(guest->cap >= 1 && guest->cap <= 2);
    mig_brake_release(b);
    CU_ASSERT_EQUAL(guest->cap, ORIGINAL_CAP);
    CU_ASSERT_EQUAL(mig_brake_slowed(b), 0);
    mig_brake_set(b, 0.5);
    CU_ASSERT_NOT_EQUAL(guest->cap, ORIGINAL_CAP);
    mig_brake_close(b);
    CU_ASSERT_EQUAL(guest->cap, ORIGINAL_CAP);
    CU_ASSERT_EQUAL(guest->all_pauses, 0);
    free_guest();
}

/* A process that slows the guest and is then killed or stopped. */
static pid_t fork_migration(enum mig_throttle_way way)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct mig_brake *b;

        setpgid(0, 0); /* with the guard, as in a shell's job */
        b = open_brake(way);

        mig_brake_set(b, 0.99);
        for (;;)
            pause();
    }
    return pid;
}

static void test_killed_while_paused(void)
{
    pid_t pid;

    new_guest();
    pid = fork_migration(MIG_THROTTLE_PAUSE);
    for (;;) { /* until it dies with the guest paused */
        wait_for_pauses(1);
        kill(pid, SIGSTOP);
        waitpid(pid, NULL, WUNTRACED);
        if (guest->pauses)
            break;
        kill(pid, SIGCONT);
        lxe_sleep_ns(MS(3));
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (atomic_load(&guest->pauses)) /* the alarm ends a wait in vain */
        lxe_sleep_ns(MS(1));
    free_guest();
}

static void test_killed_while_capped(void)
{
    pid_t pid;

    new_guest();
    pid = fork_migration(MIG_THROTTLE_CAP);
    while (atomic_load(&guest->cap) == ORIGINAL_CAP)
        lxe_sleep_ns(MS(1));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (atomic_load(&guest->cap) != ORIGINAL_CAP)
        lxe_sleep_ns(MS(1));
    free_guest();
}

/* Stopped, not dead: the guard ends the pause after a second. Ctrl-Z comes to
 * the guard as well. */
static void test_stopped_while_paused(void)
{
    pid_t pid;

    new_guest();
    pid = fork_migration(MIG_THROTTLE_PAUSE);
    for (;;) {
        wait_for_pauses(1);
        kill(pid, SIGSTOP);
        waitpid(pid, NULL, WUNTRACED);
        if (guest->pauses)
            break;
        kill(pid, SIGCONT);
        lxe_sleep_ns(MS(3));
    }
    kill(-pid, SIGTSTP);
    while (atomic_load(&guest->pauses)) /* the alarm ends a wait in vain */
        lxe_sleep_ns(MS(1));
    kill(pid, SIGKILL);
    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);
    free_guest();
}

static void test_failures(void)
{
    struct mig_brake_config config = { 5, MIG_THROTTLE_CAP, open_guest };
    struct mig_brake *b;
    struct lxe_err err = { 0 };

    new_guest();
    guest->fail_cap = -EOPNOTSUPP;
    CU_ASSERT_EQUAL(mig_brake_open(&config, &b, &err), -EOPNOTSUPP);
    CU_ASSERT_PTR_NULL(b);
    guest->fail_cap = 0;
    guest->fail_open_after = 1;
    CU_ASSERT_EQUAL(mig_brake_open(&config, &b, &err), -EIO);
    guest->fail_open_after = 2; /* in the guard */
    CU_ASSERT_EQUAL(mig_brake_open(&config, &b, &err), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "guard"));
    /* Slowing that fails is given up, and the guest runs. */
    b = open_brake(MIG_THROTTLE_PAUSE);
    guest->fail_pause = -EPERM;
    mig_brake_set(b, 0.5);
    while (mig_brake_slowed(b) > 0)
        lxe_sleep_ns(MS(1));
    CU_ASSERT_EQUAL(guest->pauses, 0);
    mig_brake_close(b);
    b = open_brake(MIG_THROTTLE_CAP);
    guest->fail_cap = -EPERM;
    mig_brake_set(b, 0.5);
    CU_ASSERT_EQUAL(mig_brake_slowed(b), 0);
    guest->fail_cap = 0;
    mig_brake_close(b);
    CU_ASSERT_EQUAL(guest->cap, ORIGINAL_CAP);
    free_guest();
}

/* Xen counts pauses: one that stays may not get another on top. */
static void test_unpause_fails(void)
{
    struct mig_brake *b;

    new_guest();
    b = open_brake(MIG_THROTTLE_PAUSE);
    guest->fail_unpauses = 1; /* the next pause takes it back first */
    mig_brake_set(b, 0.5);
    wait_for_pauses(5);
    mig_brake_release(b);
    CU_ASSERT_EQUAL(guest->fail_unpauses, 0);
    CU_ASSERT_EQUAL(guest->pauses, 0);
    guest->fail_unpauses = 2; /* it is slowed no more, and let go then */
    mig_brake_set(b, 0.5);
    while (mig_brake_slowed(b) > 0)
        lxe_sleep_ns(MS(1));
    mig_brake_release(b);
    CU_ASSERT_EQUAL(guest->pauses, 0);
    mig_brake_close(b);
    CU_ASSERT_EQUAL(guest->unpauses_in_vain, 0);
    free_guest();
}

static void test_none(void)
{
    CU_ASSERT_EQUAL(mig_brake_slowed(NULL), 0);
    CU_ASSERT_TRUE(mig_brake_run_ns(NULL) <= lxe_now_ns());
    mig_brake_release(NULL);
    mig_brake_close(NULL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "pauses, and let go", test_pauses },
        { "a cap, and the old one again", test_cap },
        { "killed while it is paused", test_killed_while_paused },
        { "killed while it is capped", test_killed_while_capped },
        { "stopped while it is paused", test_stopped_while_paused },
        { "what does not work", test_failures },
        { "an unpause that fails", test_unpause_fails },
        { "no brake", test_none },
    };

    alarm(120);
    return unit_run("brake", tests, sizeof(tests) / sizeof(tests[0]));
}
