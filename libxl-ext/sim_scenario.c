/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim_scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

#define MAX_KIB     (UINT64_C(1) << 32) /* 4 TiB: bounds the dirty bitmaps */
#define MAX_RATE    UINT64_C(1000000000)
#define MAX_SECONDS 10000000.0

/* The file being read, and the field it is at: "guests[1].name". */
struct reader {
    const char *file;
    struct lxe_err *err;
    char path[160];
};

struct field;
typedef int parse_fn(struct reader *r, const struct lxe_json *node,
                     const struct field *field, void *out);

/* One field of an object: how it is read, and where its value goes. */
struct field {
    const char *name;
    parse_fn *parse;
    size_t offset;
    bool required;
    uint64_t min, max;        /* of a number */
    const char *const *words; /* of a choice; ends with NULL */
    const struct field *fields;
};

#define FIELD(field_name, fn, at, ...)                                        \
    {                                                                         \
        .name = field_name, .parse = fn, .offset = at, __VA_ARGS__            \
    }

/* ---- messages ---- */

static int refuse(const struct reader *r, const struct lxe_json *node,
                  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int refuse(const struct reader *r, const struct lxe_json *node,
                  const char *fmt, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return lxe_fail(r->err, -EINVAL, "%.160s: line %u: %s: %s", r->file,
                    lxe_json_line(node), *r->path ? r->path : "scenario",
                    what);
}

/* Goes down to a member or element; returns what leave() needs. */
static size_t enter(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static size_t enter(struct reader *r, const char *fmt, ...)
{
    size_t len = strlen(r->path);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r->path + len, sizeof(r->path) - len, fmt, ap);
    va_end(ap);
    return len;
}

static size_t enter_key(struct reader *r, const char *key)
{
    return enter(r, "%s%.60s", *r->path ? "." : "", key);
}

static void leave(struct reader *r, size_t len)
{
    r->path[len] = '\0';
}

static int wrong_type(const struct reader *r, const struct lxe_json *node,
                      const char *expected)
{
    return refuse(r, node, "expected %s, found %s", expected,
                  lxe_json_type_name(lxe_json_type(node)));
}

/* ---- values ---- */

static int parse_uint(struct reader *r, const struct lxe_json *node,
                      const struct field *field, void *out)
{
    uint64_t value;

    if (lxe_json_type(node) != LXE_JSON_NUMBER)
        return wrong_type(r, node, "a number");
    if (lxe_json_u64(node, &value) || value < field->min ||
        value > field->max)
        return refuse(r, node, "expected a whole number from %llu to %llu",
                      (unsigned long long)field->min,
                      (unsigned long long)field->max);
    *(uint64_t *)out = value;
    return 0;
}

/* Memory comes in pages. */
static int parse_kib(struct reader *r, const struct lxe_json *node,
                     const struct field *field, void *out)
{
    int rc = parse_uint(r, node, field, out);

    if (!rc && *(uint64_t *)out % LXE_KIB_PER_PAGE)
        rc = refuse(r, node, "expected whole pages, a multiple of 4 KiB");
    return rc;
}

static int parse_seconds(struct reader *r, const struct lxe_json *node,
                         const struct field *field, void *out)
{
    double value, min = (double)field->min / 1000;

    if (lxe_json_double(node, &value))
        return wrong_type(r, node, "a number");
    if (value < min || value > MAX_SECONDS)
        return refuse(r, node, "expected from %g to %.0f seconds", min,
                      MAX_SECONDS);
    *(uint64_t *)out = (uint64_t)(value * 1e9 + 0.5);
    return 0;
}

static int parse_step(struct reader *r, const struct lxe_json *node,
                      const struct field *field, void *out)
{
    double value;

    (void)field;
    if (lxe_json_double(node, &value))
        return wrong_type(r, node, "a number");
    if (value < 0.01 || value > 1)
        return refuse(r, node, "expected from 0.01 to 1 seconds");
    *(uint64_t *)out = (uint64_t)(value * 1e9 + 0.5);
    return 0;
}

static int parse_speed(struct reader *r, const struct lxe_json *node,
                       const struct field *field, void *out)
{
    double value;

    (void)field;
    if (lxe_json_double(node, &value))
        return wrong_type(r, node, "a number");
    if (value < 0.01 || value > 1000)
        return refuse(r, node, "expected a number from 0.01 to 1000");
    *(double *)out = value;
    return 0;
}

static int parse_bool(struct reader *r, const struct lxe_json *node,
                      const struct field *field, void *out)
{
    (void)field;
    return lxe_json_bool(node, out) ? wrong_type(r, node, "true or false") : 0;
}

static int parse_name(struct reader *r, const struct lxe_json *node,
                      const struct field *field, void *out)
{
    const char *text = lxe_json_str(node);

    (void)field;
    if (!text)
        return wrong_type(r, node, "a string");
    if (!*text || strlen(text) >= LXE_DOM_NAME)
        return refuse(r, node, "expected a name of 1 to %d bytes",
                      LXE_DOM_NAME - 1);
    strcpy(out, text);
    return 0;
}

static int parse_word(struct reader *r, const struct lxe_json *node,
                      const struct field *field, void *out)
{
    const char *text = lxe_json_str(node);
    char known[128] = "";

    if (!text)
        return wrong_type(r, node, "a string");
    for (unsigned i = 0; field->words[i]; i++) {
        size_t len = strlen(known);

        if (!strcmp(text, field->words[i])) {
            *(unsigned *)out = i;
            return 0;
        }
        snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
                 field->words[i]);
    }
    return refuse(r, node, "'%.40s' is not one of %s", text, known);
}

/* ---- objects and arrays ---- */

static const struct field *find_field(const struct field *fields,
                                      const char *name)
{
    for (; fields->name; fields++)
        if (!strcmp(fields->name, name))
            return fields;
    return NULL;
}

static int parse_fields(struct reader *r, const struct lxe_json *node,
                        const struct field *fields, void *out)
{
    int rc = 0;

    if (lxe_json_type(node) != LXE_JSON_OBJECT)
        return wrong_type(r, node, "an object");
    for (size_t i = 0; !rc && i < lxe_json_count(node); i++) {
        const char *key = lxe_json_key_at(node, i);
        const struct field *f = find_field(fields, key);
        size_t len = enter_key(r, key);

        if (f)
            rc = f->parse(r, lxe_json_at(node, i), f,
                          (char *)out + f->offset);
        else
            rc = refuse(r, lxe_json_at(node, i),
                        "unknown field; see docs/scenarios.md");
        leave(r, len);
    }
    for (const struct field *f = fields; !rc && f->name; f++)
        if (f->required && !lxe_json_get(node, f->name)) {
            size_t len = enter_key(r, f->name);

            rc = refuse(r, node, "is missing");
            leave(r, len);
        }
    return rc;
}

static int parse_object(struct reader *r, const struct lxe_json *node,
                        const struct field *field, void *out)
{
    return parse_fields(r, node, field->fields, out);
}

/* Room for an array's elements, zeroed. An empty array has some, too. */
static int make_array(struct reader *r, const struct lxe_json *node,
                      size_t min, size_t max, size_t size, void **out)
{
    size_t count = lxe_json_count(node);

    if (lxe_json_type(node) != LXE_JSON_ARRAY)
        return wrong_type(r, node, "an array");
    if (count < min || count > max)
        return refuse(r, node, "expected %zu to %zu elements, found %zu", min,
                      max, count);
    *out = calloc(count + 1, size);
    if (!*out)
        return lxe_fail(r->err, -ENOMEM, "%.160s: out of memory", r->file);
    return 0;
}

static int parse_point(struct reader *r, const struct lxe_json *node,
                       struct lxe_sim_point *out)
{
    static const struct field at = { .min = 0 };
    static const struct field used = { .max = MAX_KIB };
    int rc;

    if (lxe_json_type(node) != LXE_JSON_ARRAY || lxe_json_count(node) != 2)
        return refuse(r, node, "expected [seconds, KiB used]");
    rc = parse_seconds(r, lxe_json_at(node, 0), &at, &out->at_ns);
    return rc ? rc
              : parse_uint(r, lxe_json_at(node, 1), &used, &out->used_kib);
}

/* The only field whose value takes two members: @out is the guest. */
static int parse_demand(struct reader *r, const struct lxe_json *node,
                        const struct field *field, void *out)
{
    struct lxe_sim_guest_def *def = out;
    void *points;
    int rc = make_array(r, node, 1, LXE_SIM_MAX_POINTS,
                        sizeof(*def->demand), &points);

    (void)field;
    if (rc)
        return rc;
    def->demand = points;
    def->demand_count = lxe_json_count(node);
    for (size_t i = 0; !rc && i < def->demand_count; i++) {
        size_t len = enter(r, "[%zu]", i);
        struct lxe_sim_point *p = &def->demand[i];

        rc = parse_point(r, lxe_json_at(node, i), p);
        if (!rc && i && p->at_ns <= p[-1].at_ns)
            rc = refuse(r, lxe_json_at(node, i),
                        "expected a later time than the point before");
        leave(r, len);
    }
    return rc;
}

/* ---- guests ---- */

static const char *const type_words[] = { "pv", "hvm", "pvh", NULL };
static const char *const report_words[] = { "none", "agent", "qubes",
                                            "xenserver", NULL };
static const char *const action_words[] = { "create", "destroy", "pause",
                                            "unpause", NULL };

#define W(member) offsetof(struct lxe_sim_writes, member)
static const struct field write_fields[] = {
    FIELD("hot_kib", parse_kib, W(hot_kib), .max = MAX_KIB),
    FIELD("hot_pages_s", parse_uint, W(hot_pages_s), .max = MAX_RATE),
    FIELD("uniform_pages_s", parse_uint, W(uniform_pages_s), .max = MAX_RATE),
    { 0 },
};

#define G(member) offsetof(struct lxe_sim_guest_def, member)
static const struct field guest_fields[] = {
    FIELD("name", parse_name, G(name), .required = true),
    FIELD("type", parse_word, G(type), .words = type_words),
    FIELD("vcpus", parse_uint, G(vcpus), .min = 1, .max = 512),
    FIELD("memory_kib", parse_kib, G(memory_kib), .required = true, .min = 4,
      .max = MAX_KIB),
    FIELD("static_max_kib", parse_kib, G(static_max_kib), .min = 4,
      .max = MAX_KIB),
    FIELD("videoram_kib", parse_kib, G(videoram_kib), .max = 1u << 20),
    FIELD("dynamic_min_kib", parse_kib, G(dynamic_min_kib), .max = MAX_KIB),
    FIELD("dynamic_max_kib", parse_kib, G(dynamic_max_kib), .max = MAX_KIB),
    FIELD("balloon_kib_s", parse_uint, G(balloon_kib_s), .min = 1,
      .max = MAX_RATE),
    FIELD("node", parse_uint, G(node), .max = LXE_NODES_MAX - 1),
    FIELD("balloon_step_kib", parse_kib, G(balloon_step_kib), .min = 4,
      .max = 1u << 20),
    FIELD("floor_kib", parse_kib, G(floor_kib), .max = MAX_KIB),
    FIELD("stuck", parse_bool, G(stuck)),
    FIELD("stuck_every_s", parse_seconds, G(stuck_every_ns), .min = 10),
    FIELD("greedy", parse_bool, G(greedy)),
    FIELD("no_balloon", parse_bool, G(no_balloon)),
    FIELD("uncooperative", parse_bool, G(uncooperative)),
    FIELD("migrating", parse_bool, G(migrating)),
    FIELD("report", parse_word, G(report), .words = report_words),
    FIELD("report_s", parse_seconds, G(report_ns), .min = 10),
    FIELD("report_percent", parse_uint, G(report_percent), .max = 1000),
    FIELD("demand", parse_demand, 0),
    FIELD("demand_steps", parse_bool, G(demand_steps)),
    FIELD("patient_kib", parse_kib, G(patient_kib), .max = MAX_KIB),
    FIELD("swap_kib", parse_kib, G(swap_kib), .max = MAX_KIB),
    FIELD("page_cache_kib", parse_kib, G(page_cache_kib), .max = MAX_KIB),
    FIELD("page_cache_hot_kib", parse_kib, G(page_cache_hot_kib),
      .max = MAX_KIB),
    FIELD("page_cache_fill_s", parse_seconds, G(page_cache_fill_ns), .min = 10),
    FIELD("drop_s", parse_seconds, G(drop_ns)),
    FIELD("writes", parse_object, G(writes), .fields = write_fields),
    FIELD("passthrough", parse_bool, G(passthrough)),
    FIELD("paging_pool_kib", parse_kib, G(paging_pool_kib), .min = 4,
          .max = MAX_KIB),
    FIELD("absent", parse_bool, G(absent)),
    FIELD("build_s", parse_seconds, G(build_ns)),
    FIELD("dying_s", parse_seconds, G(dying_ns)),
    { 0 },
};

static void guest_defaults(struct lxe_sim_guest_def *def)
{
    def->type = LXE_DOM_PVH;
    def->vcpus = 1;
    def->balloon_step_kib = 2048;
    def->report_percent = 100;
    def->page_cache_fill_ns = 60 * LXE_NS_PER_SEC;
    def->drop_ns = LXE_NS_PER_SEC;
    def->dynamic_min_kib = LXE_UNKNOWN;
    def->dynamic_max_kib = LXE_UNKNOWN;
    def->node = LXE_UNKNOWN;
}

/* What depends on other fields. */
static int guest_derive(struct reader *r, struct lxe_sim_guest_def *def)
{
    if (!def->static_max_kib)
        def->static_max_kib = def->memory_kib + def->videoram_kib;
    if (!def->report_ns)
        def->report_ns = (def->report == LXE_REPORT_XENSERVER ? 120 : 1) *
                         LXE_NS_PER_SEC;
    if (!def->paging_pool_kib)
        def->paging_pool_kib = 2 * (def->static_max_kib / 256 + 1024);
    if (def->demand)
        return 0;
    def->demand = calloc(1, sizeof(*def->demand));
    if (!def->demand)
        return lxe_fail(r->err, -ENOMEM, "%.160s: out of memory", r->file);
    def->demand[0].used_kib = def->memory_kib / 2;
    def->demand_count = 1;
    return 0;
}

/* Refuses the value of a field of this guest that does not fit the others. */
static int refuse_field(struct reader *r, const struct lxe_json *node,
                        const char *field, const char *why)
{
    size_t len = enter_key(r, field);
    const struct lxe_json *at = lxe_json_get(node, field);
    int rc = refuse(r, at ? at : node, "%s", why);

    leave(r, len);
    return rc;
}

static int guest_check(struct reader *r, const struct lxe_json *node,
                       const struct lxe_sim_guest_def *def)
{
    if (!strcmp(def->name, "Domain-0"))
        return refuse_field(r, node, "name", "is dom0's: see 'host'");
    if (def->videoram_kib && def->type != LXE_DOM_HVM)
        return refuse_field(r, node, "videoram_kib",
                            "only a guest of type hvm has video memory");
    if (def->memory_kib + def->videoram_kib > def->static_max_kib)
        return refuse_field(r, node, "static_max_kib",
                            "is less than memory_kib + videoram_kib");
    if (def->floor_kib > def->memory_kib)
        return refuse_field(r, node, "floor_kib", "is more than memory_kib");
    if (def->page_cache_hot_kib > def->page_cache_kib)
        return refuse_field(r, node, "page_cache_hot_kib",
                            "is more than page_cache_kib");
    if (def->writes.hot_kib > def->static_max_kib)
        return refuse_field(r, node, "writes",
                            "hot_kib is more than static_max_kib");
    if (!def->writes.hot_kib != !def->writes.hot_pages_s)
        return refuse_field(r, node, "writes",
                            "hot_kib and hot_pages_s go together");
    return 0;
}

static int parse_guest(struct reader *r, const struct lxe_json *node,
                       struct lxe_sim_guest_def *def)
{
    int rc;

    guest_defaults(def);
    rc = parse_fields(r, node, guest_fields, def);
    if (!rc)
        rc = guest_derive(r, def);
    return rc ? rc : guest_check(r, node, def);
}

static bool guest_find(const struct lxe_sim_scenario *s, size_t below,
                       const char *name, size_t *index)
{
    for (*index = 0; *index < below; ++*index)
        if (!strcmp(s->guests[*index].name, name))
            return true;
    return false;
}

static int parse_guests(struct reader *r, const struct lxe_json *node,
                        const struct field *field, void *out)
{
    struct lxe_sim_scenario *s = out;
    void *guests;
    size_t other;
    int rc = make_array(r, node, 0, LXE_SIM_MAX_GUESTS, sizeof(*s->guests),
                        &guests);

    (void)field;
    if (rc)
        return rc;
    s->guests = guests;
    s->guest_count = lxe_json_count(node);
    for (size_t i = 0; !rc && i < s->guest_count; i++) {
        size_t len = enter(r, "[%zu]", i);
        const struct lxe_json *at = lxe_json_at(node, i);

        rc = parse_guest(r, at, &s->guests[i]);
        if (!rc && guest_find(s, i, s->guests[i].name, &other))
            rc = refuse_field(r, at, "name", "another guest has this name");
        leave(r, len);
    }
    return rc;
}

/* ---- events ---- */

#define E(member) offsetof(struct lxe_sim_event, member)
static const struct field event_fields[] = {
    FIELD("at_s", parse_seconds, E(at_ns), .required = true),
    FIELD("do", parse_word, E(action), .required = true, .words = action_words),
    FIELD("guest", parse_name, E(guest), .required = true),
    { 0 },
};

static int parse_events(struct reader *r, const struct lxe_json *node,
                        const struct field *field, void *out)
{
    struct lxe_sim_scenario *s = out;
    void *events;
    int rc = make_array(r, node, 0, LXE_SIM_MAX_EVENTS, sizeof(*s->events),
                        &events);

    (void)field;
    if (rc)
        return rc;
    s->events = events;
    s->event_count = lxe_json_count(node);
    for (size_t i = 0; !rc && i < s->event_count; i++) {
        size_t len = enter(r, "[%zu]", i);
        const struct lxe_json *at = lxe_json_at(node, i);

        rc = parse_fields(r, at, event_fields, &s->events[i]);
        if (!rc && i && s->events[i].at_ns < s->events[i - 1].at_ns)
            rc = refuse_field(r, at, "at_s",
                              "is before the event that precedes it");
        leave(r, len);
    }
    return rc;
}

/* Only when all is read, since the events may stand before the guests. */
static int resolve_events(struct reader *r, const struct lxe_json *root,
                          struct lxe_sim_scenario *s)
{
    const struct lxe_json *list = lxe_json_get(root, "events");
    int rc = 0;

    for (size_t i = 0; !rc && i < s->event_count; i++) {
        struct lxe_sim_event *e = &s->events[i];

        if (!guest_find(s, s->guest_count, e->guest, &e->guest_index)) {
            size_t len = enter(r, "events[%zu]", i);

            rc = refuse_field(r, lxe_json_at(list, i), "guest",
                              "no guest has this name");
            leave(r, len);
        }
    }
    return rc;
}

/* ---- the host ---- */

#define S(member) offsetof(struct lxe_sim_scenario, member)
static const struct field host_fields[] = {
    FIELD("total_kib", parse_kib, S(total_kib), .required = true, .min = 4,
      .max = MAX_KIB),
    FIELD("xen_kib", parse_kib, S(xen_kib), .max = MAX_KIB),
    FIELD("dom0_kib", parse_kib, S(dom0.memory_kib), .min = 4, .max = MAX_KIB),
    FIELD("dom0_max_kib", parse_kib, S(dom0.static_max_kib), .min = 4,
      .max = MAX_KIB),
    FIELD("dom0_vcpus", parse_uint, S(dom0.vcpus), .min = 1, .max = 512),
    FIELD("scrub_kib_s", parse_uint, S(scrub_kib_s), .min = 1, .max = MAX_RATE),
    FIELD("wire_mb_s", parse_uint, S(wire_mb_s), .min = 1, .max = 1000000),
    FIELD("has_cap", parse_bool, S(has_cap)),
    FIELD("nodes", parse_uint, S(nodes), .min = 1, .max = LXE_NODES_MAX),
    { 0 },
};

static const struct field root_fields[] = {
    FIELD("seed", parse_uint, S(seed), .max = UINT64_MAX),
    FIELD("speed", parse_speed, S(speed)),
    FIELD("step_s", parse_step, S(step_ns)),
    FIELD("host", parse_object, 0, .required = true, .fields = host_fields),
    FIELD("guests", parse_guests, 0),
    FIELD("events", parse_events, 0),
    { 0 },
};

static void scenario_defaults(struct lxe_sim_scenario *s)
{
    s->seed = 1;
    s->speed = 1;
    s->step_ns = LXE_SIM_STEP_NS;
    s->xen_kib = 64 << 10;
    s->wire_mb_s = 125;
    s->has_cap = true;
    s->nodes = 1;
    guest_defaults(&s->dom0);
    strcpy(s->dom0.name, "Domain-0");
    s->dom0.type = LXE_DOM_PV;
    s->dom0.memory_kib = 512 << 10;
}

/* Only when all is read, since the host may stand after the guests. */
static int check_nodes(struct reader *r, const struct lxe_json *root,
                       const struct lxe_sim_scenario *s)
{
    const struct lxe_json *list = lxe_json_get(root, "guests");
    int rc = 0;

    for (size_t i = 0; !rc && i < s->guest_count; i++) {
        uint64_t node = s->guests[i].node;
        size_t len;

        if (node == LXE_UNKNOWN || node < s->nodes)
            continue;
        len = enter(r, "guests[%zu]", i);
        rc = refuse_field(r, lxe_json_at(list, i), "node",
                          "the host has no such node");
        leave(r, len);
    }
    return rc;
}

/* Does all that is there at the start fit into the host? */
static int check_fit(struct reader *r, const struct lxe_json *root,
                     const struct lxe_sim_scenario *s)
{
    uint64_t need = s->xen_kib + s->dom0.memory_kib;
    size_t len;
    int rc;

    for (size_t i = 0; i < s->guest_count; i++)
        if (!s->guests[i].absent)
            need += s->guests[i].memory_kib + s->guests[i].videoram_kib;
    if (need <= s->total_kib)
        return 0;
    len = enter(r, "host.total_kib");
    rc = refuse(r, lxe_json_get(lxe_json_get(root, "host"), "total_kib"),
                "Xen, dom0 and the guests at the start take %llu KiB, more "
                "than this", (unsigned long long)need);
    leave(r, len);
    return rc;
}

static int parse_dom0(struct reader *r, const struct lxe_json *root,
                      struct lxe_sim_scenario *s)
{
    size_t len = enter(r, "host");
    int rc = guest_derive(r, &s->dom0);

    if (!rc && s->dom0.memory_kib > s->dom0.static_max_kib)
        rc = refuse_field(r, lxe_json_get(root, "host"), "dom0_max_kib",
                          "is less than dom0_kib");
    leave(r, len);
    return rc;
}

static int read_root(const struct lxe_json *root, const char *name,
                     struct lxe_sim_scenario **out, struct lxe_err *err)
{
    struct reader r = { .file = name, .err = err };
    struct lxe_sim_scenario *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return lxe_fail(err, -ENOMEM, "%.160s: out of memory", name);
    scenario_defaults(s);
    rc = parse_fields(&r, root, root_fields, s);
    if (!rc)
        rc = parse_dom0(&r, root, s);
    if (!rc)
        rc = resolve_events(&r, root, s);
    if (!rc)
        rc = check_nodes(&r, root, s);
    if (!rc)
        rc = check_fit(&r, root, s);
    if (rc) {
        lxe_sim_scenario_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

int lxe_sim_scenario_parse(const char *text, size_t len, const char *name,
                           struct lxe_sim_scenario **out, struct lxe_err *err)
{
    struct lxe_json *root;
    int rc;

    *out = NULL;
    if (len > LXE_SIM_MAX_BYTES)
        return lxe_fail(err, -E2BIG, "%.160s is larger than %u bytes", name,
                        LXE_SIM_MAX_BYTES);
    rc = lxe_json_parse(text, len, &root, err);
    if (rc) {
        lxe_err_prefix(err, "%.160s", name);
        return rc;
    }
    rc = read_root(root, name, out, err);
    lxe_json_free(root);
    return rc;
}

int lxe_sim_scenario_load(const char *path, struct lxe_sim_scenario **out,
                          struct lxe_err *err)
{
    struct lxe_json *root;
    int rc;

    *out = NULL;
    rc = lxe_json_parse_file(path, LXE_SIM_MAX_BYTES, &root, err);
    if (rc)
        return rc;
    rc = read_root(root, path, out, err);
    lxe_json_free(root);
    return rc;
}

void lxe_sim_scenario_free(struct lxe_sim_scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t i = 0; i < scenario->guest_count; i++)
        free(scenario->guests[i].demand);
    free(scenario->guests);
    free(scenario->events);
    free(scenario->dom0.demand);
    free(scenario);
}
