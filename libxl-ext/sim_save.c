/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A save on a simulated host: libxc's rounds take their virtual time on the
 * scenario's wire, and nothing is written.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "sim_host.h"

/* libxc's own policy (xg_sr_save.c: simple_precopy_policy). */
#define MAX_ROUNDS  5
#define FEW_PAGES   50

/* One save; guests may vanish while it waits, so it keeps no pointer. */
struct save {
    struct lxe_sim *sim;
    uint32_t domid;
    struct lxe_err *err;
};

static struct lxe_sim_guest *find(const struct save *s)
{
    struct lxe_sim_guest *g = lxe_sim_world_find(&s->sim->world, s->domid);

    return g && !g->dying ? g : NULL;
}

static int send_pages(const struct save *s, uint64_t pages)
{
    uint64_t bps = s->sim->scenario->wire_mb_s * 1000000;
    double ns = (double)pages * LXE_PAGE_SIZE / (double)bps * 1e9;

    lxe_sim_wait(s->sim, (uint64_t)ns);
    if (find(s))
        return 0;
    return lxe_fail(s->err, -EIO, "domain %u went away while it was saved",
                    s->domid);
}

/* Sends round after round; *last gets what is left for the last pass. */
static int send_live(const struct save *s, uint64_t *last)
{
    for (unsigned round = 1;; round++) {
        int rc = send_pages(s, *last);

        if (rc)
            return rc;
        *last = lxe_sim_log_clean(find(s));
        lxe_debug("domain %u: round %u, %" PRIu64 " pages dirty", s->domid,
                  round, *last);
        if (round == MAX_ROUNDS || *last < FEW_PAGES)
            return 0;
    }
}

static int suspend(const struct save *s)
{
    struct lxe_sim_guest *g = find(s);

    if (!lxe_sim_guest_runs(g))
        return lxe_fail(s->err, -EIO, "domain %u did not suspend itself",
                        s->domid);
    g->suspended = true;
    lxe_sim_world_note_domains(&s->sim->world);
    return 0;
}

static int save_pages(const struct save *s, const struct lxe_save_args *args)
{
    uint64_t all = find(s)->given_kib / LXE_KIB_PER_PAGE, last = all;
    int rc = args->live ? send_live(s, &last) : 0;

    if (!rc)
        rc = suspend(s);
    if (!rc)
        rc = send_pages(s, last);
    if (!rc && args->verify)
        rc = send_pages(s, all);
    return rc;
}

static int save(const struct save *s, const struct lxe_save_args *args)
{
    struct lxe_sim_guest *g = find(s);
    int rc = 0;

    if (g->saving)
        return lxe_fail(s->err, -EIO, "domain %u is being saved already",
                        s->domid);
    if (!lxe_sim_guest_runs(g))
        return lxe_fail(s->err, -EIO, "domain %u does not run", s->domid);
    if (args->live)
        rc = lxe_sim_log_on(s->sim, g, s->err);
    if (rc)
        return rc;
    g->saving = true;
    rc = save_pages(s, args);
    g = find(s);
    if (g) {
        g->saving = false;
        if (args->live)
            lxe_sim_log_off(g);
    }
    return rc;
}

int lxe_sim_save(struct lxe_host *host, const struct lxe_save_args *args,
                 struct lxe_err *err)
{
    struct save s = { lxe_sim_of(host), args->domid, err };
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(s.sim, LXE_SIM_OP_SAVE, args->domid, &g,
                                  err);

    if (rc)
        return rc;
    rc = save(&s, args);
    lxe_sim_end(s.sim);
    return rc;
}
