/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of the control socket, and a daemon that hangs up on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/rpc_client.h"
#include "unit.h"

static const char too_many[] =
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32004,"
    "\"message\":\"too many clients\"}}\n";

/* Opens a client of a socket that takes it, says this and hangs up. */
static struct lxe_rpc *open_and_hang_up(const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    struct lxe_rpc *rpc = NULL;

    snprintf(address.sun_path, sizeof(address.sun_path),
             "%s/aerostat-rpc.%d",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
    CU_ASSERT_EQUAL_FATAL(bind(server, (struct sockaddr *)&address,
                               sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(server, 1), 0);
    CU_ASSERT_EQUAL_FATAL(lxe_rpc_open(address.sun_path, &rpc, NULL), 0);
    fd = accept(server, NULL, NULL);
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL),
                    (ssize_t)strlen(text));
    close(fd);
    close(server);
    unlink(address.sun_path);
    return rpc;
}

static int call(const char *said, struct lxe_err *err)
{
    struct lxe_rpc *rpc = open_and_hang_up(said);
    struct lxe_json *result = NULL;
    int rc = lxe_rpc_call(rpc, "daemon.info", NULL, 5000, &result, err);

    CU_ASSERT_PTR_NULL(result);
    lxe_rpc_close(rpc);
    return rc;
}

static void its_last_word_is_why(void)
{
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(call(too_many, &err), -ECONNRESET);
    CU_ASSERT_STRING_EQUAL(err.text, "too many clients");
}

static void without_one_it_went_away(void)
{
    static const char *const said[] = { "", "too many", "what\n", "{}\n" };

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(call(said[i], &err), -ECONNRESET);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "went away"));
    }
}

static const struct unit_test tests[] = {
    { "its last word is why", its_last_word_is_why },
    { "without one it went away", without_one_it_went_away },
};

int main(void)
{
    return unit_run("rpc client", tests, sizeof(tests) / sizeof(tests[0]));
}
