/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handshake.h"

#include <errno.h>
#include <string.h>

#include "base/shown.h"
#include "xl_stream.h"

#define GREETING_MS 60000 /* ssh may ask for a password */
#define ANSWER_MS   90000 /* the target may have to squeeze its guests */

/* ---- the hello ---- */

static int say_hello(struct mig_transport *t, const struct mig_hello *hello,
                     struct mig_greeting *out, struct lxe_err *err)
{
    struct mig_hello_answer answer;
    char line[MIG_HELLO_MAX_LINE];
    int rc = mig_hello_write(hello, line);

    if (rc)
        return lxe_fail(err, rc, "out of memory");
    rc = mig_transport_write(t, line, strlen(line), "the hello",
                             GREETING_MS, err);
    if (!rc)
        rc = mig_transport_read_line(t, line, sizeof(line),
                                     "the target's answer", ANSWER_MS, err);
    if (!rc)
        rc = mig_hello_parse_answer(line, &answer, err);
    if (rc)
        return rc;
    if (*answer.refusal) {
        lxe_make_shown(answer.refusal);
        return lxe_fail(err, -EREMOTEIO, "the target refuses: %s",
                        answer.refusal);
    }
    out->packed = hello->packed && answer.packed;
    out->reserved_kib = answer.reserved_kib;
    out->gives_back = answer.gives_back;
    return 0;
}

static int expect_banner(const char *line, struct lxe_err *err)
{
    if (strncmp(line, lxe_xl_banner.text, lxe_xl_banner.len - 1) ||
        line[lxe_xl_banner.len - 1])
        return lxe_fail(err, -EPROTO, "the target did not start a receiver;"
                        " try the command by hand");
    return 0;
}

static int cannot_unpack(const struct mig_greeting *greeting,
                         struct lxe_err *err)
{
    return lxe_fail(err, -EOPNOTSUPP, "the target's %s, or leave out"
                    " --compress",
                    greeting->aerostat ? "aerostat-receive cannot unpack;"
                                         " update it"
                                       : "receiver is xl's own, which cannot"
                                         " unpack; install aerostat there");
}

int mig_handshake_begin(struct mig_transport *t,
                        const struct mig_hello *hello, bool must_pack,
                        struct mig_greeting *out, struct lxe_err *err)
{
    char line[256];
    int rc = mig_transport_read_line(t, line, sizeof(line),
                                     "the target's greeting", GREETING_MS,
                                     err);

    *out = (struct mig_greeting){ 0 };
    if (rc)
        return rc;
    out->aerostat = !strcmp(line, MIG_HELLO_GREETING);
    if (out->aerostat)
        rc = say_hello(t, hello, out, err);
    if (!rc && must_pack && hello->packed && !out->packed)
        return cannot_unpack(out, err);
    if (!rc && out->aerostat)
        rc = mig_transport_read_line(t, line, sizeof(line),
                                     "the receiver's banner", GREETING_MS,
                                     err);
    return rc ? rc : expect_banner(line, err);
}

/* ---- the commit ---- */

static int read_message(struct mig_transport *t,
                        const struct lxe_xl_message *m, uint64_t timeout_ms,
                        struct lxe_err *err)
{
    char buf[64];
    int rc = mig_transport_read(t, buf, m->len, m->what, timeout_ms, err);

    if (!rc && memcmp(buf, m->text, m->len))
        rc = lxe_fail(err, -EPROTO, "the target sent something else than %s",
                      m->what);
    return rc;
}

int mig_handshake_ready(struct mig_transport *t, uint64_t timeout_ms,
                        struct lxe_err *err)
{
    return read_message(t, &lxe_xl_ready, timeout_ms, err);
}

/* The target could not start it, destroyed its copy and hands it back. */
static enum mig_outcome take_back(struct mig_transport *t, int code,
                                  uint64_t timeout_ms, struct lxe_err *err)
{
    if (read_message(t, &lxe_xl_go, timeout_ms, err))
        return MIG_UNKNOWN;
    lxe_fail(err, -EREMOTEIO,
             "the target could not start the guest (its status %d) and gave"
             " it back; see xl's log there", code);
    return MIG_FAILED;
}

enum mig_outcome mig_handshake_commit(struct mig_transport *t,
                                      uint64_t timeout_ms,
                                      struct lxe_err *err)
{
    unsigned char code;
    int rc;

    /*
     * A pipe takes so few bytes whole or not at all (PIPE_BUF), so a failure
     * means that nothing is out. Otherwise only the target can tell from here
     * on who has the guest.
     */
    rc = mig_transport_write(t, lxe_xl_go.text, lxe_xl_go.len, lxe_xl_go.what,
                             timeout_ms, err);
    if (rc)
        return rc == -ECANCELED ? MIG_CANCELLED : MIG_FAILED;
    t->cancel_fd = -1;
    if (read_message(t, &lxe_xl_report, timeout_ms, err) ||
        mig_transport_read(t, &code, 1, "the start status", timeout_ms, err))
        return MIG_UNKNOWN;
    return code ? take_back(t, code, timeout_ms, err) : MIG_MOVED;
}
