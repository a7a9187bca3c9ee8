/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

static void add(char out[AERO_REASON_TEXT], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char out[AERO_REASON_TEXT], const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out + len, AERO_REASON_TEXT - len, fmt, ap);
    va_end(ap);
}

/* Why it has no less. */
static const char *least(const struct aero_reason *r)
{
    if (!r->at_min)
        return "";
    return r->cannot_give ? " (what it uses and cannot give)" : " (minimum)";
}

static void say_cause(const struct aero_reason *r, char *out)
{
    char wanted[LXE_UNIT_TEXT], goal[LXE_UNIT_TEXT];

    lxe_format_kib(wanted, r->demand_kib);
    lxe_format_kib(goal, r->goal_kib);
    switch (r->cause) {
    case AERO_CAUSE_NONE:
        break;
    case AERO_CAUSE_UNTOUCHED:
        add(out, "%s: not touched", r->why);
        break;
    case AERO_CAUSE_FOREIGN:
        add(out, "managed by another (%s): not touched", r->why);
        break;
    case AERO_CAUSE_STUCK_SHRINK:
        add(out, "stuck: does not shrink below what it has");
        break;
    case AERO_CAUSE_STUCK_GROW:
        add(out, "stuck: does not grow beyond what it has");
        break;
    case AERO_CAUSE_LATE:
        add(out, "late: has not given yet what it was asked for; others do");
        break;
    case AERO_CAUSE_MINIMA:
        add(out, "host is short: less than all minima; minimum %s", goal);
        break;
    case AERO_CAUSE_LEFT:
        add(out, "%s: left as it is", r->why);
        break;
    case AERO_CAUSE_FOUND:
        add(out, "%s: %s", r->why, goal);
        break;
    case AERO_CAUSE_SHORT:
        add(out, "%s is short: %s of %s wanted, by %u shares%s",
            r->on_node ? "its NUMA node" : "host", goal, wanted, r->shares,
            least(r));
        break;
    case AERO_CAUSE_WANTS:
        add(out, "wants %s, %s%s", wanted, r->why,
            r->at_min && !r->cannot_give ? "; has its minimum" : "");
        break;
    case AERO_CAUSE_SURPLUS:
        add(out, "wants %s, %s; up to %s from the surplus%s", wanted, r->why,
            goal, r->at_max ? " (maximum)" : "");
        break;
    }
}

void aero_reason_text(const struct aero_reason *r, char out[AERO_REASON_TEXT])
{
    char goal[LXE_UNIT_TEXT];

    out[0] = '\0';
    say_cause(r, out);
    if (r->idle)
        add(out, "; idle tax: %u %% idle, price %.2g of the median",
            r->idle / 10, r->price);
    if (r->for_node)
        add(out, "; gives for others: memory is wanted on its NUMA node");
    if (r->hastened)
        add(out, "; somebody waits for memory: gives more meanwhile");
    else if (r->on_the_way)
        add(out, "; on the way to %s", lxe_format_kib(goal, r->goal_kib));
}
