/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast our save helper is beside a bare xc_domain_save(), with skipping
 * and pacing on and no limit of the rate: the same idle guest, turn by turn.
 */
#include "native.h"

#include <stdio.h>

#include "fx_migration.h"

#define GUEST_MIB 512
#define MAX_PAIRS 64

struct sample {
    double seconds, cpu_seconds;
};

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static bool measure(enum fx_saver saver, bool restored, unsigned mib,
                    struct sample *out)
{
    static struct fx_outcome o;
    struct fx_migration m;

    bench_idle_guest(&m, mib);
    m.saver = saver;
    m.sink = !restored;
    if (!bench_run(&m, &o))
        return false;
    out->seconds = (double)(o.end_ns - o.start_ns) / 1e9;
    out->cpu_seconds = seconds(o.save.usage.ru_utime) +
                       seconds(o.save.usage.ru_stime);
    return true;
}

struct series {
    double plain_mbps[MAX_PAIRS], ours_mbps[MAX_PAIRS], ratio[MAX_PAIRS];
    double plain_cpu[MAX_PAIRS], ours_cpu[MAX_PAIRS];
};

/* Each pair in the other order, so that neither gains by its place. */
static bool take_series(bool restored, unsigned pairs, unsigned mib,
                        struct series *s)
{
    double gib = mib / 1024.0, mb = mib * 1048576.0 / 1e6;

    for (unsigned i = 0; i < pairs; i++) {
        struct sample plain, ours;
        bool first = i % 2;

        if (first && !measure(FX_SAVER_OURS, restored, mib, &ours))
            return false;
        if (!measure(FX_SAVER_PLAIN, restored, mib, &plain) ||
            (!first && !measure(FX_SAVER_OURS, restored, mib, &ours)))
            return false;
        s->plain_mbps[i] = mb / plain.seconds;
        s->ours_mbps[i] = mb / ours.seconds;
        s->ratio[i] = plain.seconds / ours.seconds;
        s->plain_cpu[i] = plain.cpu_seconds / gib;
        s->ours_cpu[i] = ours.cpu_seconds / gib;
    }
    return true;
}

static bool one_table(bool restored, unsigned pairs, unsigned mib,
                      struct lxe_jw *w)
{
    static struct series s;
    double plain, ours, ratio, low, high, plain_cpu, ours_cpu;

    if (!take_series(restored, pairs, mib, &s))
        return false;
    plain = bench_quantile(s.plain_mbps, pairs, 0.5);
    ours = bench_quantile(s.ours_mbps, pairs, 0.5);
    ratio = bench_quantile(s.ratio, pairs, 0.5);
    low = bench_quantile(s.ratio, pairs, 0);
    high = bench_quantile(s.ratio, pairs, 1);
    plain_cpu = bench_quantile(s.plain_cpu, pairs, 0.5);
    ours_cpu = bench_quantile(s.ours_cpu, pairs, 0.5);
    printf("%-16s %8.0f %8.0f   %5.2f (%.2f to %.2f)  %8.2f %8.2f\n",
           restored ? "to a restorer" : "to a reader", plain, ours, ratio,
           low, high, plain_cpu, ours_cpu);
    lxe_jw_object(w);
    lxe_jw_bool(w, "restored", restored);
    lxe_jw_u64(w, "guest_mib", mib);
    lxe_jw_u64(w, "pairs", pairs);
    lxe_jw_double(w, "plain_mb_per_s", plain);
    lxe_jw_double(w, "ours_mb_per_s", ours);
    lxe_jw_double(w, "ratio", ratio);
    lxe_jw_double(w, "ratio_low", low);
    lxe_jw_double(w, "ratio_high", high);
    lxe_jw_double(w, "plain_cpu_s_per_gib", plain_cpu);
    lxe_jw_double(w, "ours_cpu_s_per_gib", ours_cpu);
    lxe_jw_end_object(w);
    return true;
}

bool bench_throughput(const struct bench_options *options, struct lxe_jw *w)
{
    unsigned pairs = options->quick ? 2 : options->pairs;
    unsigned mib = options->quick ? 128 : GUEST_MIB;
    bool good;

    if (pairs > MAX_PAIRS)
        pairs = MAX_PAIRS;
    printf("Throughput of the save helper, an idle guest of %u MiB, medians "
           "of %u pairs\n\n%-16s %17s   %-21s  %17s\n%-16s %8s %8s   %-21s  "
           "%8s %8s\n", mib, pairs, "", "MB/s", "", "CPU s/GiB", "", "plain",
           "ours", "ratio", "plain", "ours");
    lxe_jw_key(w, "throughput");
    lxe_jw_array(w);
    good = one_table(false, pairs, mib, w) && one_table(true, pairs, mib, w);
    lxe_jw_end_array(w);
    printf("\n");
    return good;
}
