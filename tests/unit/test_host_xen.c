/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real host against a libxl, a Xen and a xenstore that stand in this
 * file: what libxl does to targets, limits and free memory, and what then has
 * to come out. The functions below take the place of the libraries'.
 */
#include "host_xen.c"

#include <libxl_utils.h>

#include <stdio.h>

#include "unit.h"

static struct {
    /* xenstore's, as text; NULL where a key is not there */
    const char *name, *target, *static_max, *videoram, *report, *meminfo;
    const char *meminfo_free, *meminfo_total, *request, *done;
    /* Xen's */
    libxl_dominfo info;
    libxl_physinfo physinfo;
    bool exists;
    /* how libxl behaves */
    bool commit_fails;  /* returns 0 all the same */
    bool other_writes;  /* somebody else's target stands there afterwards */
    int nodes;
    uint8_t affinity;
    int affinity_asked;
    int64_t asked_kib;
    int resumed;
    int suspend_rc, freed; /* what a save gives, and contexts given back */
    char written[32];
} fake;

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned *len)
{
    const struct {
        const char *path, *value;
    } keys[] = {
        { "/local/domain/7/name", fake.name },
        { "/local/domain/7/memory/target", fake.target },
        { "/local/domain/7/memory/static-max", fake.static_max },
        { "/local/domain/7/memory/videoram", fake.videoram },
        { "/local/domain/7/memory/meminfo", fake.meminfo },
        { "/local/domain/7/data/aerostat/report", fake.report },
        { "/local/domain/7/data/aerostat/request", fake.request },
        { "/local/domain/7/data/aerostat/done", fake.done },
        { "/local/domain/7/data/meminfo_free", fake.meminfo_free },
        { "/local/domain/7/data/meminfo_total", fake.meminfo_total },
        { "/libxl/7/type", "pvh" },
    };

    (void)h;
    (void)t;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (!strcmp(path, keys[i].path) && keys[i].value) {
            *len = (unsigned)strlen(keys[i].value);
            return strdup(keys[i].value);
        }
    errno = ENOENT;
    return NULL;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned *num)
{
    char **names = calloc(4, sizeof(*names));
    static char target[] = "target", max[] = "static-max";
    static char videoram[] = "videoram", meminfo[] = "meminfo";

    (void)h;
    (void)t;
    (void)path;
    *num = 0;
    if (fake.target)
        names[(*num)++] = target;
    if (fake.static_max)
        names[(*num)++] = max;
    if (fake.videoram)
        names[(*num)++] = videoram;
    if (fake.meminfo)
        names[(*num)++] = meminfo;
    return names;
}

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
    (void)ctx;
    if (!fake.exists || domid != 7)
        return ERROR_DOMAIN_NOTFOUND;
    if (info)
        *info = fake.info;
    return 0;
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *info)
{
    (void)ctx;
    *info = fake.physinfo;
    return 0;
}

libxl_numainfo *libxl_get_numainfo(libxl_ctx *ctx, int *nr)
{
    libxl_numainfo *info;

    (void)ctx;
    *nr = fake.nodes;
    if (!fake.nodes)
        return NULL;
    info = calloc((size_t)fake.nodes, sizeof(*info));
    for (int i = 0; i < fake.nodes; i++) {
        info[i].size = 4096ull << 20;
        info[i].free = i ? (uint64_t)i << 20 : LIBXL_NUMAINFO_INVALID_ENTRY;
    }
    return info;
}

int libxl_node_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *map, int max)
{
    (void)ctx;
    (void)max;
    map->size = 8;
    map->map = calloc(1, map->size);
    return 0;
}

int libxl_domain_get_nodeaffinity(libxl_ctx *ctx, uint32_t domid,
                                  libxl_bitmap *map)
{
    (void)ctx;
    if (!fake.exists || domid != 7)
        return ERROR_FAIL;
    map->map[0] = fake.affinity;
    fake.affinity_asked++;
    return 0;
}

/* As libxl does it, its habits included. */
int libxl_set_memory_target(libxl_ctx *ctx, uint32_t domid, int64_t kib,
                            int relative, int enforce)
{
    int64_t videoram = fake.videoram ? atoi(fake.videoram) : 0;

    (void)ctx;
    (void)domid;
    CU_ASSERT_EQUAL(relative, 0);
    CU_ASSERT_EQUAL(enforce, 1);
    if (!fake.exists)
        return ERROR_FAIL;
    fake.asked_kib = kib;
    fake.info.max_memkb = (uint64_t)kib + 1024;
    snprintf(fake.written, sizeof(fake.written), "%lld",
             (long long)(kib - videoram + (fake.other_writes ? 4 : 0)));
    if (!fake.commit_fails)
        fake.target = fake.written;
    return 0;
}

int libxl_domain_resume(libxl_ctx *ctx, uint32_t domid, int cooperative,
                        const libxl_asyncop_how *how)
{
    (void)ctx;
    (void)domid;
    (void)how;
    CU_ASSERT_EQUAL(cooperative, 1);
    fake.resumed++;
    return 0;
}

int libxl_ctx_alloc(libxl_ctx **ctx, int version, unsigned flags,
                    xentoollog_logger *logger)
{
    (void)version;
    (void)flags;
    (void)logger;
    *ctx = (libxl_ctx *)&fake;
    return 0;
}

void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks,
                             void *user)
{
    (void)ctx;
    (void)hooks;
    (void)user;
}

int libxl_domain_suspend(libxl_ctx *ctx, uint32_t domid, int fd, int flags,
                         const libxl_asyncop_how *how)
{
    (void)ctx;
    (void)domid;
    (void)fd;
    (void)flags;
    (void)how;
    return fake.suspend_rc;
}

int libxl_ctx_free(libxl_ctx *ctx)
{
    (void)ctx;
    fake.freed++;
    return 0;
}

static struct xen_host test_host = { .host = { &xen_ops } };

static void begin(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.exists = true;
    fake.name = "guest";
    fake.target = "131072";
    fake.static_max = "262144";
    fake.info.domid = 7;
    fake.info.domain_type = LIBXL_DOMAIN_TYPE_HVM;
    fake.info.current_memkb = 131136;
    fake.info.max_memkb = 132096;
    fake.info.vcpu_online = 1;
    fake.info.cpu_time = 1;
}

static int target(uint64_t kib)
{
    struct lxe_err err = { 0 };

    return set_target(&test_host.host, 7, kib, &err);
}

static void keeps_video_memory_out_of_targets(void)
{
    begin();
    fake.videoram = "8192";
    CU_ASSERT_EQUAL(target(100000), 0);
    CU_ASSERT_EQUAL(fake.asked_kib, 108192);
    CU_ASSERT_STRING_EQUAL(fake.target, "100000");
    /* set(get()) again and again shrinks nothing */
    CU_ASSERT_EQUAL(target(100000), 0);
    CU_ASSERT_STRING_EQUAL(fake.target, "100000");
    fake.videoram = "-1"; /* unset, as libxl writes it */
    CU_ASSERT_EQUAL(target(100000), 0);
    CU_ASSERT_STRING_EQUAL(fake.target, "100000");
}

static void refuses_targets_beyond_the_maximum(void)
{
    begin();
    CU_ASSERT_EQUAL(target(262144), 0);
    fake.asked_kib = 0;
    CU_ASSERT_EQUAL(target(262145), -EINVAL);
    fake.static_max = NULL;
    CU_ASSERT_EQUAL(target(1000), -EINVAL);
    CU_ASSERT_EQUAL(fake.asked_kib, 0);
}

static void notices_what_did_not_take(void)
{
    begin();
    fake.commit_fails = true;
    CU_ASSERT_EQUAL(target(100000), -ESTALE);
    begin();
    fake.other_writes = true;
    CU_ASSERT_EQUAL(target(100000), -ESTALE);
}

static void tells_gone_domains(void)
{
    struct lxe_domain dom;
    struct lxe_err err = { 0 };

    begin();
    fake.exists = false;
    CU_ASSERT_EQUAL(target(100000), -ESRCH);
    fake.static_max = NULL;
    CU_ASSERT_EQUAL(target(100000), -ESRCH);
    CU_ASSERT_EQUAL(get_domain(&test_host.host, 7, &dom, &err), -ESRCH);
    CU_ASSERT_EQUAL(resume(&test_host.host, 7, &err), -ESRCH);
}

static void counts_claims(void)
{
    struct lxe_host_memory m;
    struct lxe_err err = { 0 };

    begin();
    fake.physinfo = (libxl_physinfo){ .total_pages = 1000, .free_pages = 300,
                                      .scrub_pages = 50,
                                      .outstanding_pages = 120 };
    CU_ASSERT_EQUAL(memory(&test_host.host, &m, &err), 0);
    CU_ASSERT_EQUAL(m.free_kib, 230 * 4);
    CU_ASSERT_EQUAL(m.claimed_kib, 120 * 4);
    fake.physinfo.outstanding_pages = 400;
    CU_ASSERT_EQUAL(memory(&test_host.host, &m, &err), 0);
    CU_ASSERT_EQUAL(m.free_kib, 0);
}

static struct lxe_domain look(void)
{
    struct lxe_domain dom;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(get_domain(&test_host.host, 7, &dom, &err), 0);
    return dom;
}

static void tells_nodes(void)
{
    struct lxe_domain dom;
    struct lxe_numa numa;
    struct lxe_err err;

    begin();
    CU_ASSERT_EQUAL(xen_ops.numa(&test_host.host, &numa, &err), -EIO);
    fake.affinity = 6;
    fake.nodes = 1;
    CU_ASSERT_EQUAL(xen_ops.numa(&test_host.host, &numa, &err), 0);
    CU_ASSERT_EQUAL(numa.count, 1);
    CU_ASSERT_EQUAL(xen_ops.get_domain(&test_host.host, 7, &dom, &err), 0);
    CU_ASSERT_EQUAL(dom.nodes, 0);
    CU_ASSERT_EQUAL(fake.affinity_asked, 0); /* no cost with one node */
    fake.nodes = 3;
    CU_ASSERT_EQUAL(xen_ops.numa(&test_host.host, &numa, &err), 0);
    CU_ASSERT_EQUAL(numa.count, 3);
    CU_ASSERT_EQUAL(numa.nodes[0].size_kib, 4096 << 10);
    CU_ASSERT_EQUAL(numa.nodes[0].free_kib, 0);
    CU_ASSERT_EQUAL(numa.nodes[2].free_kib, 2 << 10);
    CU_ASSERT_EQUAL(xen_ops.get_domain(&test_host.host, 7, &dom, &err), 0);
    CU_ASSERT_EQUAL(dom.nodes, 6);
    fake.nodes = LXE_NODES_MAX + 1; /* more than are told apart */
    CU_ASSERT_EQUAL(xen_ops.numa(&test_host.host, &numa, &err), 0);
    CU_ASSERT_EQUAL(numa.count, 1);
}

static void tells_the_states_apart(void)
{
    begin();
    CU_ASSERT_EQUAL(look().type, LXE_DOM_PVH);
    CU_ASSERT_TRUE(look().running);
    CU_ASSERT_FALSE(look().building);
    fake.info.paused = true;
    CU_ASSERT_FALSE(look().building);
    fake.info.cpu_time = 0;
    CU_ASSERT_TRUE(look().building);
    begin();
    fake.target = NULL;
    CU_ASSERT_TRUE(look().building);
    CU_ASSERT_EQUAL(look().target_kib, LXE_UNKNOWN);
    begin();
    fake.target = "12x";
    CU_ASSERT_EQUAL(look().target_kib, LXE_UNKNOWN);
    begin();
    fake.name = "guest--incoming";
    CU_ASSERT_TRUE(look().migrating);
    fake.name = "guest--migratedaway";
    CU_ASSERT_TRUE(look().migrating);
    fake.name = "--incoming-guest";
    CU_ASSERT_FALSE(look().migrating);
}

static void takes_the_best_report(void)
{
    begin();
    CU_ASSERT_EQUAL(look().report.source, LXE_REPORT_NONE);
    CU_ASSERT_EQUAL(look().report.seq, 0);
    fake.meminfo_free = "40";
    fake.meminfo_total = "100";
    CU_ASSERT_EQUAL(look().report.source, LXE_REPORT_XENSERVER);
    CU_ASSERT_EQUAL(look().report.used_kib, 60);
    CU_ASSERT_NOT_EQUAL(look().report.seq, 0);
    fake.meminfo = "77";
    CU_ASSERT_EQUAL(look().report.source, LXE_REPORT_QUBES);
    CU_ASSERT_EQUAL(look().report.used_kib, 77);
    fake.report = "seq=1 total=100 available=130";
    CU_ASSERT_EQUAL(look().report.source, LXE_REPORT_QUBES);
    fake.report = "seq=1 total=100 available=30";
    CU_ASSERT_EQUAL(look().report.source, LXE_REPORT_AGENT);
}

static void tells_pending_requests(void)
{
    begin();
    fake.report = "seq=1 total=100 available=30";
    fake.request = "";
    CU_ASSERT_FALSE(look().report.drop_pending);
    fake.request = "drop 42";
    CU_ASSERT_TRUE(look().report.drop_pending);
    fake.done = "41";
    CU_ASSERT_TRUE(look().report.drop_pending);
    fake.done = "42x";
    CU_ASSERT_TRUE(look().report.drop_pending);
    fake.done = "42";
    CU_ASSERT_FALSE(look().report.drop_pending);
}

static void resumes_only_the_suspended(void)
{
    struct lxe_err err = { 0 };

    begin();
    CU_ASSERT_EQUAL(resume(&test_host.host, 7, &err), 0);
    fake.info.shutdown = true;
    fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_CRASH;
    CU_ASSERT_EQUAL(resume(&test_host.host, 7, &err), 0);
    CU_ASSERT_EQUAL(fake.resumed, 0);
    fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    CU_ASSERT_EQUAL(resume(&test_host.host, 7, &err), 0);
    CU_ASSERT_EQUAL(fake.resumed, 1);
}

/* libxl_ctx_free() aborts where the helper died while libxl waited for the
 * guest to suspend: the guest would stay suspended. */
static void does_not_free_what_failed(void)
{
    const struct lxe_save_args args = { .domid = 7, .stream_fd = -1 };
    struct lxe_err err = { 0 };

    begin();
    CU_ASSERT_EQUAL(save(&test_host.host, &args, &err), 0);
    CU_ASSERT_EQUAL(fake.freed, 1);
    fake.suspend_rc = ERROR_FAIL;
    CU_ASSERT_EQUAL(save(&test_host.host, &args, &err), -EIO);
    CU_ASSERT_EQUAL(fake.freed, 1);
}

static void translates_libxl_errors(void)
{
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(lxe_xen_errno(0), 0);
    CU_ASSERT_EQUAL(lxe_xen_errno(ERROR_NOMEM), -ENOMEM);
    CU_ASSERT_EQUAL(lxe_xen_errno(ERROR_DOMAIN_NOTFOUND), -ESRCH);
    CU_ASSERT_EQUAL(lxe_xen_errno(ERROR_FAIL), -EIO);
    CU_ASSERT_EQUAL(lxe_xen_errno(-9999), -EIO);
    CU_ASSERT_EQUAL(lxe_xen_fail(&err, ERROR_INVAL, "x %d", 5), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "x 5: "));
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "keeps video memory out", keeps_video_memory_out_of_targets },
        { "refuses beyond the maximum", refuses_targets_beyond_the_maximum },
        { "notices what did not take", notices_what_did_not_take },
        { "tells gone domains", tells_gone_domains },
        { "counts claims", counts_claims },
        { "tells nodes", tells_nodes },
        { "tells the states apart", tells_the_states_apart },
        { "takes the best report", takes_the_best_report },
        { "tells pending requests", tells_pending_requests },
        { "resumes only the suspended", resumes_only_the_suspended },
        { "does not free what failed", does_not_free_what_failed },
        { "translates libxl's errors", translates_libxl_errors },
    };

    return unit_run("host_xen", tests, sizeof(tests) / sizeof(tests[0]));
}
