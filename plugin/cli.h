/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of xl-aerostat share: how a verb is described, how the
 * daemon is asked, and how its answers are read. An answer is not trusted:
 * what is missing or of a wrong type reads as unknown.
 */
#ifndef AERO_CLI_H
#define AERO_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "cli_text.h"

#define AERO_CLI_NAME "xl-aerostat"

/* Exit statuses of every verb. */
enum aero_exit {
    AERO_EXIT_OK = 0,
    AERO_EXIT_FAILED = 1,
    AERO_EXIT_USAGE = 2,
};

/* The global options, as given before the verb. */
struct aero_cli {
    const char *socket; /* NULL: $AEROSTAT_SOCKET, else the built-in path */
    int verbose;        /* times -v was given */
};

struct aero_verb {
    const char *name;
    /* argv[0] names program and verb. Returns an exit status. */
    int (*run)(const struct aero_cli *cli, int argc, char **argv);
    const char *help;    /* one line, without a full stop */
    const char *usage;   /* what follows the verb */
    const char *options; /* a paragraph, or NULL */
};

/* Says on stderr what is wrong. Returns AERO_EXIT_FAILED. */
int aero_cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says what is wrong with the arguments. Returns AERO_EXIT_USAGE. */
int aero_cli_usage(const char *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Says where the arguments are described; what is wrong with them was said,
 * as by getopt. Returns AERO_EXIT_USAGE.
 * @verb  NULL for none
 */
int aero_cli_see_help(const char *verb);

/*
 * Parses the options of a verb that has but --json; its arguments are from
 * argv[optind] on. Returns 0, or AERO_EXIT_USAGE after getopt has said why.
 */
int aero_cli_json_option(const char *verb, int argc, char **argv, bool *json);

/*
 * Parses the arguments of a verb that takes nothing but --json.
 * Returns 0, or AERO_EXIT_USAGE after saying what is wrong.
 */
int aero_cli_only_json(const char *verb, int argc, char **argv, bool *json);

/*
 * Asks the daemon one thing over a connection of its own.
 * @params    NULL for none; freed
 * @response  gets the response; the caller frees it with lxe_json_free()
 * Returns its "result", an object; NULL after telling the user why not.
 */
const struct lxe_json *aero_cli_call(const struct aero_cli *cli,
                                     const char *method,
                                     struct lxe_jw *params,
                                     struct lxe_json **response);

/* Prints a tree, indented, to stdout. Returns an exit status. */
int aero_cli_print_json(const struct lxe_json *node);

/* Prints what was written, safe for a terminal. Returns an exit status. */
int aero_cli_print_writer(struct lxe_jw *w);

/* Flushes stdout: AERO_EXIT_OK, or AERO_EXIT_FAILED after saying why. */
int aero_cli_finish(void);

/*
 * Members as table cells: NULL, which a table shows as "-", where the member
 * is missing or of another type. @buf has AERO_SIZE_TEXT bytes.
 */
const char *aero_cli_size(const struct lxe_json *object, const char *key,
                          char *buf);
const char *aero_cli_number(const struct lxe_json *object, const char *key,
                            char *buf);

/* The member as text fit for a terminal, or "-". The caller frees it. */
char *aero_cli_text(const struct lxe_json *object, const char *key);

#endif
