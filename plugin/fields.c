/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "host.h"

static const void *at(const struct aero_field *f, const void *from)
{
    return (const char *)from + f->offset;
}

static void *place(const struct aero_field *f, void *to)
{
    return (char *)to + f->offset;
}

static bool is_size(const struct aero_field *f)
{
    size_t len = strlen(f->key);

    return f->kind == AERO_FIELD_U64 && len > 4 &&
           !strcmp(f->key + len - 4, "_kib");
}

static void write_one(struct lxe_jw *w, const struct aero_field *f,
                      const void *p)
{
    switch (f->kind) {
    case AERO_FIELD_BOOL:
        lxe_jw_bool(w, f->key, *(const bool *)p);
        break;
    case AERO_FIELD_U64:
        if (*(const uint64_t *)p == LXE_UNKNOWN)
            lxe_jw_null(w, f->key);
        else
            lxe_jw_u64(w, f->key, *(const uint64_t *)p);
        break;
    case AERO_FIELD_UINT:
        lxe_jw_u64(w, f->key, *(const unsigned *)p);
        break;
    case AERO_FIELD_DOUBLE:
        lxe_jw_double(w, f->key, *(const double *)p);
        break;
    case AERO_FIELD_TEXT:
        if (*(const char *const *)p)
            lxe_jw_str(w, f->key, *(const char *const *)p);
        else
            lxe_jw_null(w, f->key);
        break;
    }
}

void aero_fields_write(struct lxe_jw *w, const struct aero_field *fields,
                       size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++)
        write_one(w, &fields[i], at(&fields[i], from));
}

static bool equal_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool equal_one(const struct aero_field *f, const void *a,
                      const void *b)
{
    switch (f->kind) {
    case AERO_FIELD_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case AERO_FIELD_U64:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case AERO_FIELD_UINT:
        return *(const unsigned *)a == *(const unsigned *)b;
    case AERO_FIELD_DOUBLE:
        return !memcmp(a, b, sizeof(double));
    case AERO_FIELD_TEXT:
        return equal_text(*(const char *const *)a, *(const char *const *)b);
    }
    return false;
}

void aero_fields_write_changes(struct lxe_jw *w,
                               const struct aero_field *fields, size_t count,
                               const void *was, const void *is)
{
    for (size_t i = 0; i < count; i++) {
        const struct aero_field *f = &fields[i];

        if (!equal_one(f, at(f, was), at(f, is)))
            write_one(w, f, at(f, is));
    }
}

static int read_u64(const struct lxe_json *node, const struct aero_field *f,
                    uint64_t *out)
{
    uint64_t max = f->kind == AERO_FIELD_UINT ? UINT32_MAX : UINT64_MAX - 1;
    int rc;

    if (f->kind == AERO_FIELD_U64 && lxe_json_type(node) == LXE_JSON_NULL) {
        *out = LXE_UNKNOWN;
        return 0;
    }
    rc = lxe_json_u64(node, out);
    if (is_size(f))
        max = AERO_FIELD_KIB_MAX;
    return rc ? rc : *out > max ? -ERANGE : 0;
}

static int read_one(const struct lxe_json *node, const struct aero_field *f,
                    void *p)
{
    const char *text;
    uint64_t value;
    int rc;

    switch (f->kind) {
    case AERO_FIELD_BOOL:
        return lxe_json_bool(node, p);
    case AERO_FIELD_U64:
        rc = read_u64(node, f, &value);
        if (!rc)
            *(uint64_t *)p = value;
        return rc;
    case AERO_FIELD_UINT:
        rc = read_u64(node, f, &value);
        if (!rc)
            *(unsigned *)p = (unsigned)value;
        return rc;
    case AERO_FIELD_DOUBLE:
        return lxe_json_double(node, p);
    case AERO_FIELD_TEXT:
        text = lxe_json_str(node);
        if (text)
            *(const char **)p = text;
        return text ? 0 : -EINVAL;
    }
    return -EINVAL;
}

static bool is_known(const struct aero_field *fields, size_t count,
                     const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(fields[i].key, key))
            return true;
    return false;
}

int aero_fields_read(const struct lxe_json *node,
                     const struct aero_field *fields, size_t count,
                     const bool *given, void *to, struct lxe_err *err)
{
    if (lxe_json_type(node) != LXE_JSON_OBJECT)
        return lxe_fail(err, -EINVAL, "is %s, not an object",
                        lxe_json_type_name(lxe_json_type(node)));
    for (size_t i = 0; i < lxe_json_count(node); i++)
        if (!is_known(fields, count, lxe_json_key_at(node, i)))
            return lxe_fail(err, -EINVAL, "'%.60s' is not known to this"
                            " version", lxe_json_key_at(node, i));
    for (size_t i = 0; i < count; i++) {
        const struct lxe_json *value = lxe_json_get(node, fields[i].key);

        if (!value && given && given[i])
            continue;
        if (!value)
            return lxe_fail(err, -EINVAL, "'%s' is missing", fields[i].key);
        if (read_one(value, &fields[i], place(&fields[i], to)))
            return lxe_fail(err, -EINVAL, "'%s' has a wrong value",
                            fields[i].key);
    }
    return 0;
}

const char *aero_fields_unknown(const struct aero_field *fields, size_t count,
                                const void *from)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].kind == AERO_FIELD_U64 &&
            *(const uint64_t *)at(&fields[i], from) == LXE_UNKNOWN)
            return fields[i].key;
    return NULL;
}

bool aero_fields_equal(const struct aero_field *fields, size_t count,
                       const void *a, const void *b)
{
    for (size_t i = 0; i < count; i++)
        if (!equal_one(&fields[i], at(&fields[i], a), at(&fields[i], b)))
            return false;
    return true;
}

int aero_fields_find(const struct aero_field *fields, size_t count,
                     const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < count; i++)
        if (!strncmp(fields[i].key, key, len) &&
            (!fields[i].key[len] || !strcmp(fields[i].key + len, "_kib")))
            return (int)i;
    return -ENOENT;
}

static int set_double(double *to, const char *text, struct lxe_err *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value))
        return lxe_fail(err, -EINVAL, "'%.40s' is not a number", text);
    *to = value;
    return 0;
}

static int set_number(const struct aero_field *f, uint64_t max, uint64_t *to,
                      const char *text, struct lxe_err *err)
{
    uint64_t value;
    int rc = is_size(f) ? lxe_parse_size_kib(text, &value, err)
                        : lxe_parse_u64(text, 0, max, &value, err);

    if (rc)
        return rc;
    if (is_size(f) && value > AERO_FIELD_KIB_MAX)
        return lxe_fail(err, -ERANGE, "'%.40s' is more than a host has", text);
    *to = value;
    return 0;
}

int aero_field_set(const struct aero_field *f, void *to, const char *text,
                   struct lxe_err *err)
{
    void *p = place(f, to);
    uint64_t value;
    int rc;

    switch (f->kind) {
    case AERO_FIELD_BOOL:
        rc = set_number(f, 1, &value, text, err);
        if (!rc)
            *(bool *)p = value;
        return rc;
    case AERO_FIELD_U64:
        return set_number(f, UINT64_MAX, p, text, err);
    case AERO_FIELD_UINT:
        rc = set_number(f, UINT32_MAX, &value, text, err);
        if (!rc)
            *(unsigned *)p = (unsigned)value;
        return rc;
    case AERO_FIELD_DOUBLE:
        return set_double(p, text, err);
    case AERO_FIELD_TEXT:
        break;
    }
    return lxe_fail(err, -EINVAL, "%s is a text and cannot be set", f->key);
}
