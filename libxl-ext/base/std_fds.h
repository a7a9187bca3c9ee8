/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Standard descriptors that the caller closed. */
#ifndef LXE_BASE_STD_FDS_H
#define LXE_BASE_STD_FDS_H

/*
 * Opens those of descriptors 0 to 2 that are closed, so that no file or socket
 * of ours becomes one and is written into. They stay of no use, as closed ones
 * are: reading from the input and writing to the outputs fails with EBADF.
 * Called first in main(). Returns 0 or a negative errno, which has been said.
 */
int lxe_std_fds_open(void);

#endif
