/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lines {
    char *text;
    char **items; /* into the text, sorted */
    size_t count;
};

static void clear(struct lines *lines)
{
    free(lines->items);
    free(lines->text);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int cut(struct lines *lines)
{
    char *rest = lines->text, *line;
    size_t room = 1;

    for (const char *p = rest; *p; p++)
        room += *p == '\n';
    lines->items = calloc(room, sizeof(*lines->items));
    if (!lines->items)
        return -ENOMEM;
    while ((line = strsep(&rest, "\n")) && lines->count < room)
        lines->items[lines->count++] = line + strspn(line, " ");
    qsort(lines->items, lines->count, sizeof(*lines->items), compare);
    return 0;
}

static int take(const struct aero_config *config, struct lines *lines)
{
    size_t len;
    FILE *to = open_memstream(&lines->text, &len);

    if (!to)
        return -ENOMEM;
    aero_config_print(config, to);
    return fclose(to) ? -ENOMEM : cut(lines);
}

/* Both are sorted. */
static int tell_apart(const struct lines *was, const struct lines *is,
                      aero_config_change_fn *tell, void *data)
{
    size_t i = 0, j = 0;
    int told = 0;

    while (i < was->count || j < is->count) {
        int order = i == was->count ? 1
                  : j == is->count  ? -1
                                    : strcmp(was->items[i], is->items[j]);

        if (order < 0)
            tell(was->items[i], false, data);
        else if (order > 0)
            tell(is->items[j], true, data);
        told += order != 0;
        i += order <= 0;
        j += order >= 0;
    }
    return told;
}

int aero_config_changes(const struct aero_config *was,
                        const struct aero_config *is,
                        aero_config_change_fn *tell, void *data)
{
    struct lines old = { 0 }, fresh = { 0 };
    int rc = take(was, &old);

    if (!rc)
        rc = take(is, &fresh);
    if (!rc)
        rc = tell_apart(&old, &fresh, tell, data);
    clear(&old);
    clear(&fresh);
    return rc;
}
