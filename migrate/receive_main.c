/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostat-receive: options and wiring. aerostat-migrate starts it by ssh. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "probe_serve.h"
#include "receive.h"

#define PROGRAM "aerostat-receive"

static void usage(FILE *f)
{
    fputs("Usage: " PROGRAM " [--debug] [--probe] [--verbose]\n"
          "Takes in a guest that aerostat-migrate sends over stdin and"
          " stdout.\nFor a stock `xl migrate`, run `xl migrate-receive`"
          " instead.\n\n"
          "  -d, --debug     the source verifies what it sent\n"
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

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "debug", no_argument, NULL, 'd' },
        { "probe", no_argument, NULL, 'p' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *xl = getenv("AEROSTAT_XL");
    struct mig_receive_config config = {
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .xl = xl ? xl : "xl",
    };
    xentoollog_level level = XTL_NOTICE;
    bool probe = false;
    int opt, status;

    while ((opt = getopt_long(argc, argv, "dpvhV", options, NULL)) != -1) {
        switch (opt) {
        case 'd':
            config.debug = true;
            break;
        case 'p':
            probe = true;
            break;
        case 'v':
            level = XTL_DEBUG;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts(PROGRAM " " PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind != argc) {
        usage(stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (lxe_log_open(PROGRAM, level, false))
        return EXIT_FAILURE;
    status = probe ? print_probe() : mig_receive_run(&config);
    lxe_log_close();
    return status;
}
