/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may be written to a terminal. Names and reasons come from guests and
 * from a socket: a name must not move the cursor, change the title or read
 * from right to left. Widths are in terminal columns and follow the locale's
 * character set; main() calls setlocale(LC_CTYPE, "").
 */
#ifndef AERO_CLI_TEXT_H
#define AERO_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies text with everything that is not plainly visible written as an
 * escape: control characters and bytes outside the character set as \xNN,
 * invisible and direction-changing characters as \u{N}, a backslash as \\.
 * @text  NUL-terminated, any bytes
 * Returns the copy, which the caller frees, or NULL without memory.
 */
char *aero_text_escape(const char *text);

/*
 * The columns that an escaped text takes.
 * @text  what aero_text_escape() returned
 */
size_t aero_text_width(const char *text);

/*
 * How many bytes of an escaped text fit into that many columns, without
 * cutting a character in two.
 */
size_t aero_text_fit(const char *text, size_t columns);

/* The mark of a text that was cut: one column where the locale has it. */
const char *aero_text_ellipsis(void);

#define AERO_SIZE_TEXT 32

/*
 * Writes a size as --min and xl's configuration take it, for table cells:
 * "96K", "512M". @buf has AERO_SIZE_TEXT bytes. Returns buf.
 */
char *aero_text_size(char buf[AERO_SIZE_TEXT], uint64_t kib);

/* Writes a length of time for people: "850 ms", "42 s", "3 min". */
char *aero_text_duration(char buf[AERO_SIZE_TEXT], double seconds);

#endif
