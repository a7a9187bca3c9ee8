/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"

struct member {
    char *key; /* NULL in an array */
    struct lxe_json *value;
};

struct lxe_json {
    enum lxe_json_type type;
    unsigned line;
    bool boolean;
    bool is_u64, is_i64;
    uint64_t u64;
    int64_t i64;
    double number;
    char *string;
    struct member *members;
    size_t count, room;
};

/* ---- reading ---- */

struct reader {
    yajl_handle yajl;
    const char *text;
    size_t len;
    size_t counted; /* bytes whose newlines are in `line` */
    unsigned line;
    size_t nodes;
    size_t max_fields;
    struct lxe_json *root;
    struct lxe_json *stack[LXE_JSON_MAX_DEPTH];
    char *keys[LXE_JSON_MAX_DEPTH]; /* key that waits for its value */
    size_t depth;
    struct lxe_err *err;
    int rc;
};

static unsigned current_line(struct reader *r)
{
    size_t at = yajl_get_bytes_consumed(r->yajl);

    if (at > r->len)
        at = r->len; /* yajl ends an unfinished text with a space of its own */
    for (; r->counted < at; r->counted++)
        r->line += r->text[r->counted] == '\n';
    return r->line;
}

static int refuse(struct reader *r, int code, const char *what)
{
    r->rc = lxe_fail(r->err, code, "line %u: %s", current_line(r), what);
    return 0; /* yajl: stop */
}

/* Adds to a container and takes over key; the value stays the caller's. */
static bool append(struct lxe_json *to, char *key, struct lxe_json *value)
{
    if (to->count == to->room) {
        size_t room = to->room ? to->room * 2 : 8;
        struct member *m = reallocarray(to->members, room, sizeof(*m));

        if (!m)
            return false;
        to->members = m;
        to->room = room;
    }
    to->members[to->count++] = (struct member){ key, value };
    return true;
}

static struct lxe_json *add_node(struct reader *r, enum lxe_json_type type)
{
    struct lxe_json *node;

    if (r->nodes++ >= LXE_JSON_MAX_NODES) {
        refuse(r, -E2BIG, "too many values");
        return NULL;
    }
    node = calloc(1, sizeof(*node));
    if (!node) {
        refuse(r, -ENOMEM, "out of memory");
        return NULL;
    }
    node->type = type;
    node->line = current_line(r);
    if (!r->depth) {
        r->root = node;
        return node;
    }
    if (!append(r->stack[r->depth - 1], r->keys[r->depth - 1], node)) {
        free(node);
        refuse(r, -ENOMEM, "out of memory");
        return NULL;
    }
    r->keys[r->depth - 1] = NULL;
    return node;
}

static int on_null(void *ctx)
{
    return add_node(ctx, LXE_JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int value)
{
    struct lxe_json *node = add_node(ctx, LXE_JSON_BOOL);

    if (node)
        node->boolean = value;
    return node != NULL;
}

/* yajl checked the syntax, so only the range is left to us. */
static int on_number(void *ctx, const char *text, size_t len)
{
    struct reader *r = ctx;
    struct lxe_json *node;
    char buf[64];
    char *end;

    if (len >= sizeof(buf))
        return refuse(r, -EINVAL, "number is too long");
    node = add_node(r, LXE_JSON_NUMBER);
    if (!node)
        return 0;
    memcpy(buf, text, len);
    buf[len] = '\0';
    node->number = strtod(buf, NULL);
    if (!isfinite(node->number))
        return refuse(r, -EINVAL, "number is out of range");
    errno = 0;
    node->u64 = strtoull(buf, &end, 10);
    node->is_u64 = buf[0] != '-' && !*end && !errno;
    errno = 0;
    node->i64 = strtoll(buf, &end, 10);
    node->is_i64 = !*end && !errno;
    return 1;
}

static char *copy_text(struct reader *r, const unsigned char *text, size_t len)
{
    char *copy;

    if (memchr(text, 0, len)) {
        refuse(r, -EINVAL, "a string holds a NUL");
        return NULL;
    }
    copy = strndup((const char *)text, len);
    if (!copy)
        refuse(r, -ENOMEM, "out of memory");
    return copy;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct lxe_json *node = add_node(ctx, LXE_JSON_STRING);

    if (node)
        node->string = copy_text(ctx, text, len);
    return node && node->string;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct reader *r = ctx;
    const struct lxe_json *object = r->stack[r->depth - 1];
    char *key = copy_text(r, text, len);

    if (!key)
        return 0;
    free(r->keys[r->depth - 1]);
    r->keys[r->depth - 1] = key;
    if (object->count == r->max_fields)
        return refuse(r, -E2BIG, "too many fields in an object");
    if (lxe_json_get(object, key)) {
        char what[96];

        snprintf(what, sizeof(what), "field '%.60s' is given twice", key);
        return refuse(r, -EINVAL, what);
    }
    return 1;
}

static int open_container(struct reader *r, enum lxe_json_type type)
{
    struct lxe_json *node;

    if (r->depth == LXE_JSON_MAX_DEPTH)
        return refuse(r, -E2BIG, "nested too deeply");
    node = add_node(r, type);
    if (!node)
        return 0;
    r->stack[r->depth++] = node;
    return 1;
}

static int on_object(void *ctx)
{
    return open_container(ctx, LXE_JSON_OBJECT);
}

static int on_array(void *ctx)
{
    return open_container(ctx, LXE_JSON_ARRAY);
}

static int on_end(void *ctx)
{
    struct reader *r = ctx;

    r->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_end,
};

/* Strips yajl's own layout of a message down to its first line. */
static int syntax_error(struct reader *r, size_t len)
{
    unsigned char *text = yajl_get_error(r->yajl, 0,
                                         (const unsigned char *)r->text, len);
    const char *what = text ? (const char *)text : "not JSON";

    r->rc = lxe_fail(r->err, -EINVAL, "line %u: %.*s", current_line(r),
                     (int)strcspn(what, "\n"), what);
    if (text)
        yajl_free_error(r->yajl, text);
    return r->rc;
}

int lxe_json_parse_within(const char *text, size_t len, size_t max_fields,
                          struct lxe_json **out, struct lxe_err *err)
{
    struct reader r = { .text = text, .len = len, .line = 1,
                        .max_fields = max_fields, .err = err };
    yajl_status status;

    *out = NULL;
    r.yajl = yajl_alloc(&callbacks, NULL, &r);
    if (!r.yajl)
        return lxe_fail(err, -ENOMEM, "out of memory");
    status = yajl_parse(r.yajl, (const unsigned char *)text, len);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(r.yajl);
    if (status == yajl_status_error)
        syntax_error(&r, len);
    for (size_t i = 0; i < LXE_JSON_MAX_DEPTH; i++)
        free(r.keys[i]);
    yajl_free(r.yajl);
    if (r.rc) {
        lxe_json_free(r.root);
        return r.rc;
    }
    *out = r.root;
    return 0;
}

int lxe_json_parse(const char *text, size_t len, struct lxe_json **out,
                   struct lxe_err *err)
{
    return lxe_json_parse_within(text, len, LXE_JSON_MAX_FIELDS, out, err);
}

int lxe_json_parse_file(const char *path, size_t max_bytes,
                        struct lxe_json **out, struct lxe_err *err)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    _cleanup_free_ char *text = NULL;
    size_t len;
    int rc;

    *out = NULL;
    if (!f)
        return lxe_fail(err, -errno, "cannot open %s: %m", path);
    text = malloc(max_bytes + 1);
    if (!text)
        return lxe_fail(err, -ENOMEM, "%s: out of memory", path);
    len = fread(text, 1, max_bytes + 1, f);
    if (ferror(f))
        return lxe_fail(err, -EIO, "cannot read %s: %m", path);
    if (len > max_bytes)
        return lxe_fail(err, -E2BIG, "%s is larger than %zu bytes", path,
                        max_bytes);
    rc = lxe_json_parse(text, len, out, err);
    if (rc)
        lxe_err_prefix(err, "%s", path);
    return rc;
}

void lxe_json_free(struct lxe_json *root)
{
    if (!root)
        return;
    for (size_t i = 0; i < root->count; i++) {
        free(root->members[i].key);
        lxe_json_free(root->members[i].value);
    }
    free(root->members);
    free(root->string);
    free(root);
}

enum lxe_json_type lxe_json_type(const struct lxe_json *node)
{
    return node ? node->type : LXE_JSON_NULL;
}

const char *lxe_json_type_name(enum lxe_json_type type)
{
    static const char *const names[] = {
        [LXE_JSON_NULL] = "null",     [LXE_JSON_BOOL] = "true or false",
        [LXE_JSON_NUMBER] = "a number", [LXE_JSON_STRING] = "a string",
        [LXE_JSON_ARRAY] = "an array", [LXE_JSON_OBJECT] = "an object",
    };

    return names[type];
}

unsigned lxe_json_line(const struct lxe_json *node)
{
    return node ? node->line : 0;
}

const struct lxe_json *lxe_json_get(const struct lxe_json *node,
                                    const char *key)
{
    if (!node || node->type != LXE_JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (!strcmp(node->members[i].key, key))
            return node->members[i].value;
    return NULL;
}

size_t lxe_json_count(const struct lxe_json *node)
{
    return node ? node->count : 0;
}

const struct lxe_json *lxe_json_at(const struct lxe_json *node, size_t i)
{
    return node && i < node->count ? node->members[i].value : NULL;
}

const char *lxe_json_key_at(const struct lxe_json *node, size_t i)
{
    return node && i < node->count ? node->members[i].key : NULL;
}

int lxe_json_bool(const struct lxe_json *node, bool *out)
{
    if (!node || node->type != LXE_JSON_BOOL)
        return -EINVAL;
    *out = node->boolean;
    return 0;
}

int lxe_json_u64(const struct lxe_json *node, uint64_t *out)
{
    if (!node || node->type != LXE_JSON_NUMBER || !node->is_u64)
        return -EINVAL;
    *out = node->u64;
    return 0;
}

int lxe_json_i64(const struct lxe_json *node, int64_t *out)
{
    if (!node || node->type != LXE_JSON_NUMBER || !node->is_i64)
        return -EINVAL;
    *out = node->i64;
    return 0;
}

int lxe_json_double(const struct lxe_json *node, double *out)
{
    if (!node || node->type != LXE_JSON_NUMBER)
        return -EINVAL;
    *out = node->number;
    return 0;
}

const char *lxe_json_str(const struct lxe_json *node)
{
    return node && node->type == LXE_JSON_STRING ? node->string : NULL;
}

/* ---- writing ---- */

struct lxe_jw {
    yajl_gen gen;
    bool failed;
};

struct lxe_jw *lxe_jw_new(bool pretty)
{
    struct lxe_jw *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->gen = yajl_gen_alloc(NULL);
    if (!w->gen) {
        free(w);
        return NULL;
    }
    if (pretty) {
        yajl_gen_config(w->gen, yajl_gen_beautify, 1);
        yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
    }
    yajl_gen_config(w->gen, yajl_gen_validate_utf8, 1);
    return w;
}

void lxe_jw_free(struct lxe_jw *w)
{
    if (!w)
        return;
    yajl_gen_free(w->gen);
    free(w);
}

static void note(struct lxe_jw *w, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok && status != yajl_gen_generation_complete)
        w->failed = true;
}

/* Writes text; where it is not UTF-8, again with '?' for all beyond ASCII. */
static void put_text(struct lxe_jw *w, const char *text)
{
    size_t len = strlen(text);
    yajl_gen_status s = yajl_gen_string(w->gen, (const unsigned char *)text,
                                        len);
    char *clean;

    if (s == yajl_gen_invalid_string) {
        clean = strdup(text);
        if (!clean) {
            w->failed = true;
            return;
        }
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)clean[i] > 0x7e)
                clean[i] = '?';
        s = yajl_gen_string(w->gen, (const unsigned char *)clean, len);
        free(clean);
    }
    note(w, s);
}

void lxe_jw_key(struct lxe_jw *w, const char *key)
{
    if (key)
        put_text(w, key);
}

void lxe_jw_object(struct lxe_jw *w)
{
    note(w, yajl_gen_map_open(w->gen));
}

void lxe_jw_end_object(struct lxe_jw *w)
{
    note(w, yajl_gen_map_close(w->gen));
}

void lxe_jw_array(struct lxe_jw *w)
{
    note(w, yajl_gen_array_open(w->gen));
}

void lxe_jw_end_array(struct lxe_jw *w)
{
    note(w, yajl_gen_array_close(w->gen));
}

void lxe_jw_str(struct lxe_jw *w, const char *key, const char *value)
{
    lxe_jw_key(w, key);
    if (value)
        put_text(w, value);
    else
        note(w, yajl_gen_null(w->gen));
}

/*
 * snprintf(), which yajl's own (signed) integers come from, takes three times
 * as long, and a log of many busy guests is mostly numbers.
 */
void lxe_jw_u64(struct lxe_jw *w, const char *key, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits), *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    lxe_jw_key(w, key);
    note(w, yajl_gen_number(w->gen, at, (size_t)(end - at)));
}

void lxe_jw_i64(struct lxe_jw *w, const char *key, int64_t value)
{
    lxe_jw_key(w, key);
    note(w, yajl_gen_integer(w->gen, value));
}

/* Nine digits tell apart what we measure, and no tail of noise is printed. */
void lxe_jw_double(struct lxe_jw *w, const char *key, double value)
{
    char buf[32];
    int len = snprintf(buf, sizeof(buf), "%.9g", value);

    lxe_jw_key(w, key);
    if (isfinite(value))
        note(w, yajl_gen_number(w->gen, buf, (size_t)len));
    else
        note(w, yajl_gen_null(w->gen));
}

void lxe_jw_bool(struct lxe_jw *w, const char *key, bool value)
{
    lxe_jw_key(w, key);
    note(w, yajl_gen_bool(w->gen, value));
}

void lxe_jw_null(struct lxe_jw *w, const char *key)
{
    lxe_jw_key(w, key);
    note(w, yajl_gen_null(w->gen));
}

static void put_container(struct lxe_jw *w, const struct lxe_json *node)
{
    bool is_object = node->type == LXE_JSON_OBJECT;

    if (is_object)
        lxe_jw_object(w);
    else
        lxe_jw_array(w);
    for (size_t i = 0; i < node->count; i++)
        lxe_jw_tree(w, node->members[i].key, node->members[i].value);
    if (is_object)
        lxe_jw_end_object(w);
    else
        lxe_jw_end_array(w);
}

void lxe_jw_tree(struct lxe_jw *w, const char *key,
                 const struct lxe_json *node)
{
    switch (lxe_json_type(node)) {
    case LXE_JSON_NULL:
        lxe_jw_null(w, key);
        break;
    case LXE_JSON_BOOL:
        lxe_jw_bool(w, key, node->boolean);
        break;
    case LXE_JSON_NUMBER:
        if (node->is_u64)
            lxe_jw_u64(w, key, node->u64);
        else if (node->is_i64)
            lxe_jw_i64(w, key, node->i64);
        else
            lxe_jw_double(w, key, node->number);
        break;
    case LXE_JSON_STRING:
        lxe_jw_str(w, key, node->string);
        break;
    case LXE_JSON_ARRAY:
    case LXE_JSON_OBJECT:
        lxe_jw_key(w, key);
        put_container(w, node);
        break;
    }
}

const char *lxe_jw_text(struct lxe_jw *w, size_t *len)
{
    const unsigned char *text;
    size_t n;

    if (w->failed || yajl_gen_get_buf(w->gen, &text, &n) != yajl_gen_status_ok)
        return NULL;
    if (len)
        *len = n;
    return (const char *)text;
}
