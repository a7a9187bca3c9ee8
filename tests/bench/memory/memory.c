/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory balancers side by side, in one simulator and one run: what their
 * guests lacked, what requests they missed, how much they moved.
 *
 *   bench-memory [--scenarios N] [--minutes M] [--seed S] [--json FILE]
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "course.h"

static const struct peer_ops *const peers[] = {
    &peer_aerostat, &peer_squeezed, &peer_qmemman,
    &peer_mom,      &peer_proxmox,  &peer_static,
};
#define PEERS (sizeof(peers) / sizeof(*peers))

struct options {
    uint64_t scenarios, minutes, seed;
    const char *json;
};

/* Sums over all scenarios, and in how many ours was no worse. */
struct score {
    struct course_result sum;
    unsigned better, worse; /* than ours, by avoidable lack */
};

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

static void put(double value, int decimals)
{
    if (isnan(value))
        printf(" %12s", "-");
    else
        printf(" %12.*f", decimals, value);
}

static void print_row(const struct peer_ops *ops, const struct score *s)
{
    const struct course_result *r = &s->sum;

    printf("%-10s", ops->name);
    put(ratio(r->unmet_mib_s, r->hours), 0);
    put(ratio(r->avoidable_mib_s, r->hours), 0);
    put(ratio(r->shortages, r->hours), 2);
    put(ratio(r->shortage_s, r->hours), 0);
    printf(" %6u %8u", r->granted, r->missed);
    put(ratio(r->granted_after_s, r->granted), 2);
    put(ratio(r->moves, r->hours), 1);
    put(ratio(r->moved_mib / 1024, r->hours), 1);
    printf(" %6u %6u\n", s->worse, s->better);
}

static void print_table(const struct options *o, const struct score *scores)
{
    printf("%" PRIu64 " scenarios of %" PRIu64 " minutes, seeds %" PRIu64
           " to %" PRIu64 "; %u requests\n\n", o->scenarios, o->minutes,
           o->seed, o->seed + o->scenarios - 1, scores[0].sum.asked);
    printf("%-10s %12s %12s %12s %12s %6s %8s %12s %12s %12s %6s %6s\n", "",
           "unmet MiB s", "avoidable", "shortages", "of them s", "grants",
           "missed", "granted in s", "moves", "GiB moved", "worse", "better");
    printf("%-10s %12s %12s %12s %12s %6s %8s %12s %12s %12s %6s %6s\n",
           "balancer", "an hour", "an hour", "an hour", "an hour", "", "",
           "mean", "an hour", "an hour", "than", "ours");
    for (size_t i = 0; i < PEERS; i++)
        print_row(peers[i], &scores[i]);
}

static void put_score(struct lxe_jw *w, const struct peer_ops *ops,
                      const struct score *s)
{
    lxe_jw_object(w);
    lxe_jw_str(w, "balancer", ops->name);
    lxe_jw_double(w, "hours", s->sum.hours);
    lxe_jw_double(w, "unmet_mib_s", s->sum.unmet_mib_s);
    lxe_jw_double(w, "avoidable_mib_s", s->sum.avoidable_mib_s);
    lxe_jw_u64(w, "shortages", s->sum.shortages);
    lxe_jw_double(w, "shortage_s", s->sum.shortage_s);
    lxe_jw_u64(w, "asked", s->sum.asked);
    lxe_jw_u64(w, "granted", s->sum.granted);
    lxe_jw_u64(w, "missed", s->sum.missed);
    lxe_jw_double(w, "granted_after_s", s->sum.granted_after_s);
    lxe_jw_u64(w, "moves", s->sum.moves);
    lxe_jw_double(w, "moved_mib", s->sum.moved_mib);
    lxe_jw_end_object(w);
}

static int write_json(const struct options *o, const struct score *scores)
{
    struct lxe_jw *w = lxe_jw_new(true);
    FILE *file = fopen(o->json, "w");
    const char *text = NULL;
    int rc = -1;

    if (w && file) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "scenarios", o->scenarios);
        lxe_jw_u64(w, "minutes", o->minutes);
        lxe_jw_u64(w, "seed", o->seed);
        lxe_jw_key(w, "balancers");
        lxe_jw_array(w);
        for (size_t i = 0; i < PEERS; i++)
            put_score(w, peers[i], &scores[i]);
        lxe_jw_end_array(w);
        lxe_jw_end_object(w);
        text = lxe_jw_text(w, NULL);
    }
    if (text && fprintf(file, "%s\n", text) > 0)
        rc = 0;
    if (file && fclose(file))
        rc = -1;
    lxe_jw_free(w);
    if (rc)
        fprintf(stderr, "cannot write %s\n", o->json);
    return rc;
}

static void add(struct course_result *sum, const struct course_result *one)
{
    sum->unmet_mib_s += one->unmet_mib_s;
    sum->avoidable_mib_s += one->avoidable_mib_s;
    sum->shortages += one->shortages;
    sum->shortage_s += one->shortage_s;
    sum->asked += one->asked;
    sum->granted += one->granted;
    sum->missed += one->missed;
    sum->granted_after_s += one->granted_after_s;
    sum->moves += one->moves;
    sum->moved_mib += one->moved_mib;
    sum->hours += one->hours;
}

/* Every balancer through one scenario. */
static int run_all(const struct options *o, uint64_t seed,
                   struct score *scores)
{
    struct course_result one[PEERS] = { 0 };
    struct course course;
    int rc = course_make(seed, o->minutes * 60, &course);

    for (size_t i = 0; i < PEERS && !rc; i++) {
        rc = course_run(&course, peers[i], &one[i]);
        if (rc)
            break;
        add(&scores[i].sum, &one[i]);
        scores[i].better += one[i].avoidable_mib_s <
                            one[0].avoidable_mib_s;
        scores[i].worse += one[i].avoidable_mib_s >
                           one[0].avoidable_mib_s;
    }
    course_free(&course);
    return rc;
}

static int number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || !value || value > max) {
        fprintf(stderr, "'%s': expected a number from 1 to %" PRIu64 "\n",
                text, max);
        return -1;
    }
    *out = value;
    return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "scenarios", required_argument, NULL, 'n' },
        { "minutes", required_argument, NULL, 'm' },
        { "seed", required_argument, NULL, 's' },
        { "json", required_argument, NULL, 'j' },
        { 0 },
    };
    int c, rc = 0;

    while (!rc && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'n': rc = number(optarg, 100000, &o->scenarios); break;
        case 'm': rc = number(optarg, 1440, &o->minutes); break;
        case 's': rc = number(optarg, UINT32_MAX, &o->seed); break;
        case 'j': o->json = optarg; break;
        default: rc = -1;
        }
    return optind < argc ? -1 : rc;
}

int main(int argc, char **argv)
{
    struct options o = { .scenarios = 100, .minutes = 30, .seed = 1 };
    static struct score scores[PEERS];

    if (parse(argc, argv, &o)) {
        fprintf(stderr, "usage: bench-memory [--scenarios N] [--minutes M]"
                " [--seed S] [--json FILE]\n");
        return 2;
    }
    lxe_log_open("bench-memory", XTL_CRITICAL, false);
    for (uint64_t i = 0; i < o.scenarios; i++) {
        fprintf(stderr, "\rscenario %" PRIu64 " of %" PRIu64, i + 1,
                o.scenarios);
        if (run_all(&o, o.seed + i, scores)) {
            fprintf(stderr, "\nscenario of seed %" PRIu64 " failed\n",
                    o.seed + i);
            return 1;
        }
    }
    fprintf(stderr, "\n");
    lxe_log_close();
    print_table(&o, scores);
    return o.json && write_json(&o, scores) ? 1 : 0;
}
