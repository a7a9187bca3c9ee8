/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading one line from a peer that may be slow, silent or hostile. */
#ifndef MIG_LINE_IO_H
#define MIG_LINE_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Reads up to and with a newline, which becomes a NUL. Byte by byte: what
 * follows the newline is somebody else's to read.
 * @what  for messages: "the source's hello"
 * Returns 0; -ETIMEDOUT, -ECONNRESET at the end of the input, -EMSGSIZE.
 */
int mig_read_line(int fd, char *line, size_t size, uint64_t timeout_ns,
                  const char *what, struct lxe_err *err);

#endif
