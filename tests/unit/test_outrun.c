/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that write a hot set about as fast as the wire takes it, or faster,
 * beside the loop of stock Xen: five rounds, and then the last pass. Both are
 * lived through page by page in steps of 50 ms, with no clock. And what is
 * predicted of such a migration, beside what it becomes; also where the guest
 * writes more slowly while it is sent, and the report of the migration before
 * has to tell that.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "dirty_curve.h"
#include "precopy.h"
#include "predict.h"
#include "unit.h"

#define PAGES     40960u /* that the guest has, of which */
#define HOT       8192u  /* are written again and again, */
#define HOT_FIRST ((PAGES - HOT) / 2) /* from this one on */
#define WIRE_PPS  1460.0 /* 6 MB/s */
#define STEP_S    0.05
#define BATCH     1024u  /* pages, as libxc has it */
#define STOCK_ROUNDS 5u
#define KERNEL_PAGES 300u /* that are written while the guest suspends itself */
#define SUSPEND_NS   (50 * LXE_NS_PER_MS)

struct guest {
    bool sweeps;    /* one page after the other; else at random */
    double writes_s;
    double unrest;  /* by how much that varies, as a share of it */
    uint64_t seed;
};

/* One migration on its way. */
struct life {
    struct guest guest;
    bool skip;      /* pages that are dirty again */
    bool dirty[PAGES], round[PAGES], seen[PAGES];
    uint32_t at;    /* of the sweep */
    double mood, due_writes, due_sends;
    uint64_t sent, round_sent, offered; /* pages; the last of this round */
    double seconds; /* of this round */
    struct mig_dirty_curve curve;
    struct lxe_jw *report; /* NULL: none is wanted */
    double begun_s;        /* when the round did */
};

struct cost {
    uint64_t pages, last;
    uint32_t rounds;
};

static uint32_t count(const bool *pages)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < PAGES; i++)
        n += pages[i];
    return n;
}

/* How fast it writes just now: a mood that lasts some seconds. */
static double writes_now(struct life *l)
{
    double kick = (double)unit_below(&l->guest.seed, 2001) / 1000 - 1;

    l->mood = 0.97 * l->mood + 0.42 * l->guest.unrest * kick;
    return l->guest.writes_s * fmax(0, 1 + l->mood);
}

static void write_some(struct life *l)
{
    l->due_writes += writes_now(l) * STEP_S;
    for (; l->due_writes >= 1; l->due_writes--) {
        l->at = l->guest.sweeps ? (l->at + 1) % HOT
                                : (uint32_t)unit_below(&l->guest.seed, HOT);
        l->dirty[HOT_FIRST + l->at] = true;
    }
}

/* Returns where the round stands after a step. What is dirty again is looked
 * up at the begin of a batch. */
static uint32_t send_some(struct life *l, uint32_t pfn)
{
    l->due_sends += WIRE_PPS * STEP_S;
    for (; pfn < PAGES && l->due_sends >= 1; pfn++) {
        if (!l->round[pfn])
            continue;
        if (l->offered++ % BATCH == 0)
            memcpy(l->seen, l->dirty, sizeof(l->seen));
        if (l->skip && l->seen[pfn])
            continue;
        l->due_sends--;
        l->round_sent++;
    }
    return pfn;
}

/* Sends what is dirty. Returns how many pages are dirty after it. */
static uint32_t one_round(struct life *l)
{
    uint32_t pfn = 0;
    double sample_s = STEP_S;

    memcpy(l->round, l->dirty, sizeof(l->round));
    memset(l->dirty, 0, sizeof(l->dirty));
    l->seconds = 0;
    l->round_sent = l->offered = 0;
    l->curve.count = 0;
    while (pfn < PAGES) {
        pfn = send_some(l, pfn);
        write_some(l);
        l->seconds += STEP_S;
        if (l->seconds >= sample_s || pfn == PAGES)
            mig_dirty_curve_add(&l->curve, (uint64_t)(l->seconds * 1e9),
                                count(l->dirty));
        if (l->seconds >= sample_s)
            sample_s *= 2;
    }
    l->sent += l->round_sent;
    return count(l->dirty);
}

static struct life *begin(const struct guest *guest, bool skip)
{
    static struct life l;

    memset(&l, 0, sizeof(l));
    l.guest = *guest;
    l.skip = skip;
    memset(l.dirty, 1, sizeof(l.dirty));
    return &l;
}

static struct cost stock(const struct guest *guest)
{
    struct life *l = begin(guest, false);
    struct cost c = { .rounds = STOCK_ROUNDS };

    for (uint32_t i = 0; i < STOCK_ROUNDS; i++)
        c.last = one_round(l) + KERNEL_PAGES;
    c.pages = l->sent + c.last;
    return c;
}

/* One round as a report has it; the rate was the wire's. */
static void note_round(struct life *l, uint64_t dirty, uint64_t left)
{
    if (!l->report)
        return;
    lxe_jw_object(l->report);
    lxe_jw_u64(l->report, "dirty_pages", dirty);
    lxe_jw_u64(l->report, "sent_pages", l->round_sent);
    lxe_jw_u64(l->report, "left_pages", left);
    lxe_jw_double(l->report, "bytes",
                  (double)l->round_sent * MIG_PAGE_WIRE_BYTES);
    lxe_jw_double(l->report, "start_ms", l->begun_s * 1e3);
    lxe_jw_double(l->report, "duration_ms", l->seconds * 1e3);
    lxe_jw_double(l->report, "dirty_pages_per_s", 0);
    lxe_jw_u64(l->report, "limit_bps", 0);
    lxe_jw_double(l->report, "wire_bps", WIRE_PPS * MIG_PAGE_WIRE_BYTES);
    lxe_jw_end_object(l->report);
    l->begun_s += l->seconds;
}

static bool goes_on(const struct life *l, const struct mig_precopy_past *past,
                    uint32_t round, uint32_t left)
{
    const struct mig_precopy_limits limits = {
        .max_downtime_ns = 300 * LXE_NS_PER_MS,
        .max_rounds = 30,
        .stall_rounds = 5,
    };
    struct mig_precopy_in in = {
        .point = MIG_PRECOPY_ROUND_SENT,
        .round = round,
        .dirty_pages = left,
        .fixed_cost_ns = SUSPEND_NS,
        .suspend_pages = KERNEL_PAGES,
        .suspend_pps = mig_dirty_curve_slope_pps(&l->curve, INFINITY),
        .live_bps = WIRE_PPS * MIG_PAGE_WIRE_BYTES,
        .final_bps = WIRE_PPS * MIG_PAGE_WIRE_BYTES,
        .spread = 0.05,
        .past = *past,
        .next_pages = mig_dirty_curve_pages(&l->curve, left / WIRE_PPS * 1e9),
        .sent_pages = l->sent,
        .guest_pages = PAGES,
    };
    struct mig_precopy_out out;

    mig_precopy_decide(&limits, &in, &out);
    return out.verdict == MIG_PRECOPY_CONTINUE;
}

/* @report  gets the rounds; may be NULL */
static struct cost live(const struct guest *guest, struct lxe_jw *report)
{
    struct life *l = begin(guest, true);
    struct mig_precopy_past past;
    struct cost c = { 0 };
    uint32_t left = PAGES, dirty;

    l->report = report;
    mig_precopy_past_init(&past);
    do {
        dirty = left;
        left = one_round(l);
        note_round(l, dirty, left);
        mig_precopy_past_round(&past, l->round_sent, left, true);
    } while (goes_on(l, &past, c.rounds++, left));
    c.last = left + KERNEL_PAGES;
    c.pages = l->sent + c.last;
    l->round_sent = c.last;
    l->seconds = (double)c.last / WIRE_PPS;
    note_round(l, c.last, 0);
    return c;
}

static struct cost ours(const struct guest *guest)
{
    return live(guest, NULL);
}

/* Medians over guests that differ by their moods. */
struct ratios {
    double bytes, last, rounds;
};

#define RUNS 5

static double median(double v[RUNS])
{
    for (int i = 1; i < RUNS; i++)
        for (int j = i; j && v[j] < v[j - 1]; j--) {
            double x = v[j];

            v[j] = v[j - 1];
            v[j - 1] = x;
        }
    return v[RUNS / 2];
}

static struct ratios compare(bool sweeps, double speed)
{
    double bytes[RUNS], last[RUNS], rounds[RUNS];

    for (int i = 0; i < RUNS; i++) {
        struct guest g = { sweeps, speed * WIRE_PPS, 0.3, (uint64_t)i + 1 };
        struct cost a = stock(&g), b = ours(&g);

        bytes[i] = (double)b.pages / (double)a.pages;
        last[i] = (double)b.last / (double)a.last;
        rounds[i] = b.rounds;
    }
    return (struct ratios){ median(bytes), median(last), median(rounds) };
}

static void check(bool sweeps, double speed, double bytes, double last)
{
    struct ratios r = compare(sweeps, speed);

    printf("  %-8s %.1f of the wire: %.2f of stock's bytes, %.2f of its last"
           " pass, %.0f rounds\n", sweeps ? "sweeps" : "random", speed,
           r.bytes, r.last, r.rounds);
    CU_ASSERT(r.bytes <= bytes);
    CU_ASSERT(r.last <= last);
}

/* A set that is written at random, so fast: D(t) has a closed form. */
static struct mig_wws curve_of(double writes_s)
{
    struct mig_wws wws = { .domain_pages = PAGES, .windows = 4 };
    double t = 0.01;

    for (; wws.count < MIG_WWS_POINTS && t < 100; t *= 1.3) {
        double d = HOT * -expm1(-writes_s * t / HOT);

        wws.points[wws.count++] =
            (struct mig_wws_point){ (uint64_t)(t * 1e9), d, d, d };
    }
    return wws;
}

static struct mig_prediction foretold(double writes_s, double pace)
{
    struct mig_wws wws = curve_of(writes_s);
    struct mig_predict_in in = {
        .pages = PAGES,
        .wire_bps = WIRE_PPS * MIG_PAGE_WIRE_BYTES,
        .costs.usual = { .suspend_pages = KERNEL_PAGES, .pace = pace },
    };
    struct mig_prediction p;

    mig_limits_default(&in.limits);
    in.limits.suspend_cost_ns = SUSPEND_NS;
    in.limits.last_cost_ns = 0;
    mig_predict(&wws, &in, &p);
    return p;
}

static void check_foretold(double speed)
{
    struct guest g = { .writes_s = speed * WIRE_PPS, .seed = 1 };
    struct mig_prediction p = foretold(g.writes_s, 1);
    struct cost c = ours(&g);
    double bytes = (double)c.pages * MIG_PAGE_WIRE_BYTES;

    printf("  %.1f of the wire: %.0f rounds foretold, %u made; %.0f MB, %.0f;"
           " %.0f pages last, %lu\n", speed, p.rounds.expected, c.rounds,
           p.bytes.expected / 1e6, bytes / 1e6, p.last_pages.expected,
           (unsigned long)c.last);
    /* The last ones are of a few pages each, so some more are no matter. */
    CU_ASSERT_DOUBLE_EQUAL(p.rounds.expected, c.rounds, 1 + c.rounds / 3.0);
    CU_ASSERT_DOUBLE_EQUAL(p.bytes.expected, bytes, 0.1 * bytes);
    CU_ASSERT_DOUBLE_EQUAL(p.last_pages.expected, (double)c.last,
                           0.1 * (double)c.last);
}

/* But for those as fast as the wire, of which chance decides. */
static void test_foretold(void)
{
    static const double speeds[] = { 0.1, 0.3, 0.5, 0.7, 1.5, 3, 6, 20 };

    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
        check_foretold(speeds[i]);
}

/* What the report of one that was watched writing so fast tells of its pace. */
static double pace_of(const struct guest *guest, double watched_s)
{
    struct mig_wws wws = curve_of(watched_s);
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *report;
    struct mig_costs costs;
    const char *text;
    double bps;
    size_t len;

    lxe_jw_object(w);
    lxe_jw_str(w, "outcome", "moved");
    lxe_jw_key(w, "downtime_ms");
    lxe_jw_object(w);
    lxe_jw_double(w, "suspend", SUSPEND_NS / 1e6);
    lxe_jw_end_object(w);
    mig_wws_write(w, "wws", &wws);
    lxe_jw_key(w, "rounds");
    lxe_jw_array(w);
    live(guest, w);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(text, len, &report, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mig_costs_of_report(report, &costs, &bps), 0);
    lxe_json_free(report);
    lxe_jw_free(w);
    return costs.pace;
}

static double off(double foretold, double came)
{
    return fabs(foretold / came - 1);
}

/* How far off the last pass and the bytes of the first and of a later
 * migration are foretold. */
static void check_starved(double speed, double share)
{
    double watched_s = speed * WIRE_PPS;
    struct guest g = { .writes_s = share * watched_s, .seed = 1 };
    double pace = pace_of(&g, watched_s);
    struct mig_prediction a = foretold(watched_s, 1);
    struct mig_prediction b = foretold(watched_s, pace);
    double bytes, last;
    struct cost c;

    g.seed = 2;
    c = ours(&g);
    bytes = (double)c.pages * MIG_PAGE_WIRE_BYTES;
    last = (double)c.last;
    printf("  %.1f of the wire, %.0f %% of it while it is sent: pace %.2f; "
           "bytes off by %.0f %%, then %.0f %%; last pass by %.0f %%, then "
           "%.0f %%\n", speed, share * 100, pace,
           100 * off(a.bytes.expected, bytes),
           100 * off(b.bytes.expected, bytes),
           100 * off(a.last_pages.expected, last),
           100 * off(b.last_pages.expected, last));
    CU_ASSERT(off(a.last_pages.expected, last) > 1);
    CU_ASSERT(off(b.last_pages.expected, last) <= 0.1);
    CU_ASSERT(off(b.bytes.expected, bytes) <= 0.1);
    CU_ASSERT_DOUBLE_EQUAL(pace, share, 0.1 * share);
}

/* Sending takes what they ran on before. */
static void test_starved(void)
{
    check_starved(3, 0.06);
    check_starved(3, 0.15);
    check_starved(1.5, 0.33);
    check_starved(6, 0.05);
    check_starved(20, 0.02);
}

/* Faster than the wire: no rounds help, so few are made. */
static void test_outruns(void)
{
    check(true, 1.5, 0.8, 1.05);
    check(true, 3, 0.8, 1.05);
    check(true, 6, 0.8, 1.05);
    check(false, 3, 0.8, 1.05);
    check(false, 6, 0.8, 1.05);
}

/* About as fast as the wire: it may be reached, at the bytes that it takes. */
static void test_even(void)
{
    check(true, 1, 0.9, 1.05);
    check(false, 1, 0.95, 0.5);
    check(false, 1.5, 0.95, 0.75);
}

/* Slower than the wire: rounds shrink, and are let. */
static void test_slower(void)
{
    check(true, 0.7, 1, 0.4);
    check(false, 0.7, 1, 0.4);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "guests that outrun the wire", test_outruns },
        { "guests about as fast as the wire", test_even },
        { "guests slower than the wire", test_slower },
        { "what is foretold of them", test_foretold },
        { "guests that write more slowly while sent", test_starved },
    };

    return unit_run("outrun", tests, sizeof(tests) / sizeof(tests[0]));
}
