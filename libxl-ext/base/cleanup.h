/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope clean-up: a variable so marked is released where its scope ends. */
#ifndef LXE_BASE_CLEANUP_H
#define LXE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void lxe_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void lxe_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void lxe_cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define _cleanup_free_   __attribute__((cleanup(lxe_cleanup_free)))
#define _cleanup_close_  __attribute__((cleanup(lxe_cleanup_close)))
#define _cleanup_fclose_ __attribute__((cleanup(lxe_cleanup_fclose)))

#endif
