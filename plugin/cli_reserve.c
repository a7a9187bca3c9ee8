/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli_reserve.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rpc_client.h"
#include "base/units.h"
#include "cli_create.h"
#include "cli_run.h"
#include "host.h"
#include "reservations.h"

#define TIMEOUT_MS 60000
#define MARGIN_MS  10000 /* beyond it the daemon does not answer at all */
#define SAY_MS     1000  /* what is free is held within a tick, 250 ms */

struct reserve_args {
    uint64_t kib, max_kib, timeout_ms;
    uint64_t node; /* LXE_UNKNOWN where none was given */
    char *domain; /* whom it is for, and whom it follows */
    char **command;
    bool for_create;
    bool json;
};

/* ---- arguments ---- */

/* Reads SIZE or SIZE..MAX. */
static int parse_range(const char *text, struct reserve_args *args)
{
    const char *dots = strstr(text, "..");
    _cleanup_free_ char *least = strndup(text, dots ? (size_t)(dots - text)
                                                    : strlen(text));
    struct lxe_err err = { 0 };

    if (!least)
        return aero_cli_fail("out of memory");
    if (lxe_parse_size_kib(least, &args->kib, &err) ||
        (dots && lxe_parse_size_kib(dots + 2, &args->max_kib, &err)))
        return aero_cli_usage("mem-reserve", "%s", err.text);
    if (!args->kib)
        return aero_cli_usage("mem-reserve", "nothing to reserve");
    if (!dots)
        args->max_kib = args->kib;
    if (args->max_kib < args->kib)
        return aero_cli_usage("mem-reserve", "%s: the end is below the"
                              " beginning", text);
    return 0;
}

static int parse_timeout(const char *text, struct reserve_args *args)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_duration_ms(text, &args->timeout_ms, &err))
        return aero_cli_usage("mem-reserve", "--timeout: %s", err.text);
    if (args->timeout_ms > AERO_RESERVE_MAX_MS)
        return aero_cli_usage("mem-reserve", "--timeout: '%s' is more than"
                              " %u minutes", text, AERO_RESERVE_MAX_MS / 60000);
    return 0;
}

static int parse_node(const char *text, struct reserve_args *args)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_u64(text, 0, LXE_NODES_MAX - 1, &args->node, &err))
        return aero_cli_usage("mem-reserve", "--node: %s", err.text);
    return 0;
}

static int set_domain(struct reserve_args *args, const char *name)
{
    free(args->domain);
    args->domain = strdup(name);
    return args->domain ? 0 : aero_cli_fail("out of memory");
}

/* What is left after the options: SIZE [-- COMMAND...], or the command. */
static int parse_rest(int argc, char **argv, struct reserve_args *args)
{
    char **rest = argv + optind;
    int n = argc - optind;

    if (args->for_create) {
        args->command = rest;
        return n ? 0 : aero_cli_usage("mem-reserve",
                                      "--for-create needs a command");
    }
    if (!n)
        return aero_cli_usage("mem-reserve", "how much? Give a SIZE");
    if (n > 1 && !strcmp(rest[1], "--")) {
        if (n == 2)
            return aero_cli_usage("mem-reserve", "no command after --");
        args->command = rest + 2;
    } else if (n > 1) {
        return aero_cli_usage("mem-reserve", "unexpected '%s'; a command"
                              " stands behind --", rest[1]);
    }
    return parse_range(rest[0], args);
}

static int parse_args(int argc, char **argv, struct reserve_args *args)
{
    static const struct option options[] = {
        { "timeout", required_argument, NULL, 't' },
        { "domain", required_argument, NULL, 'd' },
        { "node", required_argument, NULL, 'n' },
        { "for-create", no_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int opt, rc = 0;

    optind = 0;
    /* '+': what stands behind SIZE is the command's. */
    while (!rc && (opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (opt == 't')
            rc = parse_timeout(optarg, args);
        else if (opt == 'd')
            rc = set_domain(args, optarg);
        else if (opt == 'n')
            rc = parse_node(optarg, args);
        else if (opt == 'c')
            args->for_create = true;
        else if (opt == 'j')
            args->json = true;
        else
            rc = aero_cli_see_help("mem-reserve");
    }
    return rc ? rc : parse_rest(argc, argv, args);
}

/* ---- the reservation ---- */

static struct lxe_jw *params_of(const struct reserve_args *args)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return NULL;
    lxe_jw_object(w);
    lxe_jw_u64(w, "kib", args->kib);
    if (args->max_kib > args->kib)
        lxe_jw_u64(w, "max_kib", args->max_kib);
    lxe_jw_u64(w, "timeout_ms", args->timeout_ms);
    if (args->node != LXE_UNKNOWN)
        lxe_jw_u64(w, "node", args->node);
    if (args->domain) {
        lxe_jw_str(w, "domain", args->domain);
        lxe_jw_bool(w, "follow", true);
    }
    lxe_jw_end_object(w);
    return w;
}

static void say_waiting(void *data)
{
    const struct reserve_args *args = data;
    _cleanup_free_ char *who =
        aero_text_escape(args->domain ? args->domain : "you");
    char size[LXE_UNIT_TEXT];

    fprintf(stderr, "waiting for %s of memory for %s, up to %" PRIu64
            " s\n", lxe_format_kib(size, args->kib), who ? who : "you",
            args->timeout_ms / 1000);
}

static int print_held(const struct reserve_args *args,
                      const struct lxe_json *result)
{
    char size[2][AERO_SIZE_TEXT];
    const char *held = aero_cli_size(result, "kib", size[0]);
    const char *there = aero_cli_size(result, "node_free_kib", size[1]);

    if (args->json)
        return aero_cli_print_json(result);
    if (there)
        fprintf(stderr, "node %" PRIu64 " has %s free\n", args->node, there);
    if (args->command) {
        fprintf(stderr, "reserved %s\n", held ? held : "-");
        return 0;
    }
    printf("reserved %s; it is free again when this ends\n",
           held ? held : "-");
    return aero_cli_finish();
}

/* Returns 0 with it held by *rpc, or an exit status. */
static int reserve(struct lxe_rpc *rpc, struct reserve_args *args)
{
    struct lxe_jw *params = params_of(args);
    struct lxe_json *response = NULL;
    struct lxe_err err = { 0 };
    int rc;

    if (!params)
        return aero_cli_fail("out of memory");
    if (!args->json)
        lxe_rpc_when_slow(rpc, SAY_MS, say_waiting, args);
    rc = lxe_rpc_call(rpc, "mem.reserve", params, args->timeout_ms + MARGIN_MS,
                      &response, &err);
    lxe_jw_free(params);
    if (rc)
        return aero_cli_fail("%s", err.text);
    rc = print_held(args, lxe_json_get(response, "result"));
    lxe_json_free(response);
    return rc;
}

/* ---- meanwhile ---- */

/* Until somebody ends us, or the daemon ends. */
static int hold(const struct lxe_rpc *rpc)
{
    struct pollfd fds[2] = { { lxe_rpc_fd(rpc), POLLIN, 0 },
                             { -1, POLLIN, 0 } };
    sigset_t ends;
    int rc;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    fds[1].fd = signalfd(-1, &ends, SFD_CLOEXEC);
    if (fds[1].fd < 0)
        return aero_cli_fail("cannot wait for signals: %s", strerror(errno));
    do
        rc = poll(fds, 2, -1);
    while (rc < 0 && errno == EINTR);
    close(fds[1].fd);
    if (fds[0].revents)
        return aero_cli_fail("aerostatd has ended, and the reservation with"
                             " it");
    return AERO_EXIT_OK;
}

/* Nothing to ask for, or nobody to ask: the command is run all the same. */
static int run_without(char **command, const char *why)
{
    aero_cli_fail("%s; going on without a reservation", why);
    return aero_cli_run(command);
}

static int find_need(struct reserve_args *args, struct lxe_err *err)
{
    int rc;

    free(args->domain);
    args->domain = NULL;
    rc = aero_create_need(args->command, &args->kib, &args->domain, err);
    args->max_kib = args->kib;
    return rc;
}

static int reserve_and_run(const struct aero_cli *cli,
                           struct reserve_args *args)
{
    struct lxe_err err = { 0 };
    struct lxe_rpc *rpc;
    int rc;

    if (args->for_create && find_need(args, &err))
        return run_without(args->command, err.text);
    rc = lxe_rpc_open(cli->socket, &rpc, &err);
    if (rc && args->for_create)
        return run_without(args->command, err.text);
    if (rc)
        return aero_cli_fail("%s", err.text);
    rc = reserve(rpc, args);
    if (!rc)
        rc = args->command ? aero_cli_run(args->command) : hold(rpc);
    lxe_rpc_close(rpc);
    return rc;
}

int aero_cli_mem_reserve(const struct aero_cli *cli, int argc, char **argv)
{
    struct reserve_args args = { .timeout_ms = TIMEOUT_MS,
                                 .node = LXE_UNKNOWN };
    int rc = parse_args(argc, argv, &args);

    if (!rc)
        rc = reserve_and_run(cli, &args);
    free(args.domain);
    return rc;
}
