/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_state.h"

#include "base/clock.h"
#include "base/u64.h"

#define STUCK_RETRY_S   60u
#define STUCK_DOUBLINGS 4u
#define JUMP_S          60u

/* Less idle memory than this, or than 1/n of what it holds, is none. */
#define IDLE_MIN_KIB (32u << 10)
#define IDLE_PART    16u

#define RATE_PART    16u
#define RATE_MIN_KIB 128u
#define RATE_MAX_KIB (1u << 10)

const char *aero_guest_state_name(enum aero_guest_state state)
{
    static const char *const names[] = {
        [AERO_GUEST_ACTIVE] = "active",
        [AERO_GUEST_SLOW] = "slow",
        [AERO_GUEST_STUCK] = "stuck",
        [AERO_GUEST_BOOTING] = "booting",
        [AERO_GUEST_FIXED] = "fixed",
        [AERO_GUEST_FOREIGN] = "foreign",
        [AERO_GUEST_PAUSED] = "paused",
        [AERO_GUEST_BUILDING] = "building",
        [AERO_GUEST_MIGRATING] = "migrating",
        [AERO_GUEST_SHUTDOWN] = "shutdown",
        [AERO_GUEST_DYING] = "dying",
        [AERO_GUEST_HOST] = "host",
    };

    return names[state];
}

static bool booting(const struct aero_state_input *in)
{
    if (in->first_report_ns)
        return in->now_ns - in->first_report_ns <
               AERO_REPORTING_S * LXE_NS_PER_SEC;
    return in->now_ns - in->seen_ns < AERO_BOOT_S * LXE_NS_PER_SEC;
}

/* The state of a guest that must be left alone, else ACTIVE. */
static enum aero_guest_state untouchable(const struct aero_state_input *in)
{
    const struct lxe_domain *d = in->dom;

    if (d->domid == 0)
        return AERO_GUEST_HOST;
    if (d->dying)
        return AERO_GUEST_DYING;
    if (in->announced || d->migrating)
        return AERO_GUEST_MIGRATING;
    if (d->shutdown)
        return AERO_GUEST_SHUTDOWN;
    if (d->building || d->target_kib == LXE_UNKNOWN ||
        d->static_max_kib == LXE_UNKNOWN)
        return AERO_GUEST_BUILDING;
    if (d->paused || !d->running)
        return AERO_GUEST_PAUSED;
    if (d->no_balloon || d->uncooperative)
        return AERO_GUEST_FIXED;
    if (in->foreign)
        return AERO_GUEST_FOREIGN;
    return booting(in) ? AERO_GUEST_BOOTING : AERO_GUEST_ACTIVE;
}

static int way_to(uint64_t target_kib, uint64_t held_kib)
{
    uint64_t tolerance = aero_guest_tolerance_kib(target_kib);

    if (target_kib > held_kib + tolerance)
        return 1;
    return held_kib > target_kib + tolerance ? -1 : 0;
}

static void restart(struct aero_state_memory *m, int way, uint64_t held_kib,
                    uint64_t now_ns)
{
    m->way = way;
    m->mark_kib = held_kib;
    m->progress_ns = now_ns;
    m->woken = false;
}

static uint64_t expected_kib_s(const struct aero_state_input *in)
{
    uint64_t rate = in->fastest_kib_s / RATE_PART;

    if (rate < RATE_MIN_KIB)
        return RATE_MIN_KIB;
    return rate < RATE_MAX_KIB ? rate : RATE_MAX_KIB;
}

static bool progressed(const struct aero_state_input *in,
                       const struct aero_state_memory *m)
{
    uint64_t ms = (in->now_ns - m->progress_ns) / LXE_NS_PER_MS;
    uint64_t least = AERO_PROGRESS_KIB + expected_kib_s(in) * ms / 1000;

    return m->way > 0 ? in->held_kib >= m->mark_kib + least
                      : in->held_kib + least <= m->mark_kib;
}

static uint64_t notable_kib(const struct aero_state_input *in)
{
    return lxe_max(in->held_kib / IDLE_PART, IDLE_MIN_KIB);
}

/*
 * Whether a guest that did not shrink uses so much less by now that this may
 * have been why.
 */
static bool eased(const struct aero_state_input *in,
                  const struct aero_state_memory *m)
{
    if (in->idle_kib == LXE_UNKNOWN || m->stopped_idle_kib == LXE_UNKNOWN)
        return false;
    return in->idle_kib >= m->stopped_idle_kib + notable_kib(in);
}

/* Where a guest that should shrink stopped, for as long as that holds. */
static uint64_t find_floor(const struct aero_state_input *in,
                           struct aero_state_memory *m, uint64_t idle_ns)
{
    if (m->way < 0 && idle_ns >= AERO_SLOW_S * LXE_NS_PER_SEC) {
        m->stopped_idle_kib = m->floor_kib ? lxe_min(m->stopped_idle_kib,
                                                     in->idle_kib)
                                           : in->idle_kib;
        m->floor_kib = in->held_kib;
        m->floor_until_ns = in->now_ns + AERO_FLOOR_S * LXE_NS_PER_SEC;
    } else if (in->held_kib + AERO_PROGRESS_KIB <= m->floor_kib ||
               in->now_ns >= m->floor_until_ns || eased(in, m)) {
        m->floor_kib = 0;
    }
    return m->floor_kib;
}

/* One that uses all it has and does not shrink is asked for no more of that. */
static bool keeps_use(const struct aero_state_input *in,
                      struct aero_state_memory *m, uint64_t idle_ns)
{
    if (m->way < 0 && idle_ns >= AERO_SLOW_S * LXE_NS_PER_SEC &&
        in->now_ns >= m->keeps_until_ns && in->idle_kib != LXE_UNKNOWN &&
        in->idle_kib < notable_kib(in))
        m->keeps_until_ns = in->now_ns + AERO_KEEPS_S * LXE_NS_PER_SEC;
    return in->now_ns < m->keeps_until_ns;
}

static void get_stuck(struct aero_state_memory *m, uint64_t held_kib,
                      uint64_t now_ns)
{
    m->stuck_way = m->way;
    m->mark_kib = held_kib; /* from here it may show that it moves again */
    m->progress_ns = now_ns;
    m->stuck_until_ns =
        now_ns + ((uint64_t)STUCK_RETRY_S << m->stuck_count) * LXE_NS_PER_SEC;
    if (m->stuck_count < STUCK_DOUBLINGS)
        m->stuck_count++;
}

/* Follows how the guest moves towards its target. */
static void follow(const struct aero_state_input *in,
                   struct aero_state_memory *m,
                   struct aero_guest_condition *out)
{
    int way = way_to(in->dom->target_kib, in->held_kib);
    uint64_t idle_ns;

    /* Nobody looked for so long: the clock jumped, or we were stopped. */
    if (in->now_ns - m->last_ns > JUMP_S * LXE_NS_PER_SEC && !m->stuck_way)
        m->way = 0;
    m->last_ns = in->now_ns;
    if (way == 0 || way != m->way) {
        restart(m, way, in->held_kib, in->now_ns);
    } else if (progressed(in, m)) {
        restart(m, way, in->held_kib, in->now_ns);
        m->stuck_count = 0;
        if (m->stuck_way == way)
            m->stuck_way = 0;
    }
    if (m->stuck_way < 0 && eased(in, m))
        m->stuck_until_ns = in->now_ns;
    if (m->stuck_way && in->now_ns >= m->stuck_until_ns) {
        restart(m, way, in->held_kib, in->now_ns);
        m->stuck_way = 0;
    }
    idle_ns = in->now_ns - m->progress_ns;
    if (!m->stuck_way && idle_ns >= AERO_STUCK_S * LXE_NS_PER_SEC) {
        get_stuck(m, in->held_kib, in->now_ns);
    } else if (!m->woken && idle_ns >= AERO_WAKE_S * LXE_NS_PER_SEC) {
        m->woken = true;
        out->wake = true;
    }
    if (idle_ns >= AERO_SLOW_S * LXE_NS_PER_SEC)
        out->state = AERO_GUEST_SLOW;
    if (m->stuck_way)
        out->state = AERO_GUEST_STUCK;
    out->floor_kib = find_floor(in, m, idle_ns);
    out->keeps_use = keeps_use(in, m, idle_ns);
    out->stuck_shrink = m->stuck_way < 0;
    out->stuck_grow = m->stuck_way > 0;
}

void aero_guest_judge(const struct aero_state_input *in,
                      struct aero_state_memory *memory,
                      struct aero_guest_condition *out)
{
    *out = (struct aero_guest_condition){ .state = untouchable(in) };
    if (out->state == AERO_GUEST_ACTIVE)
        follow(in, memory, out);
    else
        restart(memory, 0, in->held_kib, in->now_ns);
}
