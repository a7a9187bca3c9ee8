/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of decisions: what the policy was given and what it answered, as
 * lines of JSON (docs/decision-log.md), so that it can be run again
 * (xl mem-replay).
 *
 * A tick is written when something was done in it, or changed by more than a
 * little; numbers that drift are written every AERO_LOG_QUIET_TICKS. A record
 * has all that changed since the last one, so that the policy can be run on
 * it, and every AERO_LOG_FULL_TICKS it has everything. The file and its predecessor (.1) together never take more than the limit. A
 * disk that is full, or another error, ends the record, not the daemon: it is
 * told once, and tried again.
 */
#ifndef AERO_DECISION_LOG_H
#define AERO_DECISION_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tick.h"

#define AERO_LOG_FORMAT      2u /* of the lines */
#define AERO_LOG_LINE        (16u << 10) /* bytes that no line exceeds */
#define AERO_LOG_PATH        4096u
#define AERO_LOG_NAME        "decisions.jsonl"
#define AERO_LOG_FULL_TICKS  1800u
#define AERO_LOG_QUIET_TICKS 30u
#define AERO_LOG_RETRY_TICKS 30u /* after an error */

struct aero_decision_log;

/*
 * Opens DIR/decisions.jsonl to go on behind what is there, with mode 0640.
 * The directory is made if its parent is there.
 * @limit_bytes  of both files together
 * @version      of the program, for the first line
 * Returns 0, -ENOMEM, or open's errors.
 */
int aero_decision_log_open(const char *dir, uint64_t limit_bytes,
                           const char *version,
                           struct aero_decision_log **out,
                           struct lxe_err *err);

/* Writes what of a tick is news. A log that is NULL is none. */
void aero_decision_log_note(struct aero_decision_log *log,
                            const struct aero_tick *tick);

/* Closes it; NULL is fine. */
void aero_decision_log_close(struct aero_decision_log *log);

#endif
