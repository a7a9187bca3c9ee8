/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostat-receive: options and wiring. aerostat-migrate starts it by ssh. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/std_fds.h"
#include "base/units.h"
#include "journal.h"
#include "probe_serve.h"
#include "receive.h"

#define PROGRAM    "aerostat-receive"
#define EXIT_USAGE 2
#define IDLE_ENV   "AEROSTAT_IDLE_TIMEOUT"
#define IDLE_S     600
#define IDLE_MIN_S 180 /* a source is silent while it frees page cache */

static void usage(FILE *f)
{
    fputs("Usage: " PROGRAM " [--debug] [--idle-timeout DURATION] [--probe]"
          " [--verbose]\n"
          "Takes in a guest that aerostat-migrate sends over stdin and"
          " stdout.\nFor a stock `xl migrate`, run `xl migrate-receive`"
          " instead.\n\n"
          "  -d, --debug     the source verifies what it sent\n"
          "  -t, --idle-timeout DURATION   give up where nothing came for so"
          " long\n                  (10m; 3m at least, or 0: never)\n"
          "  -p, --probe     print what a source that asks is told, as JSON\n"
          "  -v, --verbose   say more\n"
          "  -h, --help, -V, --version\n", f);
}

static int print_probe(void)
{
    static const struct mig_probe_request nobody;
    struct mig_probe_answer answer;
    char line[MIG_HELLO_MAX_LINE];

    mig_probe_look(&nobody, &answer);
    if (mig_probe_write_answer(&answer, line) || fputs(line, stdout) < 0 ||
        fflush(stdout)) {
        lxe_error("cannot print the answer: %m");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* @from  where the text is from, to name it */
static int set_idle(const char *from, const char *text,
                    struct mig_receive_config *config)
{
    struct lxe_err err = { 0 };
    uint64_t ms;
    int rc = lxe_parse_duration_ms(text, &ms, &err);

    if (!rc && ms && ms < IDLE_MIN_S * 1000)
        rc = lxe_fail(&err, -ERANGE, "%s is less than %d s; a source may be"
                      " silent for so long", text, IDLE_MIN_S);
    if (rc)
        fprintf(stderr, PROGRAM ": %s: %s\n", from, err.text);
    else
        config->idle_ns = ms * LXE_NS_PER_MS;
    return rc;
}

struct options {
    struct mig_receive_config config;
    xentoollog_level level;
    bool probe;
};

/* Returns -1 to go on, or an exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "debug", no_argument, NULL, 'd' },
        { "idle-timeout", required_argument, NULL, 't' },
        { "probe", no_argument, NULL, 'p' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *idle = getenv(IDLE_ENV), *from = IDLE_ENV;
    int opt;

    while ((opt = getopt_long(argc, argv, "dt:pvhV", options, NULL)) != -1) {
        switch (opt) {
        case 'd':
            o->config.debug = true;
            break;
        case 't':
            idle = optarg;
            from = "--idle-timeout";
            break;
        case 'p':
            o->probe = true;
            break;
        case 'v':
            o->level = XTL_DEBUG;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts(PROGRAM " " PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        fprintf(stderr, PROGRAM ": takes no '%s'; see " PROGRAM " --help\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    return idle && set_idle(from, idle, &o->config) ? EXIT_USAGE : -1;
}

int main(int argc, char **argv)
{
    const char *xl = getenv("AEROSTAT_XL");
    struct options o = {
        .config = {
            .in_fd = STDIN_FILENO,
            .out_fd = STDOUT_FILENO,
            .xl = xl ? xl : "xl",
            .idle_ns = IDLE_S * LXE_NS_PER_SEC,
            .journal_dir = MIG_JOURNAL_DIR,
        },
        .level = XTL_NOTICE,
    };
    int status;

    if (lxe_std_fds_open())
        return EXIT_FAILURE;
    status = parse_options(argc, argv, &o);
    if (status >= 0)
        return status;
    signal(SIGPIPE, SIG_IGN);
    if (lxe_log_open(PROGRAM, o.level, false))
        return EXIT_FAILURE;
    status = o.probe ? print_probe() : mig_receive_run(&o.config);
    lxe_log_close();
    return status;
}
