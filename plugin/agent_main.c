/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aerostat-agent: tells the host what its Linux guest needs, and drops the
 * page cache when asked.
 *
 * One timer and one descriptor are the whole loop, so it is ppoll() and no
 * library: the program is static and tiny, since it runs in every guest. It
 * wakes once an interval, and when it is asked for something, and writes only
 * what is worth a write.
 */
#include "config.h" /* first: it asks libc for ppoll() */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent_stats.h"
#include "agent_watch.h"
#include "agent_xenstore.h"
#include "base/clock.h"
#include "base/std_fds.h"
#include "base/u64.h"
#include "base/units.h"
#include "guest_keys.h"

#define MIN_INTERVAL_MS 1000  /* no more than one report a second */
#define HEARTBEAT_NS    (10 * LXE_NS_PER_SEC) /* and no less than in ten */
#define MAX_INTERVAL_MS 10000
#define MOVE_NS         (60 * LXE_NS_PER_SEC) /* for an answer */
#define TIMER_SLACK_NS  (100 * LXE_NS_PER_MS) /* wake with others */

struct agent {
    /* parameters */
    uint64_t interval_ms;
    bool once;
    bool no_drop;
    bool verbose;
    const char *move_to; /* ask to be moved there, and end */
    /* state */
    struct aero_agent_xs *xs;
    int watch_fd; /* -1: none */
    uint64_t seq;
    struct lxe_guest_report last; /* the one that was written */
    uint64_t last_ns;             /* when; 0 where it must be written again */
    uint64_t done_id;             /* the last request that was answered */
    int trouble;                  /* the errno that was told last, or 0 */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

/* Reads one of the kernel's files whole; what does not fit is left away. */
static const char *read_proc(const char *path)
{
    static char text[16384];
    size_t len = 0;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && len < sizeof(text) - 1 &&
           (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    if (fd >= 0)
        close(fd);
    text[len] = '\0';
    return text;
}

static int take_stats(struct lxe_guest_report *report, struct lxe_err *err)
{
    *report = (struct lxe_guest_report){ .refaults = LXE_UNKNOWN,
                                         .swapins = LXE_UNKNOWN };
    if (aero_stats_meminfo(read_proc("/proc/meminfo"), report))
        return lxe_fail(err, -ENODATA, "/proc/meminfo has no MemTotal or no "
                        "MemAvailable; is /proc mounted, and Linux 3.14 or "
                        "later?");
    aero_stats_pressure(read_proc("/proc/pressure/memory"), report);
    return 0;
}

static int write_report(struct agent *a, struct lxe_guest_report *report,
                        uint64_t now_ns, struct lxe_err *err)
{
    char line[LXE_KEYS_REPORT_MAX];
    int rc;

    aero_stats_vmstat(read_proc("/proc/vmstat"), report);
    report->seq = ++a->seq;
    rc = lxe_keys_format_agent(report, line);
    if (rc < 0)
        return lxe_fail(err, rc, "the kernel's numbers make no report");
    rc = aero_agent_xs_write(a->xs, "report", line, err);
    if (rc)
        return rc;
    a->last = *report;
    a->last_ns = now_ns;
    if (a->verbose)
        printf("%s\n", line);
    return 0;
}

/* Writes a report where there is something to say. */
static int report(struct agent *a, bool must, struct lxe_err *err)
{
    uint64_t now_ns = lxe_now_ns();
    bool heartbeat = now_ns - a->last_ns + a->interval_ms * LXE_NS_PER_MS / 2 >=
                     HEARTBEAT_NS;
    struct lxe_guest_report now;
    int rc = take_stats(&now, err);

    if (rc)
        return rc;
    if (!must && a->last_ns && !heartbeat && !aero_stats_differ(&a->last, &now))
        return 0;
    /*
     * A guest that has moved finds its keys gone: so its version goes with
     * each heartbeat, not once.
     */
    if (heartbeat || !a->last_ns)
        rc = aero_agent_xs_write(a->xs, "agent", PACKAGE_VERSION, err);
    return rc ? rc : write_report(a, &now, now_ns, err);
}

/*
 * 1 drops the page cache alone. 3 would drop dentries and inodes as well:
 * they are small next to it, walking them can take seconds in a guest that
 * has millions, and losing them makes each path that the guest opens while
 * it is being moved a read from its disk. Dirty pages cannot be dropped:
 * hence sync() before.
 */
static int drop_caches(struct lxe_err *err)
{
    static const char path[] = "/proc/sys/vm/drop_caches";
    int fd, rc = 0;

    sync();
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        rc = lxe_fail(err, -errno, "cannot write %s: %s; the agent runs as "
                      "root", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

/*
 * Answers a request once. With --no-drop, or where dropping fails, it is
 * answered too: who asks sees in the report, written before the answer, what
 * came of it, and does not wait in vain.
 */
static int serve(struct agent *a, struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    char text[24];
    uint64_t id;
    int rc = aero_agent_xs_request(a->xs, &a->done_id, &id, err);

    if (rc <= 0)
        return rc;
    if (!a->no_drop && drop_caches(&why))
        fprintf(stderr, "aerostat-agent: %s\n", why.text);
    rc = report(a, true, err);
    if (rc)
        return rc;
    snprintf(text, sizeof(text), "%" PRIu64, id);
    rc = aero_agent_xs_write(a->xs, "done", text, err);
    if (!rc)
        a->done_id = id;
    return rc;
}

/* Says a trouble once, not each second. */
static void tell(struct agent *a, int rc, const struct lxe_err *err)
{
    if (rc && rc != a->trouble)
        fprintf(stderr, "aerostat-agent: %s\n", err->text);
    if (!rc && a->trouble && a->verbose)
        fprintf(stderr, "aerostat-agent: xenstore takes reports again\n");
    a->trouble = rc;
}

static bool passes(int rc)
{
    return rc == -ENOENT || rc == -EACCES || rc == -EPERM || rc == -ENOSPC ||
           rc == -EAGAIN || rc == -ENODATA;
}

static void end_watch(struct agent *a)
{
    if (a->watch_fd >= 0)
        close(a->watch_fd);
    a->watch_fd = -1;
}

static int connect_keys(struct agent *a, struct lxe_err *err)
{
    int rc = a->xs ? 0 : aero_agent_xs_open(&a->xs, err);

    if (!rc && a->watch_fd < 0)
        a->watch_fd = aero_agent_watch_open(AERO_AGENT_DEVICE);
    return rc;
}

/* @asked  the watch fired: else it is time for a report as well */
static int turn(struct agent *a, bool asked)
{
    struct lxe_err err = { 0 };
    int rc = connect_keys(a, &err);

    if (!rc && !asked)
        rc = report(a, false, &err);
    if (!rc)
        rc = serve(a, &err);
    tell(a, rc, &err);
    if (rc)
        a->last_ns = 0;
    if (rc && !passes(rc)) {
        aero_agent_xs_close(a->xs);
        a->xs = NULL;
    }
    return rc;
}

/* Until a time, or the watch fires. Returns whether that was it. */
static bool wait_until(struct agent *a, uint64_t end_ns, bool watching,
                       const sigset_t *open_mask)
{
    uint64_t left_ns = lxe_less(end_ns, lxe_now_ns());
    struct timespec wait = { (time_t)(left_ns / LXE_NS_PER_SEC),
                             (long)(left_ns % LXE_NS_PER_SEC) };
    struct pollfd p = { .fd = watching ? a->watch_fd : -1, .events = POLLIN };

    if (ppoll(&p, 1, &wait, open_mask) <= 0)
        return false;
    if (!aero_agent_watch_take(a->watch_fd))
        end_watch(a);
    return true;
}

/* One interval. The watch counts once in it, whoever writes the request. */
static void look_and_wait(struct agent *a, const sigset_t *open_mask)
{
    uint64_t end_ns = lxe_now_ns() + a->interval_ms * LXE_NS_PER_MS;

    if (wait_until(a, end_ns, true, open_mask) && !stop) {
        turn(a, true);
        wait_until(a, end_ns, false, open_mask);
    }
    if (!stop)
        turn(a, false);
}

static int run(struct agent *a)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t blocked, open_mask;
    int rc;

    /* Signals come within ppoll() only: none is lost before it. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &open_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS, 0, 0, 0);

    rc = turn(a, false);
    while (!a->once && !stop)
        look_and_wait(a, &open_mask);
    end_watch(a);
    aero_agent_xs_close(a->xs);
    return a->once && rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Asks to be moved, and prints the answer: it comes before the guest moves.
 * Returns the exit status.
 */
static int ask_to_move(struct agent *a)
{
    uint64_t id = (uint64_t)time(NULL), end_ns = lxe_now_ns() + MOVE_NS;
    struct lxe_err err = { 0 };
    char text[512];
    int rc = aero_agent_xs_open(&a->xs, &err);

    if (!rc)
        rc = aero_agent_xs_ask_to_move(a->xs, id, a->move_to, &err);
    while (!rc && lxe_now_ns() < end_ns) {
        lxe_sleep_ns(LXE_NS_PER_SEC / 4);
        rc = aero_agent_xs_move_answer(a->xs, id, text, &err);
    }
    aero_agent_xs_close(a->xs);
    if (rc <= 0) {
        fprintf(stderr, "aerostat-agent: %s\n",
                rc ? err.text : "the host does not answer; does it run"
                                " aerostatd?");
        return EXIT_FAILURE;
    }
    puts(text);
    return strcmp(text, "begun") ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void usage(FILE *to)
{
    fputs("usage: aerostat-agent [--interval DURATION] [--once] [--no-drop]\n"
          "                      [--verbose]\n"
          "       aerostat-agent --migrate-to HOST\n"
          "Tells a Xen host what this guest needs of memory.\n"
          "  -i, --interval DURATION  look this often (1s to 10s; 1s)\n"
          "  -1, --once               report once, answer a request, and end\n"
          "  -n, --no-drop            never drop the page cache\n"
          "  -v, --verbose            print each report\n"
          "  -m, --migrate-to HOST    ask to be moved there, print the answer,"
          " and end\n"
          "  -h, --help, -V, --version\n", to);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(struct agent *a, int argc, char **argv)
{
    static const struct option options[] = {
        { "interval", required_argument, NULL, 'i' },
        { "once", no_argument, NULL, '1' },
        { "no-drop", no_argument, NULL, 'n' },
        { "verbose", no_argument, NULL, 'v' },
        { "migrate-to", required_argument, NULL, 'm' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    struct lxe_err err = { 0 };
    int c;

    while ((c = getopt_long(argc, argv, "i:1nvm:hV", options, NULL)) != -1) {
        switch (c) {
        case 'i':
            if (lxe_parse_duration_ms(optarg, &a->interval_ms, &err)) {
                fprintf(stderr, "aerostat-agent: --interval: %s\n", err.text);
                return 2;
            }
            break;
        case '1':
            a->once = true;
            break;
        case 'n':
            a->no_drop = true;
            break;
        case 'v':
            a->verbose = true;
            break;
        case 'm':
            a->move_to = optarg;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts("aerostat-agent " PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (a->interval_ms < MIN_INTERVAL_MS || a->interval_ms > MAX_INTERVAL_MS) {
        fprintf(stderr, "aerostat-agent: --interval is from 1s to 10s\n");
        return 2;
    }
    if (optind < argc) {
        fprintf(stderr, "aerostat-agent: takes no '%s'; see aerostat-agent"
                " --help\n", argv[optind]);
        return 2;
    }
    return -1;
}

int main(int argc, char **argv)
{
    /* The clock's start makes seq differ from what an earlier run wrote. */
    struct agent a = { .watch_fd = -1, .interval_ms = MIN_INTERVAL_MS,
                       .seq = (uint64_t)time(NULL) };
    int status;

    if (lxe_std_fds_open())
        return EXIT_FAILURE;
    status = parse_options(&a, argc, argv);
    if (status >= 0)
        return status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return a.move_to ? ask_to_move(&a) : run(&a);
}
