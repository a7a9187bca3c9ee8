/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/rpc_client.h"

/* The daemon answers these at once; a hung one must not hang us. */
#define TIMEOUT_MS 10000

/* What failed may quote a hostile name, so it is escaped as a whole. */
static void say(const char *fmt, va_list args)
    __attribute__((format(printf, 1, 0)));

static void say(const char *fmt, va_list args)
{
    _cleanup_free_ char *raw = NULL;
    _cleanup_free_ char *text = NULL;

    if (vasprintf(&raw, fmt, args) < 0)
        raw = NULL;
    text = raw ? aero_text_escape(raw) : NULL;
    fprintf(stderr, AERO_CLI_NAME ": %s\n", text ? text : "out of memory");
}

int aero_cli_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return AERO_EXIT_FAILED;
}

int aero_cli_see_help(const char *verb)
{
    fprintf(stderr, "See '" AERO_CLI_NAME " help%s%s'.\n", verb ? " " : "",
            verb ? verb : "");
    return AERO_EXIT_USAGE;
}

int aero_cli_usage(const char *verb, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return aero_cli_see_help(verb);
}

int aero_cli_json_option(const char *verb, int argc, char **argv, bool *json)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int opt;

    *json = false;
    optind = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'j')
            return aero_cli_see_help(verb);
        *json = true;
    }
    return 0;
}

int aero_cli_only_json(const char *verb, int argc, char **argv, bool *json)
{
    int rc = aero_cli_json_option(verb, argc, argv, json);

    if (rc)
        return rc;
    if (optind < argc)
        return aero_cli_usage(verb, "%s takes no argument '%s'", verb,
                              argv[optind]);
    return 0;
}

static int call(const struct aero_cli *cli, const char *method,
                struct lxe_jw *params, struct lxe_json **response,
                struct lxe_err *err)
{
    struct lxe_rpc *rpc;
    int rc = lxe_rpc_open(cli->socket, &rpc, err);

    if (rc)
        return rc;
    rc = lxe_rpc_call(rpc, method, params, TIMEOUT_MS, response, err);
    lxe_rpc_close(rpc);
    return rc;
}

const struct lxe_json *aero_cli_call(const struct aero_cli *cli,
                                     const char *method,
                                     struct lxe_jw *params,
                                     struct lxe_json **response)
{
    const struct lxe_json *result;
    struct lxe_err err = { 0 };
    int rc = call(cli, method, params, response, &err);

    lxe_jw_free(params);
    if (rc) {
        aero_cli_fail("%s", err.text);
        return NULL;
    }
    result = lxe_json_get(*response, "result");
    if (lxe_json_type(result) != LXE_JSON_OBJECT) {
        aero_cli_fail("aerostatd's answer to %s is %s, not an object", method,
                      lxe_json_type_name(lxe_json_type(result)));
        lxe_json_free(*response);
        *response = NULL;
        return NULL;
    }
    return result;
}

/*
 * JSON leaves DEL and the C1 control characters (U+0080 to U+009F, in UTF-8
 * C2 80 to C2 9F) as they are, and terminals obey them: write their escapes.
 */
static void print_json_text(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < len; i++) {
        bool c1 = p[i] == 0xc2 && i + 1 < len && p[i + 1] >= 0x80 &&
                  p[i + 1] <= 0x9f;

        if (c1)
            printf("\\u%04x", p[++i]);
        else if (p[i] == 0x7f)
            printf("\\u007f");
        else
            putchar(p[i]);
    }
    if (len && text[len - 1] != '\n')
        putchar('\n');
}

int aero_cli_print_writer(struct lxe_jw *w)
{
    size_t len = 0;
    const char *text = lxe_jw_text(w, &len);

    if (!text)
        return aero_cli_fail("out of memory");
    print_json_text(text, len);
    return aero_cli_finish();
}

int aero_cli_print_json(const struct lxe_json *node)
{
    struct lxe_jw *w = lxe_jw_new(true);
    int rc;

    if (!w)
        return aero_cli_fail("out of memory");
    lxe_jw_tree(w, NULL, node);
    rc = aero_cli_print_writer(w);
    lxe_jw_free(w);
    return rc;
}

int aero_cli_finish(void)
{
    if (fflush(stdout) || ferror(stdout))
        return aero_cli_fail("cannot write to standard output: %s",
                             strerror(errno));
    return AERO_EXIT_OK;
}

const char *aero_cli_size(const struct lxe_json *object, const char *key,
                          char *buf)
{
    uint64_t kib;

    if (lxe_json_u64(lxe_json_get(object, key), &kib))
        return NULL;
    return aero_text_size(buf, kib);
}

const char *aero_cli_number(const struct lxe_json *object, const char *key,
                            char *buf)
{
    uint64_t value;

    if (lxe_json_u64(lxe_json_get(object, key), &value))
        return NULL;
    snprintf(buf, AERO_SIZE_TEXT, "%" PRIu64, value);
    return buf;
}

char *aero_cli_text(const struct lxe_json *object, const char *key)
{
    const char *text = lxe_json_str(lxe_json_get(object, key));

    return aero_text_escape(text ? text : "-");
}
