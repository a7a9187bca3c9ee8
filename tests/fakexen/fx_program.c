/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "fx_program.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenguest.h>

#include "base/log.h"
#include "fx_guest.h"
#include "fx_world.h"
#include "save_engine.h"
#include "save_ipc.h"

/* Entries of a directory of /proc; that of reading it is counted each time. */
static unsigned entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void print_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        char path[300], target[200] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
        if (readlink(path, target, sizeof(target) - 1) > 0)
            fprintf(stderr, "  left open: %s -> %s\n", e->d_name, target);
    }
    if (dir)
        closedir(dir);
}

/* ThreadSanitizer starts one with the first. */
#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREADS 1
#else
#define SANITIZER_THREADS 0
#endif

/* Its use is that it cuts a write short. */
static void on_storm(int signal)
{
    (void)signal;
}

/* A thread that was joined is still to be seen for a moment. */
static bool left_behind(unsigned fds, unsigned threads)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    for (int tries = 0; tries < 1000; tries++) {
        if (entries("/proc/self/fd") <= fds &&
            entries("/proc/self/task") <= threads + SANITIZER_THREADS)
            return false;
        nanosleep(&moment, NULL);
    }
    return true;
}

/* The helper keeps one descriptor to its end: what SIGTERM puts in place of
 * the stream. */
static int save_helper(int argc, char **argv)
{
    struct sigaction storm = { .sa_handler = on_storm };
    unsigned fds, threads;
    int status;

    sigaction(SIGUSR1, &storm, NULL);
    fx_world();
    fds = entries("/proc/self/fd") + 1;
    threads = entries("/proc/self/task");
    status = aerostat_save_helper_main(argc, argv);
    if (left_behind(fds, threads)) {
        fprintf(stderr, "fakexen: the helper left descriptors or threads\n");
        print_descriptors();
        return FX_EXIT_LEAK;
    }
    return status;
}

static void open_log(void)
{
    lxe_log_open("fakexen", getenv("FX_VERBOSE") ? XTL_DEBUG : XTL_CRITICAL,
                 false);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* argv: role, stream, domid, flags. libxc's own policy, our IPC. */
static int plain_save(char **argv)
{
    struct lxe_save_job job = {
        .stream_fd = atoi(argv[2]),
        .domid = (uint32_t)atoi(argv[3]),
        .xc_flags = (uint32_t)atoi(argv[4]),
        .callback_bits = 1u << LXE_IPC_SUSPEND |
                         1u << LXE_IPC_SWITCH_QEMU_LOGDIRTY,
    };
    static struct lxe_ipc ipc;
    struct lxe_save_engine *engine;
    struct lxe_ipc_message done = { .number = LXE_IPC_COMPLETE };
    struct lxe_err err = { 0 };
    int answer;

    open_log();
    lxe_ipc_init(&ipc, STDIN_FILENO, STDOUT_FILENO);
    if (lxe_save_engine_open(&job, &ipc, &engine, &err))
        return EXIT_FAILURE;
    if (lxe_save_engine_run(engine, NULL, &err)) {
        done.retval = -1;
        done.complete_errno = -err.code;
    }
    lxe_ipc_call(&ipc, &done, &answer);
    lxe_save_engine_close(engine);
    lxe_log_close();
    return EXIT_SUCCESS;
}

/* argv: role, stream, domid. */
static int restore(char **argv)
{
    uint32_t domid = (uint32_t)atoi(argv[3]);
    unsigned long store, console;
    struct restore_callbacks callbacks = { 0 };
    xc_interface *xch;
    int rc;

    open_log();
    xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);
    if (!xch)
        return EXIT_FAILURE;
    rc = xc_domain_restore(xch, atoi(argv[2]), domid, 1, &store, 0, 2,
                           &console, 0, XC_STREAM_PLAIN, &callbacks, -1);
    if (!rc)
        atomic_store(&fx_domain(domid)->restored_ns, fx_now_ns());
    xc_interface_close(xch);
    lxe_log_close();
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

const char *fx_program_path(void)
{
    static char path[1024];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n < 0)
        abort();
    path[n] = '\0';
    return path;
}

void fx_program_role(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], "--save-domain"))
        exit(save_helper(argc, argv));
    if (argc == 5 && !strcmp(argv[1], FX_ROLE_PLAIN))
        exit(plain_save(argv));
    if (argc == 4 && !strcmp(argv[1], FX_ROLE_RESTORE))
        exit(restore(argv));
    signal(SIGPIPE, SIG_IGN);
}
