/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hands what libxc writes to its stream to a function, with no pipe and no
 * thread between them, so that no page is copied on the way.
 *
 * libxc writes by the C library's write() and writev(). save_stream.c defines
 * both: a program's own definition comes before a shared library's. Writes to
 * any other descriptor go to the kernel as ever. A libxc that found another
 * way would meet a descriptor that cannot be written, with its first header
 * and before it has touched the guest.
 */
#ifndef LXE_SAVE_STREAM_H
#define LXE_SAVE_STREAM_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/err.h"

struct lxe_save_stream {
    /* Takes all of it before it returns 0; or a negative errno, which libxc
     * gets to see. In the thread that runs the save. */
    int (*take)(void *data, const struct iovec *iov, int count);
    void *data;
};

/*
 * Makes the descriptor to give to libxc; one at a time in a process.
 * @stream  valid until close
 * Returns it, or what opening /dev/null failed with.
 */
int lxe_save_stream_open(const struct lxe_save_stream *stream,
                         struct lxe_err *err);

/* Returns whether anything was written to it. */
bool lxe_save_stream_close(int fd);

#endif
