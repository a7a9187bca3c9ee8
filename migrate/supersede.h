/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ends an earlier reception of a guest that comes once more.
 *
 * A source that loses its network cannot say so: what waits for it here goes
 * on waiting for minutes (idle.h), while its user tries again. A source moves
 * a guest once at a time (journal.h), so whoever offers it says that the try
 * before is over. That one has to be gone before the guest is let in: at its
 * end it would take the new one's domain for its own, and destroy it.
 */
#ifndef MIG_SUPERSEDE_H
#define MIG_SUPERSEDE_H

#include "base/err.h"

/*
 * @dir   of the journals
 * @uuid  of the guest, of which no domain is here
 * Returns how many were ended; what they leave is the repair's; -EBUSY with
 * whose process it is where one does not end within ten seconds; or as
 * mig_journal_read_all().
 */
int mig_supersede(const char *dir, const char *uuid, struct lxe_err *err);

#endif
