/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing to a blocking descriptor until all is out. */
#ifndef LXE_BASE_FD_IO_H
#define LXE_BASE_FD_IO_H

#include <stddef.h>

/*
 * Writes all, over short writes and signals.
 * Returns 0 or the negative errno of the write that failed; what went out
 * before it is not told.
 */
int lxe_write_all(int fd, const void *data, size_t len);

#endif
