/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostat-receive: options and wiring. aerostat-migrate starts it by ssh. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "receive.h"

#define PROGRAM "aerostat-receive"

static void usage(FILE *f)
{
    fputs("Usage: " PROGRAM " [--debug] [--verbose]\n"
          "Takes in a guest that aerostat-migrate sends over stdin and"
          " stdout.\nFor a stock `xl migrate`, run `xl migrate-receive`"
          " instead.\n\n"
          "  -d, --debug     the source verifies what it sent\n"
          "  -v, --verbose   say more\n"
          "  -h, --help, -V, --version\n", f);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "debug", no_argument, NULL, 'd' },
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
    int opt, status;

    while ((opt = getopt_long(argc, argv, "dvhV", options, NULL)) != -1) {
        switch (opt) {
        case 'd':
            config.debug = true;
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
    status = mig_receive_run(&config);
    lxe_log_close();
    return status;
}
