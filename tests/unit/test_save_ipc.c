/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "save_ipc.h"
#include "unit.h"

static uint8_t buf[2 + LXE_IPC_MAX_BODY];

static int decode(size_t len, struct lxe_ipc_message *out)
{
    uint16_t body;

    memcpy(&body, buf, sizeof(body));
    CU_ASSERT_EQUAL(body + sizeof(body), len);
    return lxe_ipc_decode(buf + sizeof(body), body, out, NULL);
}

static void test_round_trips(void)
{
    struct lxe_ipc_message log = { .number = LXE_IPC_LOG, .level = 3,
                                   .errnoval = 11, .context = "xc",
                                   .text = "hello" };
    struct lxe_ipc_message progress = { .number = LXE_IPC_PROGRESS,
                                        .context = "", .text = "Frames",
                                        .done = 7, .total = 9 };
    struct lxe_ipc_message qemu = { .number = LXE_IPC_SWITCH_QEMU_LOGDIRTY,
                                    .domid = 5, .enable = 1 };
    struct lxe_ipc_message complete = { .number = LXE_IPC_COMPLETE,
                                        .retval = -1, .complete_errno = 32 };
    struct lxe_ipc_message out;

    CU_ASSERT_EQUAL(decode(lxe_ipc_encode(&log, buf), &out), 0);
    CU_ASSERT_EQUAL(out.level, 3);
    CU_ASSERT_EQUAL(out.errnoval, 11);
    CU_ASSERT_STRING_EQUAL(out.context, "xc");
    CU_ASSERT_STRING_EQUAL(out.text, "hello");
    CU_ASSERT_EQUAL(decode(lxe_ipc_encode(&progress, buf), &out), 0);
    CU_ASSERT_STRING_EQUAL(out.context, "");
    CU_ASSERT_EQUAL(out.done, 7);
    CU_ASSERT_EQUAL(out.total, 9);
    CU_ASSERT_EQUAL(decode(lxe_ipc_encode(&qemu, buf), &out), 0);
    CU_ASSERT_EQUAL(out.domid, 5);
    CU_ASSERT_EQUAL(out.enable, 1);
    CU_ASSERT_EQUAL(decode(lxe_ipc_encode(&complete, buf), &out), 0);
    CU_ASSERT_EQUAL(out.retval, -1);
    CU_ASSERT_EQUAL(out.complete_errno, 32);
}

/* The bytes that libxl 4.17's own generated code would send. */
static void test_known_bytes(void)
{
    static const uint8_t suspend[] = { 2, 0, 3, 0 };
    static const uint8_t log[] = { 17, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0,
                                   1, 0, 0, 0, 0 };
    struct lxe_ipc_message msg = { .number = LXE_IPC_SUSPEND };

    CU_ASSERT_EQUAL(lxe_ipc_encode(&msg, buf), sizeof(suspend));
    CU_ASSERT_EQUAL(memcmp(buf, suspend, sizeof(suspend)), 0);
    msg = (struct lxe_ipc_message){ .number = LXE_IPC_LOG, .level = 2,
                                    .context = "", .text = "x" };
    CU_ASSERT_EQUAL(lxe_ipc_encode(&msg, buf), sizeof(log) + 6);
    CU_ASSERT_EQUAL(memcmp(buf + 2, log + 2, sizeof(log) - 2), 0);
}

static void test_cuts_long_text(void)
{
    struct lxe_ipc_message msg = { .number = LXE_IPC_LOG, .context = "c" };
    struct lxe_ipc_message out;
    char *text = malloc(100000);

    memset(text, 'a', 99999);
    text[99999] = '\0';
    msg.text = text;
    CU_ASSERT_EQUAL(decode(lxe_ipc_encode(&msg, buf), &out), 0);
    CU_ASSERT_TRUE(strlen(out.text) > 30000);
    free(text);
}

/* In a buffer of its exact size, so that a read beyond it is seen. */
static void test_survives_damage(void)
{
    struct lxe_ipc_message msg = { .number = LXE_IPC_LOG, .context = "ctx",
                                   .text = "some text" };
    uint64_t seed = unit_seed();

    for (int i = 0; i < 20000; i++) {
        size_t len = lxe_ipc_encode(&msg, buf) - 2;
        size_t cut = unit_below(&seed, len + 1);
        uint8_t *body = malloc(cut ? cut : 1);
        struct lxe_ipc_message out;
        int rc;

        memcpy(body, buf + 2, cut);
        if (cut && i % 2)
            body[unit_below(&seed, cut)] ^= (uint8_t)unit_random(&seed);
        rc = lxe_ipc_decode(body, cut, &out, NULL);
        if (cut < len && !(i % 2))
            CU_ASSERT_NOT_EQUAL(rc, 0);
        if (!rc && out.text)
            CU_ASSERT_TRUE(strlen(out.text) < cut);
        free(body);
    }
}

static void test_calls(void)
{
    struct lxe_ipc *ipc = malloc(sizeof(*ipc));
    struct lxe_ipc_message msg = { .number = LXE_IPC_SUSPEND };
    int to[2], from[2], answer = 0, sent = 1;

    CU_ASSERT_EQUAL_FATAL(pipe(to), 0);
    CU_ASSERT_EQUAL_FATAL(pipe(from), 0);
    lxe_ipc_init(ipc, to[0], from[1]);
    CU_ASSERT_EQUAL(write(to[1], &sent, sizeof(sent)), sizeof(sent));
    CU_ASSERT_EQUAL(lxe_ipc_call(ipc, &msg, &answer), 0);
    CU_ASSERT_EQUAL(answer, 1);
    CU_ASSERT_EQUAL(read(from[0], buf, 16), 4);
    close(to[1]); /* libxl goes away */
    CU_ASSERT_EQUAL(lxe_ipc_call(ipc, &msg, &answer), -EPIPE);
    close(to[0]);
    close(from[0]);
    close(from[1]);
    free(ipc);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "messages survive the way there", test_round_trips },
        { "the bytes are libxl's", test_known_bytes },
        { "long text is cut", test_cuts_long_text },
        { "damage is refused, never overread", test_survives_damage },
        { "calls get their answer, or the end", test_calls },
    };

    return unit_run("save_ipc", tests, sizeof(tests) / sizeof(tests[0]));
}
