/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Speaks to a daemon's control socket for shell tests:
 *
 *     rpc-call SOCKET [METHOD PARAMS]...
 *
 * makes the calls in order on one connection, and prints each result, or
 * "error: " and the daemon's words, as one line. A METHOD of "hold" prints
 * "held", and keeps the connection until standard input ends; PARAMS is then
 * for the reader only. One of "flood" asks PARAMS times at once who the daemon
 * is, and prints the answers as they are.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "base/json.h"
#include "base/rpc_client.h"

#define TIMEOUT_MS 30000

static void hold(void)
{
    puts("held");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
}

/* In one write, so that they come within a second on any machine. */
static void flood(struct lxe_rpc *rpc, unsigned long count)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,"
                               "\"method\":\"daemon.info\"}\n";
    size_t len = sizeof(line) - 1;
    int fd = lxe_rpc_fd(rpc);
    char *all = malloc(count * len), answer[4096];
    ssize_t n;

    for (size_t i = 0; all && i < count; i++)
        memcpy(all + i * len, line, len);
    if (!all || lxe_write_all(fd, all, count * len))
        count = 0;
    free(all);
    while (count && (n = read(fd, answer, sizeof(answer))) > 0) {
        for (ssize_t i = 0; i < n && count; i++)
            count -= answer[i] == '\n';
        fwrite(answer, 1, (size_t)n, stdout);
    }
}

static void print_result(const struct lxe_json *response)
{
    struct lxe_jw *w = lxe_jw_new(false);
    const char *text;
    size_t len;

    lxe_jw_tree(w, NULL, lxe_json_get(response, "result"));
    text = lxe_jw_text(w, &len);
    puts(text ? text : "out of memory");
    lxe_jw_free(w);
}

/* Returns whether the daemon gave a result. */
static bool call(struct lxe_rpc *rpc, const char *method, const char *params)
{
    struct lxe_json *tree = NULL, *response = NULL;
    struct lxe_err err = { 0 };
    struct lxe_jw *w;
    int rc;

    if (lxe_json_parse(params, strlen(params), &tree, &err)) {
        fprintf(stderr, "rpc-call: %s: %s\n", params, err.text);
        exit(2);
    }
    w = lxe_jw_new(false);
    lxe_jw_tree(w, NULL, tree);
    rc = lxe_rpc_call(rpc, method, w, TIMEOUT_MS, &response, &err);
    if (rc)
        printf("error: %s\n", err.text);
    else
        print_result(response);
    fflush(stdout);
    lxe_jw_free(w);
    lxe_json_free(tree);
    lxe_json_free(response);
    return rc == 0;
}

int main(int argc, char **argv)
{
    struct lxe_err err = { 0 };
    struct lxe_rpc *rpc;
    bool good = true;

    if (argc < 2 || argc % 2) {
        fputs("usage: rpc-call SOCKET [METHOD PARAMS]...\n", stderr);
        return 2;
    }
    if (lxe_rpc_open(argv[1], &rpc, &err)) {
        printf("error: %s\n", err.text);
        return EXIT_FAILURE;
    }
    for (int i = 2; i < argc; i += 2) {
        if (!strcmp(argv[i], "hold"))
            hold();
        else if (!strcmp(argv[i], "flood"))
            flood(rpc, strtoul(argv[i + 1], NULL, 10));
        else
            good = call(rpc, argv[i], argv[i + 1]) && good;
    }
    lxe_rpc_close(rpc);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
