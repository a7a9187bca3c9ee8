/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl-aerostat: the subcommands that Aerostat adds to xl. Finds the verb in
 * the table below and runs it; the front (xl.in) hands the same verbs here.
 */
#include <config.h>

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/std_fds.h"
#include "cli.h"
#include "cli_explain.h"
#include "cli_mem.h"
#include "cli_migrate.h"
#include "cli_plan.h"
#include "cli_replay.h"
#include "cli_report.h"
#include "cli_wws.h"
#include "cli_top.h"
#include "cli_reserve.h"

static const struct aero_verb verbs[] = {
    { "mem-status", aero_cli_mem_status,
      "Show what memory each guest has, should have, and why", "[--json]",
      "  --json           print the daemon's answer as JSON\n" },
    { "mem-top", aero_cli_mem_top,
      "Show the memory of all guests, live",
      "[--delay TIME] [--count N] [--batch] [--json]",
      "  -d, --delay TIME look this often (1s)\n"
      "  -n, --count N    look so many times, and end\n"
      "  -b, --batch      print plain tables, one after another\n"
      "  --json           print the daemon's answers as JSON\n" },
    { "mem-policy", aero_cli_mem_policy,
      "Show or change the memory policy of a guest",
      "DOMAIN [--min SIZE] [--max SIZE] [--shares N] [--take-back] [--json]",
      "  --min SIZE       never take it below this\n"
      "  --max SIZE       never give it more than this\n"
      "  --shares N       its weight where memory is short\n"
      "  --take-back      balance it again though another balancer did\n"
      "  --json           print the daemon's answer as JSON\n"
      "\nSIZE is 512M, 2G or 4096K; a bare number is MiB. Without options the\n"
      "policy is shown. A change lasts until aerostatd or the domain ends.\n" },
    { "mem-explain", aero_cli_mem_explain,
      "Show why a guest has what it has: its last decisions",
      "DOMAIN [--json]",
      "  --json           print the daemon's answer as JSON\n" },
    { "mem-replay", aero_cli_mem_replay,
      "Run a log of decisions through the policy of this version",
      "FILE [--set KEY=VALUE]... [--all] [--json]",
      "  --set KEY=VALUE  an input for all; DOMAIN.KEY=VALUE for one guest\n"
      "  --all            list every difference\n"
      "  --json           print the outcome as JSON\n"
      "\nFILE is a daemon's decisions.jsonl; - is standard input. Exits with 3\n"
      "where targets differ and nothing was set.\n" },
    { "mem-reserve", aero_cli_mem_reserve,
      "Keep memory of the host free, for a command or until stopped",
      "[OPTIONS] SIZE[..MAX] [-- COMMAND [ARGUMENTS]]",
      "  --timeout DUR    wait for it at most so long (60s)\n"
      "  --domain NAME    for a domain that will be created with this name\n"
      "  --node N         of NUMA node N\n"
      "  --for-create     for the 'xl create' that is the command; no SIZE\n"
      "  --json           print the daemon's answer as JSON\n"
      "\nSIZE is 512M, 2G or 4096K; a bare number is MiB. What is beyond it, up\n"
      "to MAX, is had as far as no guest needs it. The memory is given back\n"
      "when the command ends, or this one is stopped.\n" },
    { "migrate-plan", aero_cli_migrate_plan,
      "Say what a migration would cost, or why not to make it",
      "[OPTIONS] DOMAIN HOST",
      "  -s, --transport CMD  how to reach HOST (ssh); '' makes HOST the\n"
      "                       whole command\n"
      "  --max-rate RATE, --max-downtime DUR and the other limits of\n"
      "                       aerostat-migrate(8), --no-page-cache, --margin\n"
      "  --measure-wire       send for two seconds to see how fast it goes\n"
      "  --wire-rate RATE     it is this fast\n"
      "  --duration DUR       watch the guest for so long (10s to 32s)\n"
      "  --method METHOD      sample (the default), or log-dirty\n"
      "  --wws FILE           do not watch it, take what xl wws measured\n"
      "  --no-target          do not ask HOST\n"
      "  --host NAME          xen, or sim:FILE\n"
      "  --json               print the plan as JSON\n"
      "\nExits with 3 where the guest should not, or cannot, be moved.\n" },
    { "migrate-live", aero_cli_migrate_live,
      "Move a running guest to another host", "[OPTIONS] DOMAIN HOST",
      "The options are those of aerostat-migrate(8):\n"
      "  -s, --transport CMD  how to reach HOST (ssh); '' makes HOST the\n"
      "                       whole command\n"
      "  --max-rate RATE      at most this (500Mbit, 60MB, none)\n"
      "  --max-downtime DUR   suspend for at most this (300ms)\n"
      "  --timeout DUR        end pre-copy after this\n"
      "  --compress LEVEL     pack memory: 1 (fast) to 19, 0 (no), or auto,\n"
      "                       the default: where that pays at the rate\n"
      "  --json               progress as JSON lines\n" },
    { "migrate-cancel", aero_cli_migrate_cancel,
      "End a migration that is under way", "[--json] DOMAIN",
      "  --json           say what came of it as JSON\n"
      "\nReturns once the guest was seen to run here. It is refused from when\n"
      "the target was told to start the guest.\n" },
    { "migrate-rate", aero_cli_migrate_rate,
      "Show or change what all migrations together may send",
      "[RATE] [--json]",
      "  --json           print the daemon's answer as JSON\n"
      "\nRATE is 500Mbit, 60MB (a second), or none. It is shared by weight, and\n"
      "holds at once. A change lasts until aerostatd ends.\n" },
    { "migrate-status", aero_cli_migrate_status,
      "Show the migrations that run now", "[--json]",
      "  --json           print the daemon's answer as JSON\n" },
    { "migrate-report", aero_cli_migrate_report,
      "Show what happened in a migration", "[OPTIONS] [RUN]",
      "  --html FILE      write it as one HTML page with plots; '-' is stdout\n"
      "  --json           print it as JSON\n"
      "  --last N         list so many runs (20)\n"
      "  --dir DIR        look for runs in DIR\n"
      "\nRUN is a run as listed, a domain of which the last run is shown, or a\n"
      "report's file. Without RUN the last runs are listed.\n" },
    { "wws", aero_cli_wws,
      "Measure how much memory a guest writes, and how fast",
      "[OPTIONS] DOMAIN",
      "  --method sample     look at a random sample of its pages (default)\n"
      "  --method log-dirty  let Xen log its writes: exact, but splits its\n"
      "                      superpages, and pauses it for moments\n"
      "  --seconds N         measure for so long (20)\n"
      "  --max-cpu PERCENT   use at most this much of a CPU (5)\n"
      "  --max-pause PERCENT pause the guest at most this much (1)\n"
      "  --json              print all that was measured as JSON\n"
      "  --svg FILE          write a picture\n"
      "  --save FILE         write the curve, for migrate-plan --wws\n"
      "  --host sim:FILE     measure on a simulated host\n" },
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

/* As `xl help` lists its own, so that the front can append it. */
static void list_verbs(FILE *out)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, " %-19s %s\n", verbs[i].name, verbs[i].help);
}

static void print_help(FILE *out)
{
    fprintf(out, "Usage: " AERO_CLI_NAME " [--socket PATH] VERB [ARGUMENTS]\n"
                 "\nVerbs:\n\n");
    list_verbs(out);
    fprintf(out, " %-19s %s\n", "help [VERB]", "Show this, or a verb's usage");
    fprintf(out, "\nOptions:\n\n"
                 "  --socket PATH    ask the aerostatd that listens there\n"
                 "  -v               say more (of migrate-live)\n"
                 "  --list-verbs     list the verbs alone\n"
                 "  -h, --help       show this\n"
                 "  --version        show the version\n"
                 "\nxl's own -f, -t and -T are taken and change nothing; -N "
                 "(dry run) is refused.\n");
}

static const struct aero_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *name)
{
    aero_cli_fail("there is no verb '%s'; there are:", name);
    list_verbs(stderr);
    fprintf(stderr, " %-19s %s\n", "help [VERB]",
            "Show all this, or a verb's usage");
    return AERO_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    const struct aero_verb *verb;

    if (argc > 2)
        return aero_cli_usage(NULL, "help takes one verb");
    if (argc < 2) {
        print_help(stdout);
        return aero_cli_finish();
    }
    verb = find_verb(argv[1]);
    if (!verb)
        return unknown_verb(argv[1]);
    printf("Usage: " AERO_CLI_NAME " %s %s\n\n%s.\n\n%s", verb->name,
           verb->usage, verb->help, verb->options);
    printf("\nMore is in xl-%s(1).\n", verb->name);
    return aero_cli_finish();
}

/* What stands behind -- is another command's. */
static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run(const struct aero_cli *cli, int argc, char **argv)
{
    const struct aero_verb *verb;
    _cleanup_free_ char *name = NULL;
    char *help_args[] = { argv[0], argv[0] };

    if (!strcmp(argv[0], "help"))
        return help(argc, argv);
    verb = find_verb(argv[0]);
    if (!verb)
        return unknown_verb(argv[0]);
    if (asks_help(argc, argv))
        return help(2, help_args);
    if (asprintf(&name, AERO_CLI_NAME " %s", verb->name) < 0) {
        name = NULL;
        return aero_cli_fail("out of memory");
    }
    argv[0] = name; /* getopt's messages begin with it */
    return verb->run(cli, argc, argv);
}

enum { OPT_SOCKET = 256, OPT_VERSION, OPT_LIST };

static int dry_run(void)
{
    return aero_cli_usage(NULL, "-N (dry run) is not known to Aerostat's "
                                "verbs; nothing was done");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "socket", required_argument, NULL, OPT_SOCKET },
        { "version", no_argument, NULL, OPT_VERSION },
        { "list-verbs", no_argument, NULL, OPT_LIST },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct aero_cli cli = { 0 };
    int opt;

    if (lxe_std_fds_open())
        return AERO_EXIT_FAILED;
    setlocale(LC_CTYPE, "");
    while ((opt = getopt_long(argc, argv, "+hvfNtT", options, NULL)) != -1) {
        switch (opt) {
        case OPT_SOCKET:
            cli.socket = optarg;
            break;
        case OPT_VERSION:
            puts(AERO_CLI_NAME " " PACKAGE_VERSION);
            return aero_cli_finish();
        case OPT_LIST:
            list_verbs(stdout);
            return aero_cli_finish();
        case 'h':
            print_help(stdout);
            return aero_cli_finish();
        case 'v':
            cli.verbose++;
            break;
        case 'N':
            return dry_run();
        case 'f': /* xl's: force, carriage returns and time stamps */
        case 't':
        case 'T':
            break;
        default:
            return aero_cli_see_help(NULL);
        }
    }
    if (optind == argc) {
        print_help(stderr);
        return AERO_EXIT_USAGE;
    }
    return run(&cli, argc - optind, argv + optind);
}
