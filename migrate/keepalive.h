/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A link that was cut says nothing: where it is TCP's, TCP can ask. */
#ifndef MIG_KEEPALIVE_H
#define MIG_KEEPALIVE_H

#include <stdbool.h>

/*
 * Lets TCP notice a dead peer within two minutes, whether we wait or send.
 * Returns whether the descriptor is a TCP socket; any other is left alone.
 */
bool mig_keepalive(int fd);

#endif
