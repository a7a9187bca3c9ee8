/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem-top on a terminal, by ncurses. One at a time. Whatever ends the
 * program, aero_screen_close() must be called: it gives the terminal back as
 * it was.
 */
#ifndef AERO_TOP_SCREEN_H
#define AERO_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "top_view.h"

/* What the person at the terminal chose. */
struct aero_screen {
    enum aero_top_order order;
    bool reversed;
    uint64_t selected; /* domid */
    size_t first;      /* of the rows that are shown */
    size_t rows;       /* that there is room for */
};

/*
 * Takes the terminal.
 * Returns 0, or -ENOTTY with words where there is none, or where it cannot
 * move its cursor.
 */
int aero_screen_open(struct lxe_err *err);

/* Gives it back; does nothing where it was not taken. */
void aero_screen_close(void);

/*
 * Draws all, at the size that the terminal has now.
 * @top      sorted here
 * @trouble  why it is old, or NULL
 */
void aero_screen_draw(struct aero_screen *screen, struct aero_top *top,
                      const char *trouble);

/*
 * Obeys the keys that were pressed. Returns false where one of them ends the
 * program.
 */
bool aero_screen_keys(struct aero_screen *screen, const struct aero_top *top);

#endif
