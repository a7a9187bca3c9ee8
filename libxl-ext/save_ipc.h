/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a save helper and libxl say to each other over the helper's stdin and
 * stdout (Xen's tools/libs/light/libxl_save_msgs_gen.pl, the same from 4.14 to
 * 4.22; it has no version field).
 *
 *   helper ──> libxl   u16 length, u16 number, packed arguments
 *   libxl ──> helper   a native int, for the calls that want an answer
 *
 * A string is a u32 length that counts its NUL, then the bytes. All is in the
 * machine's own byte order: both ends are on one machine.
 */
#ifndef LXE_SAVE_IPC_H
#define LXE_SAVE_IPC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum lxe_ipc_number {
    LXE_IPC_LOG = 1,
    LXE_IPC_PROGRESS = 2,
    LXE_IPC_SUSPEND = 3,
    LXE_IPC_POSTCOPY = 4,
    LXE_IPC_CHECKPOINT = 5,
    LXE_IPC_WAIT_CHECKPOINT = 6,
    LXE_IPC_SWITCH_QEMU_LOGDIRTY = 7,
    LXE_IPC_STATIC_DATA_DONE = 8,
    LXE_IPC_RESTORE_RESULTS = 9,
    LXE_IPC_COMPLETE = 10,
};

#define LXE_IPC_MAX_BODY 65535u

/* One message, taken apart. Strings point into the buffer it came from. */
struct lxe_ipc_message {
    enum lxe_ipc_number number;
    uint32_t level, errnoval;        /* log */
    const char *context, *text;      /* log; progress: text is what it does */
    unsigned long done, total;       /* progress */
    uint32_t domid, enable;          /* switch_qemu_logdirty */
    int32_t retval, complete_errno;  /* complete */
};

/*
 * Takes a message's body apart (what follows the u16 length). Knows what a
 * save sends. Returns 0, or -EPROTO with a word: nothing is read beyond len.
 */
int lxe_ipc_decode(const uint8_t *body, size_t len,
                   struct lxe_ipc_message *out, struct lxe_err *err);

/*
 * Puts a message together, its length included.
 * @buf  of at least 2 + LXE_IPC_MAX_BODY bytes; over-long text is cut
 * Returns the number of bytes.
 */
size_t lxe_ipc_encode(const struct lxe_ipc_message *msg, uint8_t *buf);

/* The helper's end. Any thread may log; one thread makes the calls. */
struct lxe_ipc {
    int in_fd, out_fd;
    pthread_mutex_t lock;
    uint8_t buf[2 + LXE_IPC_MAX_BODY];
};

void lxe_ipc_init(struct lxe_ipc *ipc, int in_fd, int out_fd);

/* Sends a message that wants no answer. Returns 0 or -EPIPE. */
int lxe_ipc_send(struct lxe_ipc *ipc, const struct lxe_ipc_message *msg);

/*
 * Sends a message and waits for its answer. Returns 0, or -EPIPE when libxl
 * has gone.
 */
int lxe_ipc_call(struct lxe_ipc *ipc, const struct lxe_ipc_message *msg,
                 int *answer);

#endif
