/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_compare.h"

#include <math.h>

size_t mig_report_compare(const struct mig_run *run,
                          struct mig_compared out[MIG_COMPARED_MOST])
{
    bool suspended = mig_known(run->downtime.engine);
    const struct mig_run_range unknown = { (double)NAN, 0, 0 };
    bool packed = mig_known(mig_run_packing(run));
    const struct mig_compared all[MIG_COMPARED_MOST] = {
        { "downtime", run->predicted_downtime_ms, run->downtime.engine,
          mig_fig_ms },
        { "total", run->predicted_total_ms,
          run->precopy_ms + run->downtime.engine, mig_fig_ms },
        { "bytes", run->predicted_bytes,
          suspended ? run->stream_bytes : (double)NAN, mig_fig_bytes },
        { "packed", packed ? run->predicted_wire_bytes : unknown,
          suspended ? run->wire_bytes : (double)NAN, mig_fig_bytes },
        { "rounds", run->predicted_rounds,
          suspended ? (double)mig_run_live_rounds(run) : (double)NAN,
          mig_fig_count },
    };
    size_t n = 0;

    for (size_t i = 0; i < MIG_COMPARED_MOST; i++)
        if (mig_known(all[i].predicted.expected))
            out[n++] = all[i];
    return n;
}

double mig_compared_error(const struct mig_compared *compared)
{
    if (!(compared->actual > 0))
        return (double)NAN;
    return compared->predicted.expected / compared->actual - 1;
}
