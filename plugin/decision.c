/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decision.h"

#include <errno.h>
#include <string.h>

#define HOST(member)   AERO_FIELD(struct aero_policy_host, member)
#define GUEST(member)  AERO_FIELD(struct aero_policy_guest, member)
#define TARGET(member) AERO_FIELD(struct aero_policy_target, member)
#define HOST_FACT(member) AERO_FIELD(struct aero_host_facts, member)
#define FACT(member)   AERO_FIELD(struct aero_decision_facts, member)

const struct aero_field aero_host_fields[] = {
    HOST(free_kib),
    HOST(keep_free_kib),
    HOST(change_kib),
    HOST(shrink_part),
    HOST(dead_band_kib),
    HOST(slack_part),
    HOST(tax),
    HOST(missing_kib),
    HOST(no_surplus),
    HOST(short_nodes),
};
const size_t aero_host_field_count =
    sizeof(aero_host_fields) / sizeof(aero_host_fields[0]);

const struct aero_field aero_guest_fields[] = {
    GUEST(movable),
    GUEST(min_kib),
    GUEST(max_kib),
    GUEST(min_is_set),
    GUEST(shares),
    GUEST(demand_kib),
    GUEST(demand_known),
    GUEST(need_kib),
    GUEST(rise_kib),
    GUEST(fresh_kib),
    GUEST(keep_kib),
    GUEST(why),
    GUEST(target_kib),
    GUEST(held_kib),
    GUEST(floor_kib),
    GUEST(speed_kib_s),
    GUEST(stuck_shrink),
    GUEST(stuck_grow),
    GUEST(nodes),
};
const size_t aero_guest_field_count =
    sizeof(aero_guest_fields) / sizeof(aero_guest_fields[0]);

#define POOL(member) AERO_FIELD(struct aero_node_pool, member)

static const struct aero_field pool_fields[] = {
    POOL(free_kib),
    POOL(keep_kib),
};

static const struct aero_field target_fields[] = {
    TARGET(target_kib),
    TARGET(goal_kib),
    TARGET(idle),
    TARGET(price),
};

static const struct aero_field fact_fields[] = {
    FACT(state),
    FACT(source),
    FACT(age_ms),
    FACT(current_kib),
    FACT(target_kib),
    FACT(static_max_kib),
    FACT(need_kib),
    FACT(used_kib),
    FACT(available_kib),
    FACT(total_kib),
    FACT(swap_used_kib),
    FACT(swap_free_kib),
    FACT(refaults),
    FACT(swapins),
    FACT(psi_some_x100),
    FACT(active_kib),
    FACT(active_low_kib),
    FACT(active_high_kib),
    FACT(foreign_changes),
};

_Static_assert(sizeof(aero_host_fields) / sizeof(struct aero_field) <=
                       AERO_FIELDS_MAX &&
                   sizeof(aero_guest_fields) / sizeof(struct aero_field) <=
                       AERO_FIELDS_MAX,
               "AERO_FIELDS_MAX is too small");

static const struct aero_field host_fact_fields[] = {
    HOST_FACT(state),
    HOST_FACT(total_kib),
    HOST_FACT(claimed_kib),
    HOST_FACT(spare_kib),
};

static void write_kib(struct lxe_jw *w, const char *key, uint64_t kib)
{
    if (kib == LXE_UNKNOWN)
        lxe_jw_null(w, key);
    else
        lxe_jw_u64(w, key, kib);
}

void aero_decision_write_host(struct lxe_jw *w, uint64_t reserve_kib,
                              const struct aero_policy_host *host,
                              const struct aero_host_facts *facts)
{
    lxe_jw_u64(w, "reserve_kib", reserve_kib);
    lxe_jw_key(w, "host");
    lxe_jw_object(w);
    aero_fields_write(w, aero_host_fields, aero_host_field_count, host);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "host_facts");
    lxe_jw_object(w);
    aero_fields_write(w, AERO_FIELDS(host_fact_fields), facts);
    lxe_jw_end_object(w);
}

void aero_decision_write_nodes(struct lxe_jw *w,
                               const struct aero_node_pools *pools)
{
    if (!pools || !pools->count)
        return;
    lxe_jw_key(w, "nodes");
    lxe_jw_array(w);
    for (unsigned i = 0; i < pools->count; i++) {
        lxe_jw_object(w);
        aero_fields_write(w, AERO_FIELDS(pool_fields), &pools->nodes[i]);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

int aero_decision_read_nodes(const struct lxe_json *nodes,
                             struct aero_node_pools *pools,
                             struct lxe_err *err)
{
    size_t count = nodes ? lxe_json_count(nodes) : 0;

    *pools = (struct aero_node_pools){ 0 };
    if (nodes && (lxe_json_type(nodes) != LXE_JSON_ARRAY ||
                  count > LXE_NODES_MAX))
        return lxe_fail(err, -EINVAL, "nodes: not an array of at most %u",
                        LXE_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct aero_node_pool *pool = &pools->nodes[i];
        const char *unknown;
        int rc = aero_fields_read(lxe_json_at(nodes, i),
                                  AERO_FIELDS(pool_fields), NULL, pool, err);

        if (rc)
            return lxe_err_prefix(err, "nodes");
        unknown = aero_fields_unknown(AERO_FIELDS(pool_fields), pool);
        if (unknown)
            return lxe_fail(err, -EINVAL, "nodes: %s is not known", unknown);
    }
    pools->count = (unsigned)count;
    return 0;
}

void aero_decision_write(struct lxe_jw *w, const struct aero_decision *d)
{
    char reason[AERO_REASON_TEXT];

    lxe_jw_key(w, "in");
    lxe_jw_object(w);
    aero_fields_write(w, aero_guest_fields, aero_guest_field_count, &d->in);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "facts");
    lxe_jw_object(w);
    aero_fields_write(w, AERO_FIELDS(fact_fields), &d->facts);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "out");
    lxe_jw_object(w);
    aero_fields_write(w, AERO_FIELDS(target_fields), &d->out);
    lxe_jw_end_object(w);
    write_kib(w, "written_kib", d->written_kib);
    aero_reason_text(&d->out.reason, reason);
    lxe_jw_str(w, "reason", reason);
}

bool aero_decision_same(const struct aero_policy_guest *a, uint64_t a_kib,
                        const struct aero_policy_guest *b, uint64_t b_kib)
{
    if (a_kib != b_kib)
        return false;
    return !memcmp(a, b, sizeof(*a)) || /* at a glance */
           aero_fields_equal(aero_guest_fields, aero_guest_field_count, a, b);
}

int aero_decision_check_host(const struct aero_policy_host *host,
                             struct lxe_err *err)
{
    const char *unknown = aero_fields_unknown(aero_host_fields,
                                              aero_host_field_count, host);

    if (unknown)
        return lxe_fail(err, -ENODATA, "%s is not known", unknown);
    if (!host->change_kib)
        return lxe_fail(err, -EINVAL, "change_kib must not be 0");
    if (host->tax > AERO_TAX_MAX)
        return lxe_fail(err, -EINVAL, "tax must be at most %u, in"
                        " thousandths", AERO_TAX_MAX);
    return 0;
}

int aero_decision_check_guest(const struct aero_policy_guest *guest,
                              struct lxe_err *err)
{
    struct aero_policy_guest known = *guest;
    const char *unknown;

    /* Only who reports says what it needs; a speed may not be known. */
    known.need_kib = guest->demand_known ? guest->need_kib : 0;
    known.speed_kib_s = 0;
    unknown = aero_fields_unknown(aero_guest_fields, aero_guest_field_count,
                                  &known);
    if (unknown)
        return lxe_fail(err, -ENODATA, "%s is not known", unknown);
    if (guest->min_kib > guest->max_kib)
        return lxe_fail(err, -EINVAL, "min_kib is above max_kib");
    if (guest->shares < AERO_SHARES_MIN || guest->shares > AERO_SHARES_MAX)
        return lxe_fail(err, -EINVAL, "shares must be from %u to %u",
                        AERO_SHARES_MIN, AERO_SHARES_MAX);
    return 0;
}
