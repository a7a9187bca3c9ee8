/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save_ipc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_io.h"

/* ---- taking apart ---- */

struct cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static void get(struct cursor *c, void *out, size_t len)
{
    if (c->bad || c->left < len) {
        c->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, c->at, len);
    c->at += len;
    c->left -= len;
}

static const char *get_string(struct cursor *c)
{
    const char *text = (const char *)c->at + sizeof(uint32_t);
    uint32_t len;

    get(c, &len, sizeof(len));
    if (c->bad || !len || len > c->left || text[len - 1]) {
        c->bad = true;
        return NULL;
    }
    c->at += len;
    c->left -= len;
    return text;
}

int lxe_ipc_decode(const uint8_t *body, size_t len,
                   struct lxe_ipc_message *out, struct lxe_err *err)
{
    struct cursor c = { body, len, false };
    uint16_t number;

    *out = (struct lxe_ipc_message){ 0 };
    get(&c, &number, sizeof(number));
    out->number = number;
    switch (number) {
    case LXE_IPC_LOG:
        get(&c, &out->level, sizeof(out->level));
        get(&c, &out->errnoval, sizeof(out->errnoval));
        out->context = get_string(&c);
        out->text = get_string(&c);
        break;
    case LXE_IPC_PROGRESS:
        out->context = get_string(&c);
        out->text = get_string(&c);
        get(&c, &out->done, sizeof(out->done));
        get(&c, &out->total, sizeof(out->total));
        break;
    case LXE_IPC_SUSPEND:
        break;
    case LXE_IPC_SWITCH_QEMU_LOGDIRTY:
        get(&c, &out->domid, sizeof(out->domid));
        get(&c, &out->enable, sizeof(out->enable));
        break;
    case LXE_IPC_COMPLETE:
        get(&c, &out->retval, sizeof(out->retval));
        get(&c, &out->complete_errno, sizeof(out->complete_errno));
        break;
    default:
        return lxe_fail(err, -EPROTO,
                        "save helper: message %u is none that a save sends",
                        (unsigned)number);
    }
    if (c.bad || c.left)
        return lxe_fail(err, -EPROTO,
                        "save helper: message %u of %zu bytes is malformed",
                        (unsigned)number, len);
    return 0;
}

/* ---- putting together ---- */

static void put(uint8_t **at, const void *data, size_t len)
{
    memcpy(*at, data, len);
    *at += len;
}

/* A string may take at most `room` bytes, its length and NUL included. */
static void put_string(uint8_t **at, const char *text, size_t room)
{
    size_t len = text ? strlen(text) : 0;
    uint32_t with_nul;

    if (len > room - sizeof(with_nul) - 1)
        len = room - sizeof(with_nul) - 1;
    with_nul = (uint32_t)len + 1;
    put(at, &with_nul, sizeof(with_nul));
    put(at, text ? text : "", len);
    put(at, "", 1);
}

size_t lxe_ipc_encode(const struct lxe_ipc_message *msg, uint8_t *buf)
{
    enum { CONTEXT_ROOM = 1024, TEXT_ROOM = 32768 };
    uint8_t *at = buf + sizeof(uint16_t);
    uint16_t number = (uint16_t)msg->number, len;

    put(&at, &number, sizeof(number));
    switch (msg->number) {
    case LXE_IPC_LOG:
        put(&at, &msg->level, sizeof(msg->level));
        put(&at, &msg->errnoval, sizeof(msg->errnoval));
        put_string(&at, msg->context, CONTEXT_ROOM);
        put_string(&at, msg->text, TEXT_ROOM);
        break;
    case LXE_IPC_PROGRESS:
        put_string(&at, msg->context, CONTEXT_ROOM);
        put_string(&at, msg->text, TEXT_ROOM);
        put(&at, &msg->done, sizeof(msg->done));
        put(&at, &msg->total, sizeof(msg->total));
        break;
    case LXE_IPC_SWITCH_QEMU_LOGDIRTY:
        put(&at, &msg->domid, sizeof(msg->domid));
        put(&at, &msg->enable, sizeof(msg->enable));
        break;
    case LXE_IPC_COMPLETE:
        put(&at, &msg->retval, sizeof(msg->retval));
        put(&at, &msg->complete_errno, sizeof(msg->complete_errno));
        break;
    default: /* the others have no arguments */
        break;
    }
    len = (uint16_t)(at - buf - sizeof(len));
    memcpy(buf, &len, sizeof(len));
    return (size_t)(at - buf);
}

/* ---- talking ---- */

void lxe_ipc_init(struct lxe_ipc *ipc, int in_fd, int out_fd)
{
    ipc->in_fd = in_fd;
    ipc->out_fd = out_fd;
    pthread_mutex_init(&ipc->lock, NULL);
}

int lxe_ipc_send(struct lxe_ipc *ipc, const struct lxe_ipc_message *msg)
{
    int rc;

    pthread_mutex_lock(&ipc->lock);
    rc = lxe_write_all(ipc->out_fd, ipc->buf, lxe_ipc_encode(msg, ipc->buf));
    pthread_mutex_unlock(&ipc->lock);
    return rc ? -EPIPE : 0;
}

int lxe_ipc_call(struct lxe_ipc *ipc, const struct lxe_ipc_message *msg,
                 int *answer)
{
    uint8_t bytes[sizeof(*answer)];
    size_t have = 0;
    int rc = lxe_ipc_send(ipc, msg);

    while (!rc && have < sizeof(bytes)) {
        ssize_t n = read(ipc->in_fd, bytes + have, sizeof(bytes) - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        have += (size_t)n;
    }
    if (!rc)
        memcpy(answer, bytes, sizeof(bytes));
    return rc;
}
