/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supersede.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal.h"

#define PATIENCE_NS (10 * LXE_NS_PER_SEC)
#define POLL_NS     (50 * LXE_NS_PER_MS)

static bool is_earlier(const struct mig_journal *j, const char *uuid)
{
    return j->role == MIG_JOURNAL_TARGET && !strcmp(j->uuid, uuid) &&
           mig_journal_alive(j);
}

/* Without its xl it removes what had come and ends; before it has one there is
 * nothing to remove. */
static void end(const struct mig_journal *j)
{
    lxe_warn("%s comes once more; ending process %d, which waits for an"
             " earlier try", j->name, (int)j->owner.pid);
    if (!mig_process_alive(&j->helper))
        kill(j->owner.pid, SIGTERM);
    else if (kill(-j->helper.pid, SIGKILL)) /* the group that it leads */
        kill(j->helper.pid, SIGKILL);
}

/* Returns how many are there, or a negative errno. */
static int look(const char *dir, const char *uuid, bool to_end,
                struct mig_process *last, struct lxe_err *err)
{
    struct mig_journal_list list;
    int rc = mig_journal_read_all(dir, &list, err), count = 0;

    if (rc)
        return rc;
    for (size_t i = 0; i < list.count; i++) {
        const struct mig_journal *j = &list.items[i];

        if (!is_earlier(j, uuid))
            continue;
        count++;
        *last = j->owner;
        if (to_end)
            end(j);
    }
    mig_journal_list_free(&list);
    return count;
}

int mig_supersede(const char *dir, const char *uuid, struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + PATIENCE_NS;
    struct mig_process last;
    int ended = look(dir, uuid, true, &last, err), left = ended;

    while (left > 0 && lxe_now_ns() < end_ns) {
        lxe_sleep_ns(POLL_NS);
        left = look(dir, uuid, false, &last, err);
    }
    if (left > 0)
        return lxe_fail(err, -EBUSY, "process %d still waits for an earlier"
                        " try to move it here; end that and try again",
                        (int)last.pid);
    return left < 0 ? left : ended;
}
