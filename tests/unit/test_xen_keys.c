/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the real host keeps of domains' keys: an idle tick asks xenstored
 * nothing, and no change is missed. Ticks are the balancer's; xenstored is
 * fake_xenstore.c, and what is asked of libxl stands in for it here.
 */
#include "host_xen.c"

#include "balancer.h"
#include "fake_xenstore.h"
#include "unit.h"

#define GUESTS 50

static struct {
    libxl_dominfo infos[GUESTS + 1];
    int count;
} xen;

libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *count)
{
    libxl_dominfo *infos = calloc((size_t)xen.count, sizeof(*infos));

    (void)ctx;
    if (infos)
        memcpy(infos, xen.infos, (size_t)xen.count * sizeof(*infos));
    *count = xen.count;
    return infos;
}

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
    (void)ctx;
    for (int i = 0; i < xen.count; i++)
        if (xen.infos[i].domid == domid) {
            if (info)
                *info = xen.infos[i];
            return 0;
        }
    return ERROR_DOMAIN_NOTFOUND;
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *info)
{
    (void)ctx;
    info->total_pages = 8 << 20;
    info->free_pages = 1 << 20;
    return 0;
}

libxl_numainfo *libxl_get_numainfo(libxl_ctx *ctx, int *nr)
{
    (void)ctx;
    *nr = 1;
    return calloc(1, sizeof(libxl_numainfo));
}

int libxl_set_memory_target(libxl_ctx *ctx, uint32_t domid, int64_t kib,
                            int relative, int enforce)
{
    char path[LXE_XS_PATH], value[32];

    (void)ctx;
    (void)relative;
    (void)enforce;
    snprintf(value, sizeof(value), "%lld", (long long)kib);
    fake_xs_set(lxe_xs_path(path, domid, "memory/target"), value);
    for (int i = 0; i < xen.count; i++)
        if (xen.infos[i].domid == domid)
            xen.infos[i].max_memkb = (uint64_t)kib + 1024;
    return 0;
}

int libxl_ctx_alloc(libxl_ctx **ctx, int version, unsigned flags,
                    xentoollog_logger *logger)
{
    (void)version;
    (void)flags;
    (void)logger;
    *ctx = NULL;
    return 0;
}

int libxl_ctx_free(libxl_ctx *ctx)
{
    (void)ctx;
    return 0;
}

void libxl_childproc_setmode(libxl_ctx *ctx,
                             const libxl_childproc_hooks *hooks, void *user)
{
    (void)ctx;
    (void)hooks;
    (void)user;
}

/* ---- a host with guests, and a daemon's ticks ---- */

struct bed {
    struct xen_host x;
    struct aero_config config;
    struct aero_balancer balancer;
    unsigned starts;
    unsigned events;
};

static void set(uint32_t domid, const char *key, const char *value)
{
    char path[LXE_XS_PATH];

    fake_xs_set(lxe_xs_path(path, domid, key), value);
}

static const char *get(uint32_t domid, const char *key)
{
    char path[LXE_XS_PATH];
    const char *value = fake_xs_get(lxe_xs_path(path, domid, key));

    return value ? value : "";
}

static void add_guest(uint32_t domid, uint8_t uuid)
{
    libxl_dominfo *info = &xen.infos[xen.count++];

    memset(info, 0, sizeof(*info));
    info->domid = domid;
    info->uuid.uuid[0] = uuid;
    info->domain_type = LIBXL_DOMAIN_TYPE_HVM;
    info->current_memkb = 131072;
    info->max_memkb = 132096;
    info->vcpu_online = 1;
    info->cpu_time = 1;
    set(domid, "name", "guest");
    set(domid, "memory/target", "131072");
    set(domid, "memory/static-max", "262144");
    set(domid, "data/aerostat/report", "seq=1 total=120000 available=60000");
    fake_xs_special("@introduceDomain");
}

static void remove_guest(uint32_t domid)
{
    char path[LXE_XS_PATH];

    for (int i = 0; i < xen.count; i++)
        if (xen.infos[i].domid == domid)
            memmove(&xen.infos[i], &xen.infos[i + 1],
                    (size_t)(--xen.count - i) * sizeof(*xen.infos));
    fake_xs_remove(lxe_xs_path(path, domid, ""));
    fake_xs_special("@releaseDomain");
}

static int on_start(uint32_t domid, const char *to, void *data)
{
    struct bed *b = data;

    (void)domid;
    (void)to;
    b->starts++;
    return 0;
}

static void on_event(const struct lxe_event *event, void *data)
{
    struct bed *b = data;

    (void)event;
    b->events++;
}

/* As the daemon does it. Returns what it asked xenstored. */
static unsigned tick(struct bed *b)
{
    unsigned before = fake_xs_requests;
    uint64_t reconnects = b->balancer.reconnects;
    struct lxe_host *host = &b->x.host;

    host->ops->dispatch(host, on_event, b, NULL);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b->balancer), 0);
    if (b->balancer.reconnects != reconnects)
        CU_ASSERT_EQUAL(host->ops->watch(host, NULL), 0);
    return fake_xs_requests - before;
}

static void begin(struct bed *b, unsigned guests)
{
    struct lxe_err err = { 0 };

    memset(&xen, 0, sizeof(xen));
    *b = (struct bed){ .x = { .host = { &xen_ops }, .xs = xs_open(0) } };
    CU_ASSERT_EQUAL_FATAL(aero_config_read_text(
        "self_migration = [ \"guest=host2\" ]\n", "test.conf", &b->config,
        &err), 0);
    aero_balancer_init(&b->balancer, &b->x.host, &b->config);
    b->balancer.self_moves = (struct aero_self_moves){ .start = on_start,
                                                       .data = b };
    for (unsigned i = 1; i <= guests; i++)
        add_guest(i, (uint8_t)i);
    CU_ASSERT_EQUAL(b->x.host.ops->watch(&b->x.host, &err), 0);
    tick(b); /* prepares the keys, which is told by watches */
    tick(b);
}

static void end(struct bed *b)
{
    aero_balancer_clear(&b->balancer);
    aero_config_clear(&b->config);
    lxe_watch_close(b->x.watch);
    xs_close(b->x.xs);
    fake_xs_remove("/local");
}

static const struct lxe_domain *seen(struct bed *b, uint32_t domid)
{
    const struct aero_guest *g = aero_guests_find(&b->balancer.guests, domid);

    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    return &g->dom;
}

/* ---- tests ---- */

static void asks_nothing_when_idle(void)
{
    struct bed b;

    begin(&b, GUESTS);
    CU_ASSERT_EQUAL(b.balancer.guests.count, GUESTS);
    CU_ASSERT_EQUAL(seen(&b, GUESTS)->report.available_kib, 60000);
    b.events = 0;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(tick(&b), 0);
    CU_ASSERT_EQUAL(b.events, 0);
    /* other words in a guest's tree are none of ours */
    set(7, "data/other", "1");
    set(7, "device/vif/0/state", "4");
    set(7, "data/aerostat/report/below", "1");
    CU_ASSERT_EQUAL(tick(&b), 0);
    CU_ASSERT_EQUAL(b.events, 0);
    end(&b);
}

static void reads_what_changed(void)
{
    struct bed b;

    begin(&b, GUESTS);
    set(7, "data/aerostat/report", "seq=2 total=120000 available=50000");
    CU_ASSERT_EQUAL(tick(&b), 2); /* the report, and whether a drop waits */
    CU_ASSERT_EQUAL(seen(&b, 7)->report.available_kib, 50000);
    set(8, "memory/static-max", "200000");
    set(9, "name", "guest--incoming");
    set(10, "control/feature-balloon", "0");
    set(11, "memory/uncooperative", "");
    CU_ASSERT(tick(&b) <= 4 * 7);
    CU_ASSERT_EQUAL(seen(&b, 8)->static_max_kib, 200000);
    CU_ASSERT_TRUE(seen(&b, 9)->migrating);
    CU_ASSERT_TRUE(seen(&b, 10)->no_balloon);
    CU_ASSERT_TRUE(seen(&b, 11)->uncooperative);
    set(7, "data/aerostat/request", "drop 5");
    tick(&b);
    CU_ASSERT_TRUE(seen(&b, 7)->report.drop_pending);
    set(7, "data/aerostat/done", "5");
    tick(&b);
    CU_ASSERT_FALSE(seen(&b, 7)->report.drop_pending);
    CU_ASSERT_EQUAL(tick(&b), 0);
    end(&b);
}

/* Keys that go, with their directory or alone, and come again. */
static void notices_removal(void)
{
    struct bed b;

    begin(&b, 3);
    fake_xs_remove("/local/domain/2/data");
    fake_xs_remove("/local/domain/3/data/aerostat/report");
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 1)->report.source, LXE_REPORT_AGENT);
    CU_ASSERT_EQUAL(seen(&b, 2)->report.source, LXE_REPORT_NONE);
    CU_ASSERT_EQUAL(seen(&b, 3)->report.source, LXE_REPORT_NONE);
    set(2, "data/meminfo_total", "1000");
    set(2, "data/meminfo_free", "400");
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 2)->report.used_kib, 600);
    end(&b);
}

/* Others' reports count as new when they are written, with the same text. */
static void counts_writes(void)
{
    struct bed b;
    uint64_t seq;

    begin(&b, 1);
    fake_xs_remove("/local/domain/1/data/aerostat");
    set(1, "memory/meminfo", "77");
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 1)->report.source, LXE_REPORT_QUBES);
    seq = seen(&b, 1)->report.seq;
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 1)->report.seq, seq);
    set(1, "memory/meminfo", "77");
    tick(&b);
    CU_ASSERT_NOT_EQUAL(seen(&b, 1)->report.seq, seq);
    end(&b);
}

/* What we write ourselves is known before xenstored tells of it. */
static void knows_its_own_writes(void)
{
    struct lxe_domain_list list = { 0 };
    struct lxe_err err = { 0 };
    struct lxe_host *host;
    struct bed b;

    begin(&b, 2);
    host = &b.x.host;
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, 140000, &err), 0);
    CU_ASSERT_EQUAL(host->ops->drop_page_cache(host, 2, &err), 0);
    CU_ASSERT_EQUAL(host->ops->list_domains(host, &list, &err), 0);
    CU_ASSERT_EQUAL_FATAL(list.count, 2);
    CU_ASSERT_EQUAL(list.doms[0].target_kib, 140000);
    CU_ASSERT_TRUE(list.doms[1].report.drop_pending);
    lxe_domain_list_free(&list);
    end(&b);
}

static void serves_a_request_once(void)
{
    struct bed b;

    begin(&b, 3);
    set(2, "data/aerostat/move", "9 host3");
    tick(&b);
    CU_ASSERT_PTR_NOT_NULL(strstr(get(2, "data/aerostat/moved"),
                                  "9 refused"));
    set(2, "data/aerostat/moved", "as it was");
    tick(&b);
    CU_ASSERT_EQUAL(tick(&b), 0);
    CU_ASSERT_STRING_EQUAL(get(2, "data/aerostat/moved"), "as it was");
    end(&b);
}

/* The first look at a guest finds a request from before there was a watch. */
static void serves_an_old_request(void)
{
    struct bed b;

    begin(&b, 1);
    add_guest(2, 2);
    set(2, "data/aerostat/move", "4 host3");
    tick(&b);
    CU_ASSERT_PTR_NOT_NULL(strstr(get(2, "data/aerostat/moved"),
                                  "4 refused"));
    end(&b);
}

/* Whatever is written while xenstored is away is found when it is back. */
static void reads_all_after_a_restart(void)
{
    struct bed b;

    begin(&b, GUESTS);
    CU_ASSERT_EQUAL(tick(&b), 0);
    fake_xs_restart();
    set(3, "data/aerostat/move", "1 host3");
    set(4, "data/aerostat/report", "seq=2 total=120000 available=40000");
    tick(&b);
    CU_ASSERT_EQUAL(b.balancer.reconnects, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(get(3, "data/aerostat/moved"),
                                  "1 refused"));
    CU_ASSERT_EQUAL(seen(&b, 4)->report.available_kib, 40000);
    tick(&b);
    CU_ASSERT_EQUAL(tick(&b), 0);
    set(5, "data/aerostat/move", "1 host3");
    tick(&b);
    CU_ASSERT_PTR_NOT_NULL(strstr(get(5, "data/aerostat/moved"),
                                  "1 refused"));
    end(&b);
}

/* Without a watch a guest's keys are read each time. */
static void goes_on_without_watches(void)
{
    struct bed b;

    begin(&b, 2);
    fake_xs_watches_left = 0;
    add_guest(3, 3);
    tick(&b);
    tick(&b);
    set(3, "data/aerostat/report", "seq=2 total=120000 available=30000");
    set(3, "data/aerostat/move", "1 host3");
    CU_ASSERT(tick(&b) > 0);
    fake_xs_watches_left = UINT32_MAX;
    CU_ASSERT_EQUAL(seen(&b, 3)->report.available_kib, 30000);
    CU_ASSERT_PTR_NOT_NULL(strstr(get(3, "data/aerostat/moved"),
                                  "1 refused"));
    end(&b);
}

/* Only the watches' connection ends: it is known, and they can be set again,
 * also where that did not succeed at once. */
static void watches_again(void)
{
    struct lxe_err err = { 0 };
    struct lxe_host *host;
    struct bed b;

    begin(&b, 3);
    host = &b.x.host;
    fake_xs_cut_watchers();
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &b, &err), -ENOTCONN);
    set(2, "data/aerostat/report", "seq=2 total=120000 available=30000");
    CU_ASSERT(tick(&b) > 0);
    CU_ASSERT_EQUAL(b.balancer.reconnects, 0);
    CU_ASSERT_EQUAL(seen(&b, 2)->report.available_kib, 30000);
    fake_xs_watches_left = 0;
    CU_ASSERT_EQUAL(host->ops->watch(host, &err), -EIO);
    fake_xs_watches_left = UINT32_MAX;
    set(2, "data/aerostat/report", "seq=3 total=120000 available=20000");
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 2)->report.available_kib, 20000);
    CU_ASSERT_EQUAL(host->ops->watch(host, &err), 0);
    tick(&b);
    CU_ASSERT_EQUAL(tick(&b), 0);
    set(2, "data/aerostat/report", "seq=4 total=120000 available=10000");
    tick(&b);
    CU_ASSERT_EQUAL(seen(&b, 2)->report.available_kib, 10000);
    end(&b);
}

/* One domain cannot be watched: so none counts as watched. */
static void watches_not_all(void)
{
    struct lxe_err err = { 0 };
    struct lxe_host *host;
    struct bed b;

    begin(&b, 2);
    host = &b.x.host;
    fake_xs_cut_watchers();
    tick(&b);
    fake_xs_watches_left = 4;
    CU_ASSERT_EQUAL(host->ops->watch(host, &err), -EIO);
    fake_xs_watches_left = UINT32_MAX;
    CU_ASSERT_EQUAL(host->ops->watch(host, &err), 0);
    tick(&b);
    CU_ASSERT_EQUAL(tick(&b), 0);
    end(&b);
}

static void follows_domains(void)
{
    struct bed b;

    begin(&b, 3);
    remove_guest(2);
    tick(&b);
    CU_ASSERT_EQUAL(b.balancer.guests.count, 2);
    add_guest(9, 9);
    tick(&b);
    tick(&b);
    CU_ASSERT_EQUAL(tick(&b), 0);
    /* another one by the same number, of which no event was taken in */
    set(9, "name", "other");
    xen.infos[2].uuid.uuid[0] = 10;
    CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), 0);
    CU_ASSERT_STRING_EQUAL(seen(&b, 9)->name, "other");
    end(&b);
}

/* ---- whatever happens, what is kept is what is there ---- */

/* But for the answer to a request, which is ours. */
static const char *const random_keys[] = {
    "name", "memory", "memory/target", "memory/static-max",
    "memory/dynamic-min", "memory/dynamic-max", "memory/uncooperative",
    "memory/videoram", "memory/meminfo", "control",
    "control/feature-balloon", "data", "data/meminfo_free",
    "data/meminfo_total", "data/updated", "data/aerostat",
    "data/aerostat/report", "data/aerostat/request", "data/aerostat/done",
    "data/aerostat/move", "data/other",
};
#define KEYS (sizeof(random_keys) / sizeof(random_keys[0]))

static const char *const random_values[] = {
    "", "0", "1", "7 host3", "8 host4", "drop 5", "5", "web", "web--incoming",
    "131072", "999999", "-1", "seq=4 total=120000 available=1000",
    "seq=5 total=120000 available=2000", "nonsense",
};
#define VALUES (sizeof(random_values) / sizeof(random_values[0]))

static void change_key(uint64_t *seed)
{
    uint32_t domid = (uint32_t)unit_below(seed, 6) + 1;
    char path[LXE_XS_PATH];

    lxe_xs_path(path, domid, random_keys[unit_below(seed, KEYS)]);
    if (unit_below(seed, 4))
        fake_xs_set(path, random_values[unit_below(seed, VALUES)]);
    else
        fake_xs_remove(path);
}

static bool is_there(uint32_t domid)
{
    return !libxl_domain_info(NULL, NULL, domid);
}

static int by_domid(const void *a, const void *b)
{
    const libxl_dominfo *x = a, *y = b;

    return (x->domid > y->domid) - (x->domid < y->domid);
}

/* Comes, goes, or is another one by the same number before anybody looks. */
static void change_domain(uint64_t *seed)
{
    uint32_t domid = (uint32_t)unit_below(seed, 6) + 1;
    bool was = is_there(domid);

    if (was)
        remove_guest(domid);
    if (!was || unit_below(seed, 2)) {
        add_guest(domid, (uint8_t)unit_below(seed, 3));
        qsort(xen.infos, (size_t)xen.count, sizeof(*xen.infos), by_domid);
    }
}

/* What a host that keeps nothing would say. */
static void check_as_fresh(struct bed *b)
{
    struct xen_host fresh = { .host = { &xen_ops }, .xs = b->x.xs };
    struct lxe_domain_list is = { 0 }, was = { 0 };
    struct lxe_host *host = &b->x.host;

    CU_ASSERT_EQUAL_FATAL(host->ops->list_domains(host, &is, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(host->ops->list_domains(&fresh.host, &was, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(is.count, was.count);
    for (size_t i = 0; i < is.count; i++) {
        struct lxe_move_request r[2];

        if (is.doms[i].report.source != LXE_REPORT_AGENT)
            is.doms[i].report.seq = was.doms[i].report.seq;
        CU_ASSERT_EQUAL_FATAL(memcmp(&is.doms[i], &was.doms[i],
                                     offsetof(struct lxe_domain, name)), 0);
        CU_ASSERT_STRING_EQUAL_FATAL(is.doms[i].name, was.doms[i].name);
        host->ops->move_request(host, is.doms[i].domid, &r[0], NULL);
        host->ops->move_request(&fresh.host, is.doms[i].domid, &r[1], NULL);
        CU_ASSERT_EQUAL_FATAL(r[0].id, r[1].id);
        CU_ASSERT_STRING_EQUAL_FATAL(r[0].to, r[1].to);
    }
    lxe_domain_list_free(&is);
    lxe_domain_list_free(&was);
}

static void keeps_what_is_there(void)
{
    uint64_t seed = unit_seed();
    struct lxe_host *host;
    struct bed b;

    begin(&b, 3);
    host = &b.x.host;
    for (int i = 0; i < 5000; i++) {
        for (uint64_t n = unit_below(&seed, 4); n--;)
            change_key(&seed);
        if (!unit_below(&seed, 10))
            change_domain(&seed);
        if (!unit_below(&seed, 10))
            host->ops->get_domain(host, 2, &(struct lxe_domain){ 0 }, NULL);
        if (!unit_below(&seed, 10))
            host->ops->prepare_agent(host, 3, NULL);
        CU_ASSERT_FATAL(host->ops->dispatch(host, on_event, &b, NULL) >= 0);
        check_as_fresh(&b);
    }
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "asks nothing when idle", asks_nothing_when_idle },
        { "reads what changed", reads_what_changed },
        { "notices removal", notices_removal },
        { "counts writes", counts_writes },
        { "knows its own writes", knows_its_own_writes },
        { "serves a request once", serves_a_request_once },
        { "serves an old request", serves_an_old_request },
        { "reads all after a restart", reads_all_after_a_restart },
        { "goes on without watches", goes_on_without_watches },
        { "watches again", watches_again },
        { "watches all or says so", watches_not_all },
        { "follows domains", follows_domains },
        { "keeps what is there", keeps_what_is_there },
    };

    return unit_run("xen_keys", tests, sizeof(tests) / sizeof(tests[0]));
}
