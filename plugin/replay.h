/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a log of decisions (docs/decision-log.md) through the policy of this
 * program: lines in, and for each guest of each tick the target that was
 * logged and the one that comes out now. Pure, but for memory.
 *
 * Inputs can be set to other values than were logged. What a guest held is
 * then still as it was logged: each tick is answered by itself, and what the
 * other target would have led to is not simulated.
 */
#ifndef AERO_REPLAY_H
#define AERO_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "reason.h"

#define AERO_REPLAY_GUESTS 16384u /* at a time */
#define AERO_REPLAY_SETS   64u

struct aero_replayed {
    uint64_t tick;
    uint64_t time_ms;
    uint32_t domid;
    const char *name;       /* as are the reasons: valid during the call */
    uint64_t logged_kib;
    uint64_t now_kib;
    const char *logged_reason; /* of the last line about the guest */
    const struct aero_reason *now_reason;
};

typedef void aero_replayed_fn(const struct aero_replayed *decision,
                              void *data);

struct aero_replay_counts {
    uint64_t ticks;
    uint64_t skipped; /* ticks before the first whole one */
    uint64_t cut;     /* records whose writer did not live to end them */
};

struct aero_replay;

/* Makes one. @fn is called for each guest of each tick. NULL: no memory. */
struct aero_replay *aero_replay_new(aero_replayed_fn *fn, void *data);
void aero_replay_free(struct aero_replay *replay);

/*
 * Sets an input, before the first line: "KEY=VALUE" for the host or for all
 * guests, "DOMAIN.KEY=VALUE" for one, by name or domid. A KEY is a member of
 * the log's "host" or "in", with or without its _kib; "reserve" is the
 * constant part of keep_free_kib.
 * Returns 0, -EINVAL, -E2BIG.
 */
int aero_replay_set(struct aero_replay *replay, const char *text,
                    struct lxe_err *err);

/*
 * Takes one line, without its newline.
 * Returns 0; -EINVAL for one that is wrong, or in the wrong place; -ENODATA
 * for one that lacks an input; -EDOM where what was set is wrong, or does not
 * fit what the line tells; -ENOMEM; -E2BIG. After an error the replay can only
 * be freed.
 */
int aero_replay_line(struct aero_replay *replay, const char *line, size_t len,
                     struct lxe_err *err);

/* A domain of which something is set and no line told, yet; NULL: none. */
const char *aero_replay_unmet(const struct aero_replay *replay);

/* After the last line: what was read. */
struct aero_replay_counts aero_replay_end(struct aero_replay *replay);

#endif
