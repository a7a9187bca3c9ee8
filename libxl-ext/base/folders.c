/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/folders.h"

#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

void lxe_make_folders(const char *path, mode_t mode)
{
    _cleanup_free_ char *copy = strdup(path);

    for (char *at = copy; at && (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        if (*copy)
            mkdir(copy, mode);
    }
}
