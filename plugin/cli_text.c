/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* The longest escape is \u{10ffff}; a byte never needs more than that. */
#define ESCAPE_MAX 10

/*
 * Characters that terminals obey or hide without counting them as control
 * characters: zero-width, joining, bidirectional and tag characters.
 */
static bool invisible(wchar_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* The next character of a text; bytes that are none count one each. */
static size_t next_char(const char *text, wchar_t *c)
{
    mbstate_t state;
    size_t n;

    memset(&state, 0, sizeof(state));
    n = mbrtowc(c, text, strlen(text), &state);
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *c = -1;
        return 1;
    }
    return n;
}

static size_t escape_one(const char *text, size_t n, wchar_t c, char *out)
{
    if (c == L'\\')
        return (size_t)sprintf(out, "\\\\");
    if (c == -1 || (c < 0x80 && wcwidth(c) < 0))
        return (size_t)sprintf(out, "\\x%02x", (unsigned char)*text);
    if (invisible(c) || wcwidth(c) < 0)
        return (size_t)sprintf(out, "\\u{%" PRIx32 "}", (uint32_t)c);
    memcpy(out, text, n);
    return n;
}

char *aero_text_escape(const char *text)
{
    char *copy = malloc(strlen(text) * ESCAPE_MAX + 1);
    char *out = copy;

    if (!copy)
        return NULL;
    while (*text) {
        wchar_t c;
        size_t n = next_char(text, &c);

        out += escape_one(text, n, c, out);
        text += n;
    }
    *out = '\0';
    return copy;
}

size_t aero_text_width(const char *text)
{
    size_t columns = 0;

    while (*text) {
        wchar_t c;
        size_t n = next_char(text, &c);
        int width = c == -1 ? 1 : wcwidth(c);

        columns += width > 0 ? (size_t)width : 0;
        text += n;
    }
    return columns;
}

size_t aero_text_fit(const char *text, size_t columns)
{
    size_t used = 0, bytes = 0;

    while (text[bytes]) {
        wchar_t c;
        size_t n = next_char(text + bytes, &c);
        int width = c == -1 ? 1 : wcwidth(c);

        used += width > 0 ? (size_t)width : 0;
        if (used > columns)
            break;
        bytes += n;
    }
    return bytes;
}

const char *aero_text_ellipsis(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") ? "..." : "\u2026";
}

char *aero_text_size(char buf[AERO_SIZE_TEXT], uint64_t kib)
{
    if (kib < 10240 && kib % 1024)
        snprintf(buf, AERO_SIZE_TEXT, "%" PRIu64 "K", kib);
    else
        snprintf(buf, AERO_SIZE_TEXT, "%" PRIu64 "M",
                 kib / 1024 + (kib % 1024 >= 512));
    return buf;
}

char *aero_text_duration(char buf[AERO_SIZE_TEXT], double seconds)
{
    if (!(seconds >= 0 && seconds < 1e9))
        snprintf(buf, AERO_SIZE_TEXT, "-");
    else if (seconds < 1)
        snprintf(buf, AERO_SIZE_TEXT, "%.0f ms", seconds * 1e3);
    else if (seconds < 120)
        snprintf(buf, AERO_SIZE_TEXT, "%.0f s", seconds);
    else
        snprintf(buf, AERO_SIZE_TEXT, "%.0f min", seconds / 60);
    return buf;
}
