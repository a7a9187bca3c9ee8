/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command that carries a migration to the other host, as xl runs it:
 * `sh -c "exec ssh HOST ..."` with a pipe to its stdin and one from its
 * stdout. Reads and writes are waited for with an end in sight, and can be
 * cancelled.
 */
#ifndef MIG_TRANSPORT_H
#define MIG_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum mig_receiver {
    MIG_RECEIVER_AUTO,     /* aerostat-receive where it is installed */
    MIG_RECEIVER_AEROSTAT,
    MIG_RECEIVER_XL,       /* the stock xl migrate-receive */
};

struct mig_transport {
    pid_t pid;
    int send_fd, recv_fd;
    int cancel_fd; /* readable when the user wants it to end; -1: never */
};

/*
 * Writes the command that is to be run.
 * @how       as xl's -s: "ssh" or another such command; "" means that host is
 *            the whole command
 * Returns 0, -ENAMETOOLONG, or -EINVAL for a host that a shell or ssh
 * would take for something else.
 */
int mig_transport_command(const char *how, const char *host,
                          enum mig_receiver receiver, bool debug, char *out,
                          size_t size, struct lxe_err *err);

/* Starts it. Returns 0 or a negative errno. */
int mig_transport_start(struct mig_transport *t, const char *command,
                        int cancel_fd, struct lxe_err *err);

/*
 * Reads exactly len bytes. @what is for messages; @timeout_ms 0: no end.
 * Returns 0; -ECANCELED, -ETIMEDOUT; -ECONNRESET when the other side ended.
 */
int mig_transport_read(struct mig_transport *t, void *buf, size_t len,
                       const char *what, uint64_t timeout_ms,
                       struct lxe_err *err);

/* Reads up to and with a newline, which becomes a NUL; else as above.
 * -EMSGSIZE for a line that does not fit. */
int mig_transport_read_line(struct mig_transport *t, char *buf, size_t size,
                            const char *what, uint64_t timeout_ms,
                            struct lxe_err *err);

/*
 * Writes all. @what is for messages; @timeout_ms 0: no end. Up to PIPE_BUF
 * bytes go out whole or not at all.
 * Returns 0; -ECANCELED, -ETIMEDOUT; -ECONNRESET when the other side ended.
 */
int mig_transport_write(struct mig_transport *t, const void *data, size_t len,
                        const char *what, uint64_t timeout_ms,
                        struct lxe_err *err);

/*
 * Closes both ends, and gives the command two seconds to end before it is
 * terminated, and two more before it is killed. Does nothing to a transport
 * that was not started.
 */
void mig_transport_stop(struct mig_transport *t);

#endif
