/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket: clients, lines and limits. What the lines mean is
 * control_methods.c's.
 *
 * A client is turned away when there are too many (control_seats.h), and is
 * told so. One is cut off when its line is longer than a request may be, or
 * when it does not read what it asked for. One that asks too fast is read on
 * when the second is over (control_pace.h).
 */
#ifndef AERO_CONTROL_H
#define AERO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "control_pace.h"

#define AERO_CONTROL_LINE     (16u << 10) /* bytes of a request */
#define AERO_CONTROL_RATE     50u         /* requests a second, each client */
#define AERO_CONTROL_BYTES    (256u << 10) /* of them */
#define AERO_CONTROL_UNREAD   (2u << 20)  /* bytes that a client may leave,
                                             and ask for more */

struct aero_control;

/* Who asks, by SO_PEERCRED. */
struct aero_peer {
    uint64_t client; /* never used twice */
    uid_t uid;
    pid_t pid;
};

struct aero_control_handlers {
    /* A whole line without its newline. */
    void (*line)(const struct aero_peer *peer, const char *text, size_t len,
                 void *data);
    /* There is no seat for this client: it is cut off once it was told. */
    void (*full)(const struct aero_peer *peer, void *data);
    /* The client is gone; what it held is to be freed. */
    void (*gone)(uint64_t client, void *data);
    void *data;
    /* Of each client; NULL: AERO_CONTROL_RATE and AERO_CONTROL_BYTES. */
    const struct aero_pace_limit *limit;
};

/*
 * Listens on a unix socket with mode 0660, owned by root and the group (root
 * only where it is empty). A socket that a dead daemon left is replaced: the
 * caller holds the pid lock.
 * Returns 0 or a negative errno.
 */
int aero_control_open(uv_loop_t *loop, const char *path, const char *group,
                      const struct aero_control_handlers *handlers,
                      struct aero_control **out, struct lxe_err *err);

/*
 * Finds a group that the socket may be given to.
 * @group  its name; empty for our own
 * Returns 0, or -EINVAL where there is none.
 */
int aero_control_find_group(const char *group, gid_t *gid,
                            struct lxe_err *err);

/*
 * Gives the socket to another group, or to root alone where it is empty.
 * Clients that are connected stay. Returns 0 or a negative errno; then all is
 * as it was.
 */
int aero_control_set_group(struct aero_control *control, const char *group,
                           struct lxe_err *err);

/*
 * Stops listening, removes the socket and cuts all clients off, without
 * calling `gone`. It is freed by the loop, which must run until all is closed.
 */
void aero_control_close(struct aero_control *control);

/*
 * Sends a line (a newline is added); nothing where the client has gone. A
 * client that leaves too much unread is cut off, later.
 */
void aero_control_send(struct aero_control *control, uint64_t client,
                       const char *text, size_t len);

#endif
