/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "page_cache.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/u64.h"

#define POLL_LEAST_NS (10 * LXE_NS_PER_MS)
#define POLL_MOST_NS  (100 * LXE_NS_PER_MS)
#define DROP_WAIT_NS  (15 * LXE_NS_PER_SEC)
#define STALL_NS      (3 * LXE_NS_PER_SEC) /* the balloon came to its end */
#define REST_NS       LXE_NS_PER_SEC
#define ARRIVED_NS    (100 * LXE_NS_PER_MS)
#define UNREST_NS     (30 * LXE_NS_PER_SEC)
#define SHRINK_NS     (60 * LXE_NS_PER_SEC)
#define STEP_KIB      2048                 /* the balloon driver's */
#define DEFAULT_FLOOR (64 * 1024)

/*
 * What can be taken off: available memory but for the margin. A guest that
 * reports nothing is asked for half of what it has: its own driver gives no
 * more than it has available, and where it stops, we stop.
 */
static uint64_t spare_kib(const struct lxe_domain *dom, uint64_t margin_kib)
{
    uint64_t available = dom->report.available_kib;

    if (dom->report.source == LXE_REPORT_NONE || available == LXE_UNKNOWN)
        return dom->current_kib / 2;
    return available > margin_kib ? available - margin_kib : 0;
}

uint64_t mig_page_cache_target_kib(const struct lxe_domain *dom,
                                   uint64_t margin_kib, uint64_t floor_kib)
{
    uint64_t floor = lxe_max(floor_kib ? floor_kib : DEFAULT_FLOOR,
                             dom->current_kib / 4);
    uint64_t base = lxe_min(dom->current_kib, dom->target_kib);
    uint64_t spare = spare_kib(dom, margin_kib), target;

    if (dom->no_balloon || base <= floor)
        return dom->target_kib;
    target = lxe_max(base - lxe_min(spare, base), floor);
    target -= target % STEP_KIB;
    return target + STEP_KIB >= base ? dom->target_kib : target;
}

static bool is_cancelled(const struct mig_page_cache_plan *plan)
{
    return plan->cancelled && plan->cancelled(plan->data);
}

static void wait_ns(const struct mig_page_cache_plan *plan, uint64_t ns)
{
    if (plan->wait)
        plan->wait(plan->data, ns);
    else
        lxe_sleep_ns(ns);
}

/*
 * Waits for what is expected so soon. A look costs xenstored and Xen some
 * questions, and the guest waits for its processor meanwhile.
 */
static void wait_about(const struct mig_page_cache_plan *plan, uint64_t ns)
{
    wait_ns(plan, lxe_min(lxe_max(ns, POLL_LEAST_NS), POLL_MOST_NS));
}

/*
 * Asks the agent, and waits until it is done. What it reports needs no
 * refreshing: MemAvailable counts page cache as available anyway. Without an
 * agent, or with one that does not answer, the balloon does it all.
 */
static int drop(struct lxe_host *host, uint32_t domid,
                const struct mig_page_cache_plan *plan,
                struct mig_page_cache_result *result, struct lxe_err *err)
{
    uint64_t start_ns = host->ops->now_ns(host), waited_ns = 0;
    struct lxe_domain dom;
    struct lxe_err no_agent = { 0 };
    int rc = host->ops->drop_page_cache(host, domid, &no_agent);

    if (rc) {
        lxe_debug("page cache: %s", no_agent.text);
        return 0;
    }
    while (waited_ns < DROP_WAIT_NS) {
        if (is_cancelled(plan))
            return lxe_fail(err, -ECANCELED, "cancelled while the page cache"
                                             " was dropped");
        wait_about(plan, waited_ns / 4);
        rc = host->ops->get_domain(host, domid, &dom, err);
        if (rc)
            return rc;
        if (!dom.report.drop_pending) {
            result->dropped = true;
            return 0;
        }
        waited_ns = host->ops->now_ns(host) - start_ns;
    }
    lxe_warn("domain %u: its agent did not drop the page cache in time; the"
             " balloon squeezes it out instead", domid);
    return 0;
}

/* How long it will take at the speed so far. */
static uint64_t until_arrived_ns(uint64_t took_ns, uint64_t done_kib,
                                 uint64_t left_kib)
{
    if (!done_kib)
        return took_ns;
    return (uint64_t)((double)took_ns * (double)left_kib / (double)done_kib);
}

/* Waits until the guest is there, or comes no nearer. */
static int follow(struct lxe_host *host, struct lxe_domain *dom,
                  uint64_t goal_kib, const struct mig_page_cache_plan *plan,
                  struct lxe_err *err)
{
    uint64_t start_ns = host->ops->now_ns(host), moved_ns = start_ns;
    uint64_t start_kib = dom->current_kib, last_kib = start_kib;

    for (;;) {
        uint64_t now_ns;
        int rc = host->ops->get_domain(host, dom->domid, dom, err);

        if (rc)
            return rc;
        now_ns = host->ops->now_ns(host);
        if (plan->progress)
            plan->progress(plan->data, dom->current_kib, goal_kib);
        if (dom->current_kib < last_kib) {
            last_kib = dom->current_kib;
            moved_ns = now_ns;
        }
        if (dom->current_kib <= goal_kib || now_ns - moved_ns > STALL_NS ||
            now_ns - start_ns > SHRINK_NS)
            return 0;
        if (is_cancelled(plan))
            return lxe_fail(err, -ECANCELED,
                            "cancelled while the guest was made smaller");
        wait_about(plan, until_arrived_ns(now_ns - start_ns,
                                          start_kib - last_kib,
                                          last_kib - goal_kib));
    }
}

/*
 * Sets the target to where the guest came, so that its driver rests. A guest
 * may rest a little beside its target: Xen counts some pages that the
 * driver does not, and the difference stays as it was at the start.
 */
static int freeze(struct lxe_host *host, const struct lxe_domain *dom,
                  uint64_t goal_kib, uint64_t target_kib, struct lxe_err *err)
{
    if (dom->current_kib <= goal_kib)
        return 0;
    return host->ops->set_target(host, dom->domid,
                                 target_kib + (dom->current_kib - goal_kib),
                                 err);
}

static int shrink_to(struct lxe_host *host, struct lxe_domain *dom,
                     uint64_t target_kib,
                     const struct mig_page_cache_plan *plan,
                     struct mig_page_cache_result *result, struct lxe_err *err)
{
    uint64_t by_kib = lxe_min(dom->current_kib, dom->target_kib) - target_kib;
    uint64_t goal_kib = dom->current_kib - by_kib;
    int rc = host->ops->set_target(host, dom->domid, target_kib, err);

    if (!rc)
        rc = follow(host, dom, goal_kib, plan, err);
    if (!rc)
        rc = freeze(host, dom, goal_kib, target_kib, err);
    if (rc)
        return rc;
    result->after_kib = dom->current_kib;
    result->arrived = dom->current_kib == goal_kib;
    return 0;
}

int mig_page_cache_shrink(struct lxe_host *host, uint32_t domid,
                          const struct mig_page_cache_plan *plan,
                          struct mig_page_cache_result *result,
                          struct lxe_err *err)
{
    struct lxe_domain dom;
    uint64_t target_kib;
    int rc = host->ops->get_domain(host, domid, &dom, err);

    *result = (struct mig_page_cache_result){ 0 };
    if (rc || dom.target_kib == LXE_UNKNOWN)
        return rc;
    result->original_target_kib = dom.target_kib;
    result->before_kib = result->after_kib = dom.current_kib;
    rc = drop(host, domid, plan, result, err);
    if (!rc)
        rc = host->ops->get_domain(host, domid, &dom, err);
    if (rc)
        return rc;
    target_kib = mig_page_cache_target_kib(&dom, plan->margin_kib,
                                           plan->floor_kib);
    if (target_kib >= dom.target_kib)
        return 0;
    rc = shrink_to(host, &dom, target_kib, plan, result, err);
    if (rc)
        mig_page_cache_restore(host, domid, result, NULL);
    return rc;
}

int mig_page_cache_rest(struct lxe_host *host, uint32_t domid,
                        const struct mig_page_cache_plan *plan,
                        uint64_t *rest_kib, struct lxe_err *err)
{
    uint64_t start_ns = host->ops->now_ns(host), moved_ns = start_ns;
    uint64_t now_ns, rested_ns, least_ns, last_kib = LXE_UNKNOWN;
    struct lxe_domain dom;

    if (plan->seen_ns && plan->seen_ns <= start_ns) {
        last_kib = plan->seen_kib;
        moved_ns = plan->seen_ns;
    }
    for (;;) {
        int rc = host->ops->get_domain(host, domid, &dom, err);

        if (rc)
            return rc;
        now_ns = host->ops->now_ns(host);
        if (dom.current_kib != last_kib)
            moved_ns = now_ns;
        last_kib = dom.current_kib;
        rested_ns = now_ns - moved_ns;
        least_ns = last_kib == plan->goal_kib ? ARRIVED_NS : REST_NS;
        if (rested_ns >= least_ns)
            break;
        if (now_ns - start_ns > UNREST_NS)
            return lxe_fail(err, -EBUSY, "the balloon of %s still moves, from"
                            " a change of its target before; try again when"
                            " it rests", dom.name);
        if (is_cancelled(plan))
            return lxe_fail(err, -ECANCELED,
                            "cancelled while the guest's balloon came to rest");
        wait_about(plan, least_ns - rested_ns);
    }
    *rest_kib = last_kib;
    return 0;
}

uint64_t mig_page_cache_arrival_kib(uint64_t original_target_kib,
                                    uint64_t rest_target_kib,
                                    uint64_t rest_kib, uint64_t videoram_kib)
{
    return lxe_min(original_target_kib,
                   lxe_max(rest_target_kib, lxe_less(rest_kib, videoram_kib)));
}

int mig_page_cache_restore(struct lxe_host *host, uint32_t domid,
                           const struct mig_page_cache_result *result,
                           struct lxe_err *err)
{
    struct lxe_domain dom;
    int rc;

    if (!result->original_target_kib) /* it was never learnt, nor changed */
        return 0;
    rc = host->ops->get_domain(host, domid, &dom, err);
    if (rc || dom.target_kib == result->original_target_kib)
        return rc;
    return host->ops->set_target(host, domid, result->original_target_kib,
                                 err);
}
