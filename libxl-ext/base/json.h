/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON, read and written. json.c is the only file that knows yajl.
 *
 * Reading gives a tree whose nodes know their line, so that a message about a
 * wrong field can say where it is. What is read may be hostile: the caller
 * says how long it may be, nesting and counts are bounded here, and
 * duplicate keys, bytes that are not UTF-8 and trailing garbage are refused.
 */
#ifndef LXE_BASE_JSON_H
#define LXE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LXE_JSON_MAX_DEPTH 32
#define LXE_JSON_MAX_NODES 1000000
#define LXE_JSON_MAX_FIELDS 1024 /* of an object: each is compared with all */

enum lxe_json_type {
    LXE_JSON_NULL,
    LXE_JSON_BOOL,
    LXE_JSON_NUMBER,
    LXE_JSON_STRING,
    LXE_JSON_ARRAY,
    LXE_JSON_OBJECT,
};

struct lxe_json; /* one node; owns its children */

/*
 * Parses one JSON value that fills the buffer but for white space.
 * @out gets the tree, which the caller frees with lxe_json_free().
 * Returns 0, -EINVAL (with line), -E2BIG (nesting, nodes, fields) or -ENOMEM.
 */
int lxe_json_parse(const char *text, size_t len, struct lxe_json **out,
                   struct lxe_err *err);

/*
 * The same for who sends as much as he likes: an object has max_fields at
 * most, so that comparing them costs little.
 */
int lxe_json_parse_within(const char *text, size_t len, size_t max_fields,
                          struct lxe_json **out, struct lxe_err *err);

/* Reads a file of at most max_bytes and parses it; messages name the file. */
int lxe_json_parse_file(const char *path, size_t max_bytes,
                        struct lxe_json **out, struct lxe_err *err);

/* Frees a tree (only its root may be given); NULL is fine. */
void lxe_json_free(struct lxe_json *root);

enum lxe_json_type lxe_json_type(const struct lxe_json *node);

/* "an object", "a number"…: for messages. */
const char *lxe_json_type_name(enum lxe_json_type type);

/* The line, from 1, on which the node ends. */
unsigned lxe_json_line(const struct lxe_json *node);

/* The member of an object, or NULL (also where node is no object or NULL). */
const struct lxe_json *lxe_json_get(const struct lxe_json *node,
                                    const char *key);

/* Members of an object or elements of an array; 0 for everything else. */
size_t lxe_json_count(const struct lxe_json *node);

/* Element or member value number i, and the member's key (NULL in arrays). */
const struct lxe_json *lxe_json_at(const struct lxe_json *node, size_t i);
const char *lxe_json_key_at(const struct lxe_json *node, size_t i);

/* Each returns 0, or -EINVAL where node is NULL or of another type or value. */
int lxe_json_bool(const struct lxe_json *node, bool *out);
int lxe_json_u64(const struct lxe_json *node, uint64_t *out);
int lxe_json_i64(const struct lxe_json *node, int64_t *out);
int lxe_json_double(const struct lxe_json *node, double *out);

/* The string, or NULL. Strings never hold a NUL: such input is refused. */
const char *lxe_json_str(const struct lxe_json *node);

/*
 * A writer. Errors (no memory) stick, and the text is then NULL: check once,
 * at the end.
 */
struct lxe_jw;

/* @pretty: indented, for people and files; else one line without a newline. */
struct lxe_jw *lxe_jw_new(bool pretty);
void lxe_jw_free(struct lxe_jw *w);

void lxe_jw_object(struct lxe_jw *w);
void lxe_jw_end_object(struct lxe_jw *w);
void lxe_jw_array(struct lxe_jw *w);
void lxe_jw_end_array(struct lxe_jw *w);

/*
 * Values. In an object each takes its key; in an array, or at the top, the
 * key is NULL. A string that is not UTF-8 has its bad bytes replaced by '?';
 * a number that is not finite becomes null.
 */
void lxe_jw_key(struct lxe_jw *w, const char *key);
void lxe_jw_str(struct lxe_jw *w, const char *key, const char *value);
void lxe_jw_u64(struct lxe_jw *w, const char *key, uint64_t value);
void lxe_jw_i64(struct lxe_jw *w, const char *key, int64_t value);
void lxe_jw_double(struct lxe_jw *w, const char *key, double value);
void lxe_jw_bool(struct lxe_jw *w, const char *key, bool value);
void lxe_jw_null(struct lxe_jw *w, const char *key);

/* Copies a tree that was read; whole numbers of 64 bits exactly. */
void lxe_jw_tree(struct lxe_jw *w, const char *key,
                 const struct lxe_json *node);

/* The text, NUL-terminated, owned by the writer; NULL if writing failed. */
const char *lxe_jw_text(struct lxe_jw *w, size_t *len);

#endif
