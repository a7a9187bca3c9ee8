/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"
#include "decision.h"
#include "decision_log.h"

#define KEY_TEXT   64

/* An input that is set; the value is tried when it is parsed. */
struct set {
    char domain[LXE_DOM_NAME]; /* empty: all */
    bool host, reserve;
    bool met; /* by a guest of the log */
    int field;
    char value[KEY_TEXT];
};

/* A guest as it was last told of; its texts are its own. */
struct slot {
    uint32_t domid;
    char *name, *reason, *why;
    struct aero_policy_guest in;
    uint64_t target_kib;
};

struct aero_replay {
    aero_replayed_fn *fn;
    void *data;
    struct set sets[AERO_REPLAY_SETS];
    size_t set_count;
    bool host_given[AERO_FIELDS_MAX], guest_given[AERO_FIELDS_MAX];

    struct aero_replay_counts counts;
    bool whole;       /* all guests are known */
    uint64_t tick, time_ms;
    uint64_t waiting; /* guest lines of this tick that are yet to come */
    uint64_t guests;  /* that there are in this tick */
    struct aero_policy_host host;
    struct aero_node_pools pools;
    struct slot *slots; /* by rising domid */
    size_t count, room;
};

struct aero_replay *aero_replay_new(aero_replayed_fn *fn, void *data)
{
    struct aero_replay *r = calloc(1, sizeof(*r));

    if (r) {
        r->fn = fn;
        r->data = data;
    }
    return r;
}

static void free_texts(struct slot *s)
{
    free(s->name);
    free(s->reason);
    free(s->why);
}

static void forget_all(struct aero_replay *r)
{
    for (size_t i = 0; i < r->count; i++)
        free_texts(&r->slots[i]);
    r->count = 0;
}

void aero_replay_free(struct aero_replay *r)
{
    if (!r)
        return;
    forget_all(r);
    free(r->slots);
    free(r);
}

/* ---- inputs that are set ---- */

/* Splits "DOMAIN.KEY=VALUE"; a domain's name may hold dots. */
static int split(const char *text, struct set *set, char key[KEY_TEXT],
                 struct lxe_err *err)
{
    const char *equals = strchr(text, '=');
    const char *dot = equals ? memrchr(text, '.', (size_t)(equals - text))
                             : NULL;
    const char *from = dot ? dot + 1 : text;

    if (!equals || equals == from || dot == text)
        return lxe_fail(err, -EINVAL, "'%.80s' is not KEY=VALUE or"
                        " DOMAIN.KEY=VALUE", text);
    if ((size_t)(equals - from) >= KEY_TEXT ||
        strlen(equals + 1) >= sizeof(set->value) ||
        (dot && (size_t)(dot - text) >= sizeof(set->domain)))
        return lxe_fail(err, -EINVAL, "'%.80s' is too long", text);
    memcpy(key, from, (size_t)(equals - from));
    key[equals - from] = '\0';
    strcpy(set->value, equals + 1);
    if (dot)
        memcpy(set->domain, text, (size_t)(dot - text));
    return 0;
}

/* Tries the value on a scratch input, so that it is refused here and now. */
static int try_value(const struct set *set, struct lxe_err *err)
{
    union {
        struct aero_policy_host host;
        struct aero_policy_guest guest;
    } scratch = { { 0 } };
    uint64_t kib;

    if (set->reserve)
        return lxe_parse_size_kib(set->value, &kib, err);
    return aero_field_set(set->host ? &aero_host_fields[set->field]
                                    : &aero_guest_fields[set->field],
                          &scratch, set->value, err);
}

static int find_key(struct aero_replay *r, struct set *set, const char *key,
                    struct lxe_err *err)
{
    set->reserve = !set->domain[0] && !strcmp(key, "reserve");
    if (set->reserve)
        return 0;
    set->field = aero_fields_find(aero_guest_fields, aero_guest_field_count,
                                  key);
    if (set->field < 0 && !set->domain[0]) {
        set->host = true;
        set->field = aero_fields_find(aero_host_fields, aero_host_field_count,
                                      key);
    }
    if (set->field < 0)
        return lxe_fail(err, -EINVAL, "the policy of this version has no"
                        " input '%s'", key);
    if (set->host)
        r->host_given[set->field] = true;
    else if (!set->domain[0])
        r->guest_given[set->field] = true;
    return 0;
}

int aero_replay_set(struct aero_replay *r, const char *text,
                    struct lxe_err *err)
{
    struct set *set = &r->sets[r->set_count];
    char key[KEY_TEXT];
    int rc;

    if (r->set_count == AERO_REPLAY_SETS)
        return lxe_fail(err, -E2BIG, "more than %u values are set",
                        AERO_REPLAY_SETS);
    *set = (struct set){ 0 };
    rc = split(text, set, key, err);
    if (!rc)
        rc = find_key(r, set, key, err);
    if (!rc && try_value(set, err))
        rc = lxe_err_prefix(err, "%s", key);
    r->set_count += !rc;
    return rc;
}

static int set_reserve(const struct set *set, uint64_t logged_kib,
                       struct aero_policy_host *host, struct lxe_err *err)
{
    uint64_t kib = 0;
    int rc = lxe_parse_size_kib(set->value, &kib, err);

    if (host->keep_free_kib < logged_kib)
        return lxe_fail(err, -EINVAL, "keep_free_kib is less than"
                        " reserve_kib");
    if (!rc && kib > AERO_FIELD_KIB_MAX)
        return lxe_fail(err, -EDOM, "reserve: more than a host has");
    host->keep_free_kib += kib - logged_kib;
    return rc;
}

/* Where something was set, that is wrong, and not what the line tells. */
static int blame(int rc, bool is_set, struct lxe_err *err)
{
    if (rc != -EINVAL || !is_set)
        return rc;
    if (err)
        err->code = -EDOM;
    return -EDOM;
}

static int set_host(const struct aero_replay *r, uint64_t reserve_kib,
                    struct aero_policy_host *host, struct lxe_err *err)
{
    bool is_set = false;
    int rc = 0;

    for (size_t i = 0; i < r->set_count && !rc; i++) {
        const struct set *s = &r->sets[i];

        is_set |= s->host || s->reserve;
        if (s->reserve)
            rc = set_reserve(s, reserve_kib, host, err);
        else if (s->host)
            rc = aero_field_set(&aero_host_fields[s->field], host, s->value,
                                err);
    }
    return rc ? rc
              : blame(aero_decision_check_host(host, err), is_set, err);
}

static bool is_meant(const struct set *set, const struct slot *slot)
{
    uint64_t domid;

    if (!set->domain[0] || !strcmp(set->domain, slot->name))
        return true;
    return !lxe_parse_u64(set->domain, 0, UINT32_MAX, &domid, NULL) &&
           domid == slot->domid;
}

static int set_guest(struct aero_replay *r, struct slot *slot,
                     struct lxe_err *err)
{
    bool is_set = false;
    int rc = 0;

    for (size_t i = 0; i < r->set_count && !rc; i++) {
        struct set *s = &r->sets[i];

        if (s->host || s->reserve || !is_meant(s, slot))
            continue;
        s->met = is_set = true;
        rc = aero_field_set(&aero_guest_fields[s->field], &slot->in,
                            s->value, err);
    }
    return rc ? rc
              : blame(aero_decision_check_guest(&slot->in, err), is_set, err);
}

/* ---- guests ---- */

/* The first slot whose domid is not below. */
static size_t place_of(const struct aero_replay *r, uint32_t domid)
{
    size_t lo = 0, hi = r->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r->slots[mid].domid < domid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_at(const struct aero_replay *r, size_t at, uint32_t domid)
{
    return at < r->count && r->slots[at].domid == domid;
}

static int make_room(struct aero_replay *r, struct lxe_err *err)
{
    size_t room = r->room ? r->room * 2 : 16;
    struct slot *slots;

    if (r->count < r->room)
        return 0;
    if (r->room >= AERO_REPLAY_GUESTS)
        return lxe_fail(err, -E2BIG, "more than %u guests at a time",
                        AERO_REPLAY_GUESTS);
    slots = reallocarray(r->slots, room, sizeof(*slots));
    if (!slots)
        return lxe_fail(err, -ENOMEM, "out of memory");
    r->slots = slots;
    r->room = room;
    return 0;
}

/* Takes over the slot's texts. */
static int put(struct aero_replay *r, const struct slot *slot,
               struct lxe_err *err)
{
    size_t at = place_of(r, slot->domid);
    int rc;

    if (is_at(r, at, slot->domid)) {
        free_texts(&r->slots[at]);
        r->slots[at] = *slot;
        return 0;
    }
    rc = make_room(r, err);
    if (rc)
        return rc;
    memmove(&r->slots[at + 1], &r->slots[at],
            (r->count - at) * sizeof(*r->slots));
    r->slots[at] = *slot;
    r->count++;
    return 0;
}

static int take_out(struct aero_replay *r, const struct lxe_json *gone,
                    struct lxe_err *err)
{
    for (size_t i = 0; i < lxe_json_count(gone); i++) {
        uint64_t domid;
        size_t at;

        if (lxe_json_u64(lxe_json_at(gone, i), &domid) || domid > UINT32_MAX)
            return lxe_fail(err, -EINVAL, "'gone' must list domids");
        at = place_of(r, (uint32_t)domid);
        if (!is_at(r, at, (uint32_t)domid))
            return lxe_fail(err, -EINVAL, "domain %" PRIu64 " cannot go: it"
                            " was not there", domid);
        free_texts(&r->slots[at]);
        r->count--;
        memmove(&r->slots[at], &r->slots[at + 1],
                (r->count - at) * sizeof(*r->slots));
    }
    return 0;
}

/* ---- a tick ---- */

static void tell(const struct aero_replay *r,
                 const struct aero_policy_target *out)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct slot *s = &r->slots[i];
        struct aero_replayed d = {
            .tick = r->tick,
            .time_ms = r->time_ms,
            .domid = s->domid,
            .name = s->name,
            .logged_kib = s->target_kib,
            .now_kib = out[i].target_kib,
            .logged_reason = s->reason,
            .now_reason = &out[i].reason,
        };

        r->fn(&d, r->data);
    }
}

static int run_tick(struct aero_replay *r, struct lxe_err *err)
{
    _cleanup_free_ struct aero_policy_guest *in = NULL;
    _cleanup_free_ struct aero_policy_target *out = NULL;

    if (r->count != r->guests)
        return lxe_fail(err, -EINVAL, "tick %" PRIu64 " had %" PRIu64
                        " guests, but the log tells of %zu", r->tick,
                        r->guests, r->count);
    in = calloc(r->count + 1, sizeof(*in));
    out = calloc(r->count + 1, sizeof(*out));
    for (size_t i = 0; in && i < r->count; i++)
        in[i] = r->slots[i].in;
    if (!in || !out || aero_node_pools_run(&r->host, &r->pools, in, r->count,
                                           out))
        return lxe_fail(err, -ENOMEM, "out of memory");
    r->counts.ticks++;
    tell(r, out);
    return 0;
}

/* ---- lines ---- */

static int need_u64(const struct lxe_json *line, const char *key,
                    uint64_t max, uint64_t *out, struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(line, key);

    if (!node)
        return lxe_fail(err, -EINVAL, "'%s' is missing", key);
    if (lxe_json_u64(node, out) || *out > max)
        return lxe_fail(err, -EINVAL, "'%s' must be a whole number of at most"
                        " %" PRIu64, key, max);
    return 0;
}

/* A record may be cut short only where its writer ended. */
static int take_head(struct aero_replay *r, const struct lxe_json *line,
                     struct lxe_err *err)
{
    uint64_t format;
    int rc = need_u64(line, "decisions", UINT32_MAX, &format, err);

    if (rc)
        return rc;
    if (!format || format > AERO_LOG_FORMAT)
        return lxe_fail(err, -EINVAL, "the log has format %" PRIu64 ", this"
                        " program knows 1 to %u", format, AERO_LOG_FORMAT);
    r->counts.cut += r->waiting > 0;
    r->waiting = 0;
    r->whole = false;
    forget_all(r);
    return 0;
}

static int read_host(struct aero_replay *r, const struct lxe_json *line,
                     struct lxe_err *err)
{
    uint64_t reserve_kib;
    int rc = need_u64(line, "reserve_kib", AERO_FIELD_KIB_MAX, &reserve_kib,
                      err);

    if (rc)
        return rc;
    r->host = (struct aero_policy_host){ 0 };
    rc = aero_fields_read(lxe_json_get(line, "host"), aero_host_fields,
                          aero_host_field_count, r->host_given, &r->host, err);
    if (!rc)
        rc = set_host(r, reserve_kib, &r->host, err);
    if (rc)
        return rc == -EDOM ? rc : lxe_err_prefix(err, "host");
    return aero_decision_read_nodes(lxe_json_get(line, "nodes"), &r->pools,
                                    err);
}

static int take_tick(struct aero_replay *r, const struct lxe_json *line,
                     struct lxe_err *err)
{
    bool full = false;
    int rc = need_u64(line, "tick", UINT64_MAX, &r->tick, err);

    if (!rc && r->waiting)
        rc = lxe_fail(err, -EINVAL, "%" PRIu64 " lines of the tick before are"
                      " missing", r->waiting);
    if (!rc && lxe_json_bool(lxe_json_get(line, "full"), &full))
        rc = lxe_fail(err, -EINVAL, "'full' must be true or false");
    if (!rc)
        rc = need_u64(line, "time_ms", UINT64_MAX, &r->time_ms, err);
    if (!rc)
        rc = need_u64(line, "guests", AERO_REPLAY_GUESTS, &r->guests, err);
    if (!rc)
        rc = need_u64(line, "lines", AERO_REPLAY_GUESTS, &r->waiting, err);
    if (rc)
        return rc;
    r->counts.skipped += !full && !r->whole;
    r->whole = r->whole || full;
    if (!r->whole)
        return 0;
    if (full)
        forget_all(r);
    rc = take_out(r, lxe_json_get(line, "gone"), err);
    if (!rc)
        rc = read_host(r, line, err);
    return rc || r->waiting ? rc : run_tick(r, err);
}

/* Its target, where the line has one. */
static int read_target(const struct lxe_json *line, uint64_t *target_kib,
                       struct lxe_err *err)
{
    const struct lxe_json *out = lxe_json_get(line, "out");

    return out ? need_u64(out, "target_kib", AERO_FIELD_KIB_MAX, target_kib,
                          err)
               : 0;
}

static int own_names(struct slot *s, const char *name, const char *reason,
                     struct lxe_err *err)
{
    s->name = strdup(name);
    s->reason = strdup(reason);
    return s->name && s->reason ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

/* What was read of it belongs to the line. */
static int own_why(struct slot *s, struct lxe_err *err)
{
    char *why;

    if (!s->in.why || s->in.why == s->why)
        return 0;
    why = strdup(s->in.why);
    s->in.why = why;
    free(s->why);
    s->why = why;
    return why ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

static int read_input(struct aero_replay *r, const struct lxe_json *line,
                      const bool *given, struct slot *slot,
                      struct lxe_err *err)
{
    int rc = aero_fields_read(lxe_json_get(line, "in"), aero_guest_fields,
                              aero_guest_field_count, given, &slot->in, err);

    if (!rc)
        rc = set_guest(r, slot, err);
    return rc && rc != -EDOM ? lxe_err_prefix(err, "in") : rc;
}

static int take_whole(struct aero_replay *r, uint32_t domid,
                      const struct lxe_json *line, struct lxe_err *err)
{
    const char *name = lxe_json_str(lxe_json_get(line, "name"));
    const char *reason = lxe_json_str(lxe_json_get(line, "reason"));
    struct slot slot = { .domid = domid, .target_kib = LXE_UNKNOWN };
    int rc;

    if (!name || !reason)
        return lxe_fail(err, -EINVAL, "'name' and 'reason' must be texts");
    rc = own_names(&slot, name, reason, err);
    if (!rc)
        rc = read_input(r, line, r->guest_given, &slot, err);
    if (!rc)
        rc = read_target(line, &slot.target_kib, err);
    if (!rc && slot.target_kib == LXE_UNKNOWN)
        rc = lxe_fail(err, -EINVAL, "'out' is missing");
    if (!rc)
        rc = own_why(&slot, err);
    if (!rc)
        rc = put(r, &slot, err);
    if (rc)
        free_texts(&slot);
    return rc;
}

/* Of a guest that is known: what of it is no more as it was. */
static int take_changes(struct aero_replay *r, uint32_t domid,
                        const struct lxe_json *line, struct lxe_err *err)
{
    bool all_given[AERO_FIELDS_MAX];
    size_t at = place_of(r, domid);
    int rc;

    if (!is_at(r, at, domid))
        return lxe_fail(err, -EINVAL, "domain %" PRIu32 " cannot change: it"
                        " was not there", domid);
    memset(all_given, true, sizeof(all_given));
    rc = read_input(r, line, all_given, &r->slots[at], err);
    if (!rc)
        rc = read_target(line, &r->slots[at].target_kib, err);
    return rc ? rc : own_why(&r->slots[at], err);
}

static int take_guest(struct aero_replay *r, const struct lxe_json *line,
                      struct lxe_err *err)
{
    uint64_t domid;
    int rc;

    if (!r->waiting)
        return lxe_fail(err, -EINVAL, "a guest's line, and none is due");
    r->waiting--;
    if (!r->whole)
        return 0;
    rc = need_u64(line, "domid", UINT32_MAX, &domid, err);
    if (!rc && lxe_json_get(line, "name"))
        rc = take_whole(r, (uint32_t)domid, line, err);
    else if (!rc)
        rc = take_changes(r, (uint32_t)domid, line, err);
    return rc || r->waiting ? rc : run_tick(r, err);
}

int aero_replay_line(struct aero_replay *r, const char *line, size_t len,
                     struct lxe_err *err)
{
    struct lxe_json *tree;
    int rc = lxe_json_parse(line, len, &tree, err);

    if (rc)
        return rc;
    if (lxe_json_get(tree, "domid"))
        rc = take_guest(r, tree, err);
    else if (lxe_json_get(tree, "tick"))
        rc = take_tick(r, tree, err);
    else if (lxe_json_get(tree, "decisions"))
        rc = take_head(r, tree, err);
    else
        rc = lxe_fail(err, -EINVAL, "not a line of a log of decisions");
    lxe_json_free(tree);
    return rc;
}

const char *aero_replay_unmet(const struct aero_replay *r)
{
    for (size_t i = 0; i < r->set_count; i++)
        if (r->sets[i].domain[0] && !r->sets[i].met)
            return r->sets[i].domain;
    return NULL;
}

struct aero_replay_counts aero_replay_end(struct aero_replay *r)
{
    r->counts.cut += r->waiting > 0;
    r->waiting = 0;
    return r->counts;
}
