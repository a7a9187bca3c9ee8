/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors: functions return a negative errno, and fill in one message object
 * for the operator. Success never touches the object.
 */
#ifndef LXE_BASE_ERR_H
#define LXE_BASE_ERR_H

#define LXE_ERR_TEXT 512

struct lxe_err {
    int code;                /* negative errno; 0 while nothing failed */
    char text[LXE_ERR_TEXT]; /* says what is wrong, where, and what to do */
};

/*
 * Records a failure.
 * @err   the object to fill; may be NULL
 * @code  negative errno; a positive one is taken as its negative, 0 as -EIO
 * Returns the code, so that `return lxe_fail(err, -EINVAL, ...)` reads well.
 */
int lxe_fail(struct lxe_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts words and ": " in front of a message that a callee left, so that it
 * says where. Does nothing where nothing failed. Returns err->code.
 */
int lxe_err_prefix(struct lxe_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
