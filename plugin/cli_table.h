/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables for eyes: columns as wide as their widest cell, numbers to the
 * right, and a last column that is cut where the terminal ends, or, where that
 * would leave little of its text, stands below the rows. Cells are escaped
 * (cli_text.h), so that any text may be given.
 */
#ifndef AERO_CLI_TABLE_H
#define AERO_CLI_TABLE_H

#include <stdio.h>

enum aero_align {
    AERO_LEFT,
    AERO_RIGHT,
};

struct aero_column {
    const char *title;
    enum aero_align align;
};

struct aero_table;

/*
 * Makes an empty table.
 * @columns  at least one; stays the caller's and must outlive the table
 * Returns NULL without memory.
 */
struct aero_table *aero_table_new(const struct aero_column *columns,
                                  size_t count);
void aero_table_free(struct aero_table *table);

/*
 * Appends a row. An error sticks and is told by aero_table_print().
 * @cells  one a column, copied; NULL is shown as "-"
 */
void aero_table_add(struct aero_table *table, const char *const cells[]);

/*
 * Writes titles and rows.
 * @width  columns of the terminal; 0: cut nothing
 * Returns 0, -ENOMEM if a row could not be kept, or -EIO.
 */
int aero_table_print(struct aero_table *table, FILE *out, size_t width);

/* The columns of a terminal; 0 where the stream is none, or it is unknown. */
size_t aero_terminal_width(FILE *stream);

#endif
