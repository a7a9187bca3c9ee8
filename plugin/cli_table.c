/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli_text.h"

#define GAP      2  /* columns between columns */
#define LAST_MIN 10 /* a last column is not cut below this */
#define TEXT_MIN 30 /* nor is text: it would say too little */
#define INDENT   4  /* of a last cell that has its own line */

struct aero_table {
    const struct aero_column *columns;
    size_t column_count;
    size_t *widths;
    char **cells; /* row by row, escaped */
    size_t cell_count;
    size_t room;
    bool failed;
};

struct aero_table *aero_table_new(const struct aero_column *columns,
                                  size_t count)
{
    struct aero_table *t = calloc(1, sizeof(*t));

    if (t)
        t->widths = calloc(count, sizeof(*t->widths));
    if (!t || !t->widths) {
        free(t);
        return NULL;
    }
    t->columns = columns;
    t->column_count = count;
    for (size_t i = 0; i < count; i++)
        t->widths[i] = aero_text_width(columns[i].title);
    return t;
}

void aero_table_free(struct aero_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->widths);
    free(t);
}

static bool make_room(struct aero_table *t)
{
    size_t room = t->room ? t->room * 2 : 16 * t->column_count;
    char **cells;

    if (t->cell_count + t->column_count <= t->room)
        return true;
    cells = reallocarray(t->cells, room, sizeof(*cells));
    if (!cells)
        return false;
    t->cells = cells;
    t->room = room;
    return true;
}

void aero_table_add(struct aero_table *t, const char *const cells[])
{
    if (t->failed || !make_room(t)) {
        t->failed = true;
        return;
    }
    for (size_t i = 0; i < t->column_count; i++) {
        char *cell = aero_text_escape(cells[i] ? cells[i] : "-");
        size_t width;

        if (!cell) {
            t->failed = true;
            return;
        }
        t->cells[t->cell_count++] = cell;
        width = aero_text_width(cell);
        if (width > t->widths[i])
            t->widths[i] = width;
    }
}

static void pad(FILE *out, size_t columns)
{
    while (columns--)
        putc(' ', out);
}

/* Writes text into room columns, cut and marked where it is longer. */
static void print_cut(FILE *out, const char *text, size_t room)
{
    const char *mark = aero_text_ellipsis();
    size_t bytes;

    if (aero_text_width(text) <= room) {
        fputs(text, out);
        return;
    }
    bytes = aero_text_fit(text, room - aero_text_width(mark));
    fwrite(text, 1, bytes, out);
    fputs(mark, out);
}

/* @last_room  columns for the last cell; 0: a line of its own */
static void print_row(const struct aero_table *t, FILE *out,
                      const char *const *cells, size_t last_room)
{
    size_t last = t->column_count - 1;
    size_t end = last_room ? last : last - 1; /* of the row's line */

    for (size_t i = 0; i <= end; i++) {
        size_t blank = t->widths[i] - aero_text_width(cells[i]);

        if (t->columns[i].align == AERO_RIGHT)
            pad(out, blank);
        if (i == last)
            print_cut(out, cells[i], last_room);
        else
            fputs(cells[i], out);
        if (i < end)
            pad(out, t->columns[i].align == AERO_LEFT ? blank + GAP : GAP);
    }
    putc('\n', out);
    if (last_room)
        return;
    pad(out, INDENT);
    fputs(cells[last], out);
    putc('\n', out);
}

/* Columns for the last cells; 0 where they are better off below their rows. */
static size_t room_of_last(const struct aero_table *t, size_t width)
{
    size_t last = t->column_count - 1, before = 0, room;

    if (!width)
        return t->widths[last];
    for (size_t i = 0; i < last; i++)
        before += t->widths[i] + GAP;
    room = width >= before + LAST_MIN ? width - before : LAST_MIN;
    if (last && room < TEXT_MIN && t->widths[last] > room &&
        t->columns[last].align == AERO_LEFT)
        return 0;
    return room;
}

int aero_table_print(struct aero_table *t, FILE *out, size_t width)
{
    size_t last_room = room_of_last(t, width);
    const char **titles;

    if (t->failed)
        return -ENOMEM;
    titles = calloc(t->column_count, sizeof(*titles));
    if (!titles)
        return -ENOMEM;
    for (size_t i = 0; i < t->column_count; i++)
        titles[i] = t->columns[i].title;
    print_row(t, out, titles, last_room);
    free(titles);
    for (size_t i = 0; i < t->cell_count; i += t->column_count)
        print_row(t, out, (const char *const *)&t->cells[i], last_room);
    return ferror(out) ? -EIO : 0;
}

size_t aero_terminal_width(FILE *stream)
{
    struct winsize size;

    if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size))
        return 0;
    return size.ws_col;
}
