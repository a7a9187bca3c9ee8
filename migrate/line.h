/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What source and target say to each other is an object of JSON on one line:
 * what hello.h and probe.h share.
 */
#ifndef MIG_LINE_H
#define MIG_LINE_H

#include <stddef.h>

#include "base/json.h"
#include "hello.h"

/*
 * Ends the object, and gives it as one line with its newline. Takes over w.
 * Returns 0 or -ENOMEM, where it is too long as well.
 */
int mig_line_finish(struct lxe_jw *w, char buf[MIG_HELLO_MAX_LINE]);

/*
 * Copies a text as it is. Returns 0, or -EPROTO where there is none, it is
 * empty, or too long.
 */
int mig_line_text(char *out, size_t size, const struct lxe_json *node);

/* Copies a text that is to be shown, made fit for it. Returns as above. */
int mig_line_shown(char *out, size_t size, const struct lxe_json *node);

#endif
