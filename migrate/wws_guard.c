/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "wws_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "save_procs.h"
#include "xl_domain.h"

#define YIELD_NS  (5 * LXE_NS_PER_SEC)
#define SETTLE_NS (5 * LXE_NS_PER_SEC)
#define POLL_NS   (20 * LXE_NS_PER_MS)

/*
 * A save turns the mode off at its end; one that has only just begun may fail
 * before it has turned it on for itself, so it is given time to.
 */
int mig_wws_off_xen(uint32_t domid, struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + SETTLE_NS;

    while (lxe_save_is_running(domid)) {
        if (lxe_now_ns() >= end_ns)
            return 0;
        lxe_sleep_ns(POLL_NS);
    }
    return lxe_xl_log_dirty_off(domid, err);
}

/* ---- records ---- */

struct record {
    char path[4096];
    int fd; /* locked */
};

static void record_path(struct record *r, const char *dir, uint32_t domid)
{
    snprintf(r->path, sizeof(r->path), "%s/%" PRIu32, dir, domid);
}

/* Whether the file that is open is still the one with that name. */
static bool is_current(const struct record *r)
{
    struct stat ours, named;

    return !fstat(r->fd, &ours) && !stat(r->path, &named) &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/*
 * Opens and locks a record. Returns 0; -EWOULDBLOCK where somebody has it,
 * with r->fd open for reading; -ENOENT; another errno.
 */
static int record_lock(struct record *r, int flags)
{
    for (;;) {
        r->fd = open(r->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
        if (r->fd < 0)
            return -errno;
        if (flock(r->fd, LOCK_EX | LOCK_NB))
            return -errno;
        if (is_current(r))
            return 0;
        close(r->fd); /* its last owner has just removed it */
    }
}

/* In this order, so that nobody locks a file that is about to go. */
static void record_remove(struct record *r)
{
    unlink(r->path);
    close(r->fd);
}

static int record_write(const struct record *r, pid_t pid)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d\n", (int)pid);

    return ftruncate(r->fd, 0) || pwrite(r->fd, text, (size_t)len, 0) != len
               ? -EIO : 0;
}

static pid_t record_pid(const struct record *r)
{
    char text[16] = "";
    uint64_t pid;

    if (pread(r->fd, text, sizeof(text) - 1, 0) <= 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return lxe_parse_u64(text, 2, INT32_MAX, &pid, NULL) ? 0 : (pid_t)pid;
}

static int make_dir(const char *dir, struct lxe_err *err)
{
    _cleanup_free_ char *parent = strdup(dir);
    char *slash = parent ? strrchr(parent, '/') : NULL;

    if (slash && slash != parent) {
        *slash = '\0';
        mkdir(parent, 0755);
    }
    if (mkdir(dir, 0700) && errno != EEXIST)
        return lxe_fail(err, -errno, "cannot make %s: %s", dir,
                        strerror(errno));
    return 0;
}

/* The record is ours; its last owner was killed. Keeps it where off fails. */
static bool repair(struct record *r, uint32_t domid, mig_wws_off_fn *off)
{
    struct lxe_err err = { 0 };

    if (off(domid, &err)) {
        lxe_error("%s", err.text);
        close(r->fd);
        return false;
    }
    lxe_warn("domain %" PRIu32 ": a measurement was killed; its log-dirty"
             " mode is off again", domid);
    return true;
}

/* ---- the guard ---- */

static volatile sig_atomic_t child;

static void pass_on(int signal)
{
    if (child > 0)
        kill((pid_t)child, signal);
}

static void handle(void (*handler)(int))
{
    const struct sigaction action = { .sa_handler = handler };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* Ctrl-Z would leave the mode on until somebody types fg. For both of us. */
static void ignore_stop(struct sigaction *before)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGTSTP, &ignore, before);
}

/*
 * A signal that comes before the child is known to the handler, or before the
 * child has its own, waits.
 */
static void hold_back(sigset_t *before)
{
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, before);
}

/* Does not return. The parent may be gone before we ask to be told. */
static void run_child(struct record *r, pid_t parent, const sigset_t *mask,
                      int (*work)(void *data), void *data)
{
    int status = 1;

    handle(SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && !record_write(r, getpid())) {
        status = work(data);
        fflush(NULL);
    }
    record_remove(r);
    _exit(status);
}

/* The child is dead but not reaped, so its pid is nobody else's yet. */
static int end_run(struct record *r, const siginfo_t *info, uint32_t domid,
                   mig_wws_off_fn *off, int *status, struct lxe_err *err)
{
    int rc = 0;

    if (info->si_code == CLD_EXITED) {
        *status = info->si_status;
        close(r->fd);
    } else {
        rc = off(domid, err);
        if (rc) {
            close(r->fd); /* the record stays, for others to find */
        } else {
            record_remove(r);
            rc = lxe_fail(err, -EINTR, "the measurement was killed (signal "
                          "%d); log-dirty mode of domain %" PRIu32 " is off "
                          "again", info->si_status, domid);
        }
    }
    waitpid((pid_t)child, NULL, 0);
    child = 0;
    handle(SIG_DFL);
    return rc;
}

int mig_wws_guard_run(const char *dir, uint32_t domid, mig_wws_off_fn *off,
                      int (*work)(void *data), void *data, int *status,
                      struct lxe_err *err)
{
    pid_t parent = getpid();
    struct sigaction stop;
    siginfo_t info = { 0 };
    struct record r;
    sigset_t mask;
    int rc = make_dir(dir, err);

    if (rc)
        return rc;
    mig_wws_guard_repair(dir, off);
    record_path(&r, dir, domid);
    rc = record_lock(&r, O_CREAT);
    if (rc) {
        if (r.fd >= 0)
            close(r.fd);
        return lxe_fail(err, rc == -EWOULDBLOCK ? -EBUSY : rc,
                        rc == -EWOULDBLOCK
                            ? "domain %" PRIu32 " is being measured already"
                            : "cannot keep a record about domain %" PRIu32,
                        domid);
    }
    fflush(NULL);
    hold_back(&mask);
    handle(pass_on);
    ignore_stop(&stop);
    child = fork();
    if (child == 0)
        run_child(&r, parent, &mask, work, data);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (child < 0) {
        rc = lxe_fail(err, -errno, "cannot start a process: %m");
        handle(SIG_DFL);
        sigaction(SIGTSTP, &stop, NULL);
        record_remove(&r);
        return rc;
    }
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) &&
           errno == EINTR)
        ;
    rc = end_run(&r, &info, domid, off, status, err);
    sigaction(SIGTSTP, &stop, NULL);
    return rc;
}

/* ---- others ---- */

int mig_wws_guard_yield(const char *dir, uint32_t domid, mig_wws_off_fn *off)
{
    uint64_t end_ns = lxe_now_ns() + YIELD_NS;
    bool told = false;
    struct record r;
    int rc;

    record_path(&r, dir, domid);
    while ((rc = record_lock(&r, 0)) == -EWOULDBLOCK &&
           lxe_now_ns() < end_ns) {
        pid_t pid = record_pid(&r);

        if (!told && pid) {
            kill(pid, SIGTERM);
            told = true;
        }
        close(r.fd);
        lxe_sleep_ns(POLL_NS);
    }
    if (rc == -EWOULDBLOCK) {
        close(r.fd);
        return -ETIMEDOUT;
    }
    if (!rc && repair(&r, domid, off))
        record_remove(&r);
    return 0;
}

static bool repair_one(const char *dir, const char *name, mig_wws_off_fn *off)
{
    struct record r;
    uint64_t domid;
    int rc;

    if (lxe_parse_u64(name, 1, UINT32_MAX, &domid, NULL))
        return false;
    record_path(&r, dir, (uint32_t)domid);
    rc = record_lock(&r, 0);
    if (rc) {
        if (r.fd >= 0)
            close(r.fd);
        return false;
    }
    if (!repair(&r, (uint32_t)domid, off))
        return false;
    record_remove(&r);
    return true;
}

/* By the pid alone: taking a lock to look would get in a new one's way. */
static bool is_dead(const char *dir, uint32_t domid)
{
    struct record r;
    pid_t pid;

    record_path(&r, dir, domid);
    r.fd = open(r.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (r.fd < 0)
        return false;
    pid = record_pid(&r);
    close(r.fd);
    return pid && kill(pid, 0) && errno == ESRCH;
}

uint64_t mig_wws_guard_dead(const char *dir)
{
    DIR *records = opendir(dir);
    struct dirent *entry;
    uint64_t domid, dead = 0;

    while (records && (entry = readdir(records)))
        if (!lxe_parse_u64(entry->d_name, 1, UINT32_MAX, &domid, NULL) &&
            is_dead(dir, (uint32_t)domid))
            dead += domid;
    if (records)
        closedir(records);
    return dead;
}

unsigned mig_wws_guard_repair(const char *dir, mig_wws_off_fn *off)
{
    DIR *records = opendir(dir);
    struct dirent *entry;
    unsigned repaired = 0;

    while (records && (entry = readdir(records)))
        repaired += repair_one(dir, entry->d_name, off);
    if (records)
        closedir(records);
    return repaired;
}
