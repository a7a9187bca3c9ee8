/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words of others, made fit for a terminal or a log. */
#ifndef LXE_BASE_SHOWN_H
#define LXE_BASE_SHOWN_H

/*
 * Each byte of a control character becomes '?', those beyond ASCII (U+0080
 * to U+009F) included.
 * @text  UTF-8
 */
void lxe_make_shown(char *text);

#endif
