/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_top.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rpc_client.h"
#include "base/units.h"
#include "cli_table.h"
#include "host.h"
#include "top_screen.h"
#include "top_view.h"

#define VERB       "mem-top"
#define TIMEOUT_MS 1000 /* keys are not heard while the daemon is asked */
#define BAR_CELLS  24   /* in a plain table */
#define DELAY_MIN  100u
#define DELAY_MAX  3600000u

struct args {
    bool batch, json, has_count;
    uint64_t delay_ms, count;
};

struct session {
    const struct aero_cli *cli;
    struct lxe_rpc *rpc; /* NULL: not connected */
    struct lxe_err err;  /* why not */
};

static volatile sig_atomic_t ended_by;

/* ---- asking ---- */

static struct lxe_json *ask_once(struct session *s)
{
    struct lxe_json *response = NULL;

    s->err = (struct lxe_err){ 0 };
    if (!s->rpc && lxe_rpc_open(s->cli->socket, &s->rpc, &s->err)) {
        s->rpc = NULL;
        return NULL;
    }
    if (!lxe_rpc_call(s->rpc, "mem.status", NULL, TIMEOUT_MS, &response,
                      &s->err))
        return response;
    lxe_rpc_close(s->rpc);
    s->rpc = NULL;
    return NULL;
}

/*
 * Connects again where the daemon that was asked before has gone. Returns
 * NULL, with words in s->err.
 */
static struct lxe_json *ask(struct session *s)
{
    bool connected = s->rpc;
    struct lxe_json *response = ask_once(s);

    if (!response && connected && s->err.code != -ETIMEDOUT)
        response = ask_once(s);
    return response;
}

static int take(struct session *s, const struct lxe_json *response,
                struct aero_top *out)
{
    int rc = aero_top_read(lxe_json_get(response, "result"), out);

    if (rc == -EINVAL)
        return lxe_fail(&s->err, rc, "aerostatd's answer has no list of"
                        " domains; does its version fit this program's?");
    return rc ? lxe_fail(&s->err, rc, "out of memory") : 0;
}

/* ---- plain tables ---- */

static const char *size(uint64_t kib, char buf[AERO_SIZE_TEXT])
{
    return kib == LXE_UNKNOWN ? NULL : aero_text_size(buf, kib);
}

/* The texts are escaped already: the table would do it again. */
static void print_guest(const struct aero_top_guest *g, int name_width)
{
    char n[6][AERO_SIZE_TEXT], bar[BAR_CELLS + 1];
    const char *sizes[6] = {
        size(g->current_kib, n[0]), size(g->target_kib, n[1]),
        size(g->min_kib, n[2]),     size(g->max_kib, n[3]),
        size(g->demand_kib, n[4]),  size(g->used_kib, n[5]),
    };

    aero_top_bar(g, BAR_CELLS, bar);
    printf("%s%*s  ", g->name, name_width - (int)aero_text_width(g->name), "");
    if (g->domid == LXE_UNKNOWN)
        printf("%5s", "-");
    else
        printf("%5" PRIu64, g->domid);
    printf("  %-9s", g->state);
    for (int i = 0; i < 6; i++)
        printf(" %7s", sizes[i] ? sizes[i] : "-");
    printf("  %s\n", bar);
}

static void print_time(void)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[32];

    if (localtime_r(&now, &tm) &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
        printf("%s  ", text);
}

static int print_plain(const struct aero_top *top)
{
    char n[4][AERO_SIZE_TEXT];
    const char *s[4] = { size(top->free_kib, n[0]), size(top->total_kib, n[1]),
                         size(top->spare_kib, n[2]),
                         size(top->reserved_kib, n[3]) };
    int width = (int)strlen("DOMAIN");

    print_time();
    printf("host %s: %s of %s free, %s to spare, %s reserved\n", top->state,
           s[0] ? s[0] : "-", s[1] ? s[1] : "-", s[2] ? s[2] : "-",
           s[3] ? s[3] : "-");
    for (size_t i = 0; i < top->warning_count; i++)
        printf("Warning: %s\n", top->warnings[i]);
    for (size_t i = 0; i < top->count; i++)
        if ((int)aero_text_width(top->guests[i].name) > width)
            width = (int)aero_text_width(top->guests[i].name);
    printf("\n%-*s  %5s  %-9s %7s %7s %7s %7s %7s %7s  0 .. MAX\n", width,
           "DOMAIN", "ID", "STATE", "HAS", "TARGET", "MIN", "MAX", "DEMAND",
           "USED");
    for (size_t i = 0; i < top->count; i++)
        print_guest(&top->guests[i], width);
    putchar('\n');
    return aero_cli_finish();
}

static int print_once(struct session *s, const struct args *args)
{
    struct lxe_json *response = ask(s);
    struct aero_top top = { 0 };
    int rc;

    if (!response)
        return aero_cli_fail("%s", s->err.text);
    if (take(s, response, &top))
        rc = aero_cli_fail("%s", s->err.text);
    else if (args->json)
        rc = aero_cli_print_json(lxe_json_get(response, "result"));
    else
        rc = print_plain(&top);
    aero_top_free(&top);
    lxe_json_free(response);
    return rc;
}

static int run_batch(struct session *s, const struct args *args)
{
    int rc = AERO_EXIT_OK;

    for (uint64_t i = 0; !rc && (!args->has_count || i < args->count); i++) {
        if (i)
            lxe_sleep_ns(args->delay_ms * LXE_NS_PER_MS);
        rc = print_once(s, args);
    }
    return rc;
}

/* ---- the terminal ---- */

static void on_signal(int number)
{
    ended_by = number;
}

static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction action = { .sa_handler = on_signal };

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* What was seen last stays, under a word why it is old. */
static void look(struct session *s, struct aero_top *top, char *trouble,
                 size_t room)
{
    struct lxe_json *response = ask(s);
    struct aero_top now = { 0 };
    char *text;

    trouble[0] = '\0';
    if (response && !take(s, response, &now)) {
        aero_top_free(top);
        *top = now;
    } else {
        text = aero_text_escape(s->err.text);
        snprintf(trouble, room, "%s; trying again", text ? text : "no memory");
        free(text);
    }
    lxe_json_free(response);
}

/* Waits for a key or a time. Returns false where the terminal went away. */
static bool wait_for_key(uint64_t until_ns)
{
    uint64_t now_ns = lxe_now_ns();
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    int ms = until_ns > now_ns
                 ? (int)((until_ns - now_ns) / LXE_NS_PER_MS) + 1
                 : 0;

    if (poll(&in, 1, ms) > 0)
        return !(in.revents & (POLLHUP | POLLERR | POLLNVAL));
    return true;
}

static void run_loop(struct session *s, const struct args *args)
{
    struct aero_screen screen = { .order = AERO_TOP_ID };
    struct aero_top top = { 0 };
    char trouble[LXE_ERR_TEXT + 64];
    uint64_t next_ns = 0;
    uint64_t left = args->has_count ? args->count : UINT64_MAX;

    while (!ended_by) {
        if (lxe_now_ns() >= next_ns) {
            if (!left--)
                break;
            look(s, &top, trouble, sizeof(trouble));
            next_ns = lxe_now_ns() + args->delay_ms * LXE_NS_PER_MS;
        }
        aero_screen_draw(&screen, &top, trouble[0] ? trouble : NULL);
        if (ended_by || !wait_for_key(next_ns) ||
            !aero_screen_keys(&screen, &top))
            break;
    }
    aero_top_free(&top);
}

static int run_live(struct session *s, const struct args *args)
{
    struct lxe_err err = { 0 };

    if (aero_screen_open(&err))
        return aero_cli_fail("%s", err.text);
    catch_signals();
    run_loop(s, args);
    aero_screen_close();
    if (ended_by) {
        /* Whoever waits for us shall see what it was. */
        signal(ended_by, SIG_DFL);
        raise(ended_by);
    }
    return AERO_EXIT_OK;
}

/* ---- the verb ---- */

static int parse_delay(const char *text, struct args *args)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_duration_ms(text, &args->delay_ms, &err))
        return aero_cli_usage(VERB, "--delay: %s", err.text);
    if (args->delay_ms < DELAY_MIN || args->delay_ms > DELAY_MAX)
        return aero_cli_usage(VERB, "--delay: must be from 100ms to an hour");
    return 0;
}

static int parse_count(const char *text, struct args *args)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_u64(text, 1, UINT32_MAX, &args->count, &err))
        return aero_cli_usage(VERB, "--count: %s", err.text);
    args->has_count = true;
    return 0;
}

static int parse_args(int argc, char **argv, struct args *args)
{
    static const struct option options[] = {
        { "batch", no_argument, NULL, 'b' },
        { "json", no_argument, NULL, 'j' },
        { "delay", required_argument, NULL, 'd' },
        { "count", required_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    int opt, rc = 0;

    optind = 0;
    while (!rc && (opt = getopt_long(argc, argv, "bd:n:", options, NULL)) != -1) {
        if (opt == 'b')
            args->batch = true;
        else if (opt == 'j')
            args->batch = args->json = true;
        else if (opt == 'd')
            rc = parse_delay(optarg, args);
        else if (opt == 'n')
            rc = parse_count(optarg, args);
        else
            rc = aero_cli_see_help(VERB);
    }
    if (!rc && optind < argc)
        rc = aero_cli_usage(VERB, VERB " takes no argument '%s'",
                            argv[optind]);
    return rc;
}

int aero_cli_mem_top(const struct aero_cli *cli, int argc, char **argv)
{
    struct args args = { .delay_ms = 1000 };
    struct session s = { .cli = cli };
    int rc = parse_args(argc, argv, &args);

    if (rc)
        return rc;
    rc = args.batch ? run_batch(&s, &args) : run_live(&s, &args);
    if (s.rpc)
        lxe_rpc_close(s.rpc);
    return rc;
}
