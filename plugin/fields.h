/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of a struct by name: a table says once which there are, and they
 * can be written as JSON, read back, compared, and set from a text. Pure.
 *
 *     static const struct aero_field point[] = {
 *         AERO_FIELD(struct point, x_kib),
 *     };
 */
#ifndef AERO_FIELDS_H
#define AERO_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

/* The largest size that is read: 1 PiB. Sums of a million do not overflow. */
#define AERO_FIELD_KIB_MAX (UINT64_C(1) << 40)

enum aero_field_kind {
    AERO_FIELD_BOOL,
    AERO_FIELD_U64,
    AERO_FIELD_UINT, /* unsigned, and enums */
    AERO_FIELD_DOUBLE,
    AERO_FIELD_TEXT, /* const char *, not owned */
};

struct aero_field {
    const char *key; /* the member's name; sizes end in _kib */
    size_t offset;
    enum aero_field_kind kind;
};

#define AERO_FIELD(type, member)                                               \
    {                                                                          \
        #member, offsetof(type, member),                                       \
            _Generic(((type *)NULL)->member,                                   \
                     bool: AERO_FIELD_BOOL,                                    \
                     uint64_t: AERO_FIELD_U64,                                 \
                     unsigned: AERO_FIELD_UINT,                                \
                     double: AERO_FIELD_DOUBLE,                                \
                     const char *: AERO_FIELD_TEXT)                            \
    }

/* A table and its length, as the functions below take it. */
#define AERO_FIELDS(table) (table), sizeof(table) / sizeof((table)[0])

/* Writes all members into the object that is open; LXE_UNKNOWN is null. */
void aero_fields_write(struct lxe_jw *w, const struct aero_field *fields,
                       size_t count, const void *from);

/* Writes only those in which two structs differ, as they are in the second. */
void aero_fields_write_changes(struct lxe_jw *w,
                               const struct aero_field *fields, size_t count,
                               const void *was, const void *is);

/*
 * Reads all members; `to` may hold values already. What it gets of texts
 * belongs to the node.
 * @given  which of them may be missing, since `to` has them; may be NULL
 * Returns 0, or -EINVAL where one is missing, unknown, or of a wrong type or
 * size.
 */
int aero_fields_read(const struct lxe_json *node,
                     const struct aero_field *fields, size_t count,
                     const bool *given, void *to, struct lxe_err *err);

/* The first member that is LXE_UNKNOWN, or NULL. */
const char *aero_fields_unknown(const struct aero_field *fields, size_t count,
                                const void *from);

/* Whether two structs agree in all members. */
bool aero_fields_equal(const struct aero_field *fields, size_t count,
                       const void *a, const void *b);

/*
 * The member that a person means: its name, or without its _kib.
 * Returns its index, or -ENOENT.
 */
int aero_fields_find(const struct aero_field *fields, size_t count,
                     const char *key);

/*
 * Sets a member from a text: "512M" for sizes, "1" or "0" for bool. Texts
 * cannot be set. Returns 0, -EINVAL or -ERANGE.
 */
int aero_field_set(const struct aero_field *field, void *to, const char *text,
                   struct lxe_err *err);

#endif
