/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "idle.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define POLL_NS   (100 * LXE_NS_PER_MS)
#define LOOK_NS   (500 * LXE_NS_PER_MS)
#define KILL_NS   (2 * LXE_NS_PER_SEC)
#define DEPTH_MAX 8 /* of children's children */
#define PATH_TEXT 64

bool mig_idle_look(struct mig_idle *idle, uint64_t activity, uint64_t now_ns,
                   uint64_t limit_ns)
{
    if (!limit_ns || activity == MIG_IDLE_UNKNOWN || !idle->since_ns ||
        activity != idle->activity) {
        idle->since_ns = now_ns;
        idle->activity = activity;
        return false;
    }
    return now_ns - idle->since_ns >= limit_ns;
}

/* Mixes a number in, so that no two sets of numbers look the same. */
static void mix(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *sum ^= *sum >> 29;
}

static FILE *open_of(pid_t pid, const char *what)
{
    char path[PATH_TEXT];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    return fopen(path, "re");
}

/* Bytes that it read and wrote, by whatever call. */
static bool mix_io(pid_t pid, uint64_t *sum)
{
    _cleanup_fclose_ FILE *f = open_of(pid, "io");
    uint64_t read, written;

    if (!f || fscanf(f, "rchar: %" SCNu64 " wchar: %" SCNu64, &read,
                     &written) != 2)
        return false;
    mix(sum, read);
    mix(sum, written);
    return true;
}

/* Fields 14 and 15 of its stat; its name, the second, may hold anything. */
static bool mix_cpu(pid_t pid, uint64_t *sum)
{
    _cleanup_fclose_ FILE *f = open_of(pid, "stat");
    char line[512];
    const char *after;
    uint64_t user, kernel;

    if (!f || !fgets(line, sizeof(line), f) || !(after = strrchr(line, ')')) ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %"
               SCNu64 " %" SCNu64, &user, &kernel) != 2)
        return false;
    mix(sum, user);
    mix(sum, kernel);
    return true;
}

static bool mix_process(pid_t pid, unsigned depth, uint64_t *sum);

static bool mix_children(pid_t pid, unsigned depth, uint64_t *sum)
{
    _cleanup_fclose_ FILE *f = NULL;
    char path[PATH_TEXT];
    int child;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
             (int)pid);
    f = fopen(path, "re");
    if (!f || depth == DEPTH_MAX)
        return false;
    while (fscanf(f, "%d", &child) == 1)
        if (!mix_process(child, depth + 1, sum))
            return false;
    return true;
}

static bool mix_process(pid_t pid, unsigned depth, uint64_t *sum)
{
    mix(sum, (uint64_t)pid);
    return mix_io(pid, sum) && mix_cpu(pid, sum) &&
           mix_children(pid, depth, sum);
}

uint64_t mig_idle_activity(pid_t pid, int fd)
{
    uint64_t sum = 0;
    int waiting;

    if (ioctl(fd, FIONREAD, &waiting) || !mix_process(pid, 0, &sum))
        return MIG_IDLE_UNKNOWN;
    mix(&sum, (uint64_t)waiting);
    return sum == MIG_IDLE_UNKNOWN ? 0 : sum;
}

/* The group's last ones may outlive its leader, and hold what it held. */
static void end_group(pid_t pid, uint64_t *ended_ns)
{
    uint64_t now_ns = lxe_now_ns();
    int number;

    if (!*ended_ns)
        *ended_ns = now_ns;
    number = now_ns - *ended_ns < KILL_NS ? SIGTERM : SIGKILL;
    if (kill(-pid, number))
        kill(pid, number); /* it could not lead a group */
}

int mig_idle_wait(const struct mig_idle_wait *w, bool *gave_up)
{
    uint64_t ended_ns = 0, looked_ns = 0;
    struct mig_idle idle = { 0 };
    int status;

    for (;;) {
        pid_t got = waitpid(w->pid, &status, WNOHANG);
        uint64_t now_ns = lxe_now_ns();

        if (got == w->pid || (got < 0 && errno != EINTR)) {
            *gave_up = ended_ns;
            if (ended_ns)
                kill(-w->pid, SIGKILL);
            return got == w->pid ? status : -1;
        }
        if (w->limit_ns && now_ns - looked_ns >= LOOK_NS) {
            looked_ns = now_ns;
            if (ended_ns || mig_idle_look(&idle,
                                          mig_idle_activity(w->pid, w->fd),
                                          now_ns, w->limit_ns))
                end_group(w->pid, &ended_ns);
        }
        if (w->meanwhile)
            w->meanwhile(w->data);
        lxe_sleep_ns(POLL_NS);
    }
}
