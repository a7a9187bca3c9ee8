/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the folders that a file is to lie in. */
#ifndef LXE_BASE_FOLDERS_H
#define LXE_BASE_FOLDERS_H

#include <sys/types.h>

/*
 * Makes the folders above a path, as far as they are missing, with a mode
 * that the umask takes from. One that cannot be made is passed over: what is
 * to lie in it says why it cannot.
 */
void lxe_make_folders(const char *path, mode_t mode);

#endif
