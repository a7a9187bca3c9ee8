/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_replay.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli_table.h"
#include "decision_log.h"
#include "host.h"
#include "replay.h"

#define VERB      "mem-replay"
#define SHOWN     20u     /* differences that are listed without --all */
#define LIST_MAX  100000u /* that are listed with it */
#define TIME_TEXT 32

/* What came out for one guest, over all ticks. */
struct tally {
    uint32_t domid;
    char name[LXE_DOM_NAME];
    uint64_t decisions, differ;
    double logged_kib, now_kib; /* sums */
    int64_t largest_kib;        /* difference, with its sign */
};

/* One difference; the texts are owned. */
struct difference {
    uint64_t tick, time_ms;
    uint32_t domid;
    char *name, *reason;
    uint64_t logged_kib, now_kib;
};

struct run {
    const char *path;
    bool json, all, is_set;
    struct aero_replay *replay;
    struct tally *tallies; /* by rising domid */
    size_t tally_count, tally_room;
    struct difference *list;
    size_t list_count, list_room;
    uint64_t decisions, differ;
    uint64_t first_ms, last_ms;
    bool no_memory;
};

static void free_run(struct run *r)
{
    for (size_t i = 0; i < r->list_count; i++) {
        free(r->list[i].name);
        free(r->list[i].reason);
    }
    free(r->list);
    free(r->tallies);
    aero_replay_free(r->replay);
}

/* ---- counting ---- */

static struct tally *tally_of(struct run *r, uint32_t domid)
{
    size_t lo = 0, hi = r->tally_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r->tallies[mid].domid < domid)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < r->tally_count && r->tallies[lo].domid == domid)
        return &r->tallies[lo];
    if (r->tally_count == r->tally_room) {
        size_t room = r->tally_room ? r->tally_room * 2 : 16;
        struct tally *t = reallocarray(r->tallies, room, sizeof(*t));

        if (!t)
            return NULL;
        r->tallies = t;
        r->tally_room = room;
    }
    memmove(&r->tallies[lo + 1], &r->tallies[lo],
            (r->tally_count++ - lo) * sizeof(*r->tallies));
    r->tallies[lo] = (struct tally){ .domid = domid };
    return &r->tallies[lo];
}

static bool list(struct run *r, const struct aero_replayed *d)
{
    char reason[AERO_REASON_TEXT];
    struct difference *to;

    if (r->list_count >= (r->all ? LIST_MAX : SHOWN))
        return true;
    if (r->list_count == r->list_room) {
        size_t room = r->list_room ? r->list_room * 2 : SHOWN;

        to = reallocarray(r->list, room, sizeof(*to));
        if (!to)
            return false;
        r->list = to;
        r->list_room = room;
    }
    aero_reason_text(d->now_reason, reason);
    to = &r->list[r->list_count++];
    *to = (struct difference){
        .tick = d->tick,
        .time_ms = d->time_ms,
        .domid = d->domid,
        .name = strdup(d->name),
        .reason = strdup(reason),
        .logged_kib = d->logged_kib,
        .now_kib = d->now_kib,
    };
    return to->name && to->reason;
}

static void on_decision(const struct aero_replayed *d, void *data)
{
    struct run *r = data;
    struct tally *t = tally_of(r, d->domid);
    int64_t by = (int64_t)d->now_kib - (int64_t)d->logged_kib;

    if (!t) {
        r->no_memory = true;
        return;
    }
    if (!r->decisions++)
        r->first_ms = d->time_ms;
    r->last_ms = d->time_ms;
    snprintf(t->name, sizeof(t->name), "%s", d->name);
    t->decisions++;
    t->logged_kib += (double)d->logged_kib;
    t->now_kib += (double)d->now_kib;
    if (llabs(by) > llabs(t->largest_kib))
        t->largest_kib = by;
    if (!by)
        return;
    t->differ++;
    r->differ++;
    if (!list(r, d))
        r->no_memory = true;
}

/* ---- reading ---- */

static int bad_line(const struct run *r, uint64_t number, const char *what)
{
    return aero_cli_fail("%s: line %" PRIu64 ": %s", r->path, number, what);
}

/* One that was set: it may only turn out where the log tells the rest. */
static int bad_set(const struct run *r, uint64_t number, const char *what)
{
    return aero_cli_usage(VERB, "--set: %s (at line %" PRIu64 " of %s)", what,
                          number, r->path);
}

/* Returns an exit status. The last line may be one that was cut short. */
static int read_lines(struct run *r, FILE *f)
{
    char line[AERO_LOG_LINE + 2];
    uint64_t number = 0;
    int rc;

    while (fgets(line, sizeof(line), f)) {
        struct lxe_err err = { 0 };
        size_t len = strlen(line);

        number++;
        if (!len || line[len - 1] != '\n') {
            if (feof(f))
                break;
            return bad_line(r, number, "too long, or not a text");
        }
        rc = aero_replay_line(r->replay, line, len - 1, &err);
        if (rc)
            return rc == -EDOM ? bad_set(r, number, err.text)
                               : bad_line(r, number, err.text);
        if (r->no_memory)
            return aero_cli_fail("out of memory");
    }
    if (ferror(f))
        return aero_cli_fail("cannot read %s: %s", r->path, strerror(errno));
    return AERO_EXIT_OK;
}

static int read_log(struct run *r)
{
    _cleanup_fclose_ FILE *f = NULL;

    if (!strcmp(r->path, "-"))
        return read_lines(r, stdin);
    f = fopen(r->path, "re");
    if (!f)
        return aero_cli_fail("cannot open %s: %s", r->path, strerror(errno));
    return read_lines(r, f);
}

/* ---- showing ---- */

static const char *time_text(uint64_t time_ms, char buf[TIME_TEXT])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (!localtime_r(&seconds, &tm) ||
        !strftime(buf, TIME_TEXT, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(buf, TIME_TEXT, "-");
    return buf;
}

static const char *signed_size(int64_t kib, char buf[AERO_SIZE_TEXT + 1])
{
    buf[0] = kib < 0 ? '-' : '+';
    aero_text_size(buf + 1, (uint64_t)llabs(kib));
    return kib ? buf : "0";
}

static void add_difference(struct aero_table *table,
                           const struct difference *d)
{
    char tick[AERO_SIZE_TEXT], when[TIME_TEXT], size[2][AERO_SIZE_TEXT];
    char by[AERO_SIZE_TEXT + 1];
    const char *cells[7] = {
        tick, time_text(d->time_ms, when), d->name,
        aero_text_size(size[0], d->logged_kib),
        aero_text_size(size[1], d->now_kib),
        signed_size((int64_t)d->now_kib - (int64_t)d->logged_kib, by),
        d->reason,
    };

    snprintf(tick, sizeof(tick), "%" PRIu64, d->tick);
    aero_table_add(table, cells);
}

static int print_table(struct aero_table *table)
{
    int rc = aero_table_print(table, stdout, aero_terminal_width(stdout));

    aero_table_free(table);
    return rc ? aero_cli_fail("cannot print the table: %s", strerror(-rc))
              : AERO_EXIT_OK;
}

static int print_differences(const struct run *r)
{
    static const struct aero_column columns[7] = {
        { "TICK", AERO_RIGHT }, { "TIME", AERO_LEFT },
        { "DOMAIN", AERO_LEFT }, { "LOGGED", AERO_RIGHT },
        { "NOW", AERO_RIGHT }, { "BY", AERO_RIGHT },
        { "REASON NOW", AERO_LEFT },
    };
    struct aero_table *table = aero_table_new(columns, 7);
    int rc;

    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = 0; i < r->list_count; i++)
        add_difference(table, &r->list[i]);
    rc = print_table(table);
    if (!rc && r->differ > r->list_count)
        printf("and %" PRIu64 " more%s\n", r->differ - r->list_count,
               r->all ? "" : "; --all lists them");
    if (!rc)
        putchar('\n');
    return rc;
}

static void add_tally(struct aero_table *table, const struct tally *t)
{
    char num[3][AERO_SIZE_TEXT], size[2][AERO_SIZE_TEXT];
    char by[AERO_SIZE_TEXT + 1];
    double n = (double)t->decisions;
    const char *cells[7] = {
        t->name, num[0], num[1], num[2],
        aero_text_size(size[0], (uint64_t)(t->logged_kib / n)),
        aero_text_size(size[1], (uint64_t)(t->now_kib / n)),
        signed_size(t->largest_kib, by),
    };

    snprintf(num[0], sizeof(num[0]), "%" PRIu32, t->domid);
    snprintf(num[1], sizeof(num[1]), "%" PRIu64, t->decisions);
    snprintf(num[2], sizeof(num[2]), "%" PRIu64, t->differ);
    aero_table_add(table, cells);
}

static int print_tallies(const struct run *r)
{
    static const struct aero_column columns[7] = {
        { "DOMAIN", AERO_LEFT }, { "ID", AERO_RIGHT },
        { "DECISIONS", AERO_RIGHT }, { "DIFFER", AERO_RIGHT },
        { "MEAN LOGGED", AERO_RIGHT }, { "MEAN NOW", AERO_RIGHT },
        { "LARGEST", AERO_RIGHT },
    };
    struct aero_table *table = aero_table_new(columns, 7);

    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = 0; i < r->tally_count; i++)
        add_tally(table, &r->tallies[i]);
    return print_table(table);
}

static int print_text(const struct run *r,
                      const struct aero_replay_counts *counts)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    int rc = r->differ ? print_differences(r) : AERO_EXIT_OK;

    if (!rc)
        rc = print_tallies(r);
    if (rc)
        return rc;
    printf("\n%" PRIu64 " ticks from %s to %s: %" PRIu64 " of %" PRIu64
           " targets differ\n", counts->ticks, time_text(r->first_ms, from),
           time_text(r->last_ms, to), r->differ, r->decisions);
    if (counts->skipped)
        printf("%" PRIu64 " ticks before the first whole one were passed"
               " over\n", counts->skipped);
    if (counts->cut)
        printf("%" PRIu64 " records are cut short, where the daemon ended\n",
               counts->cut);
    return aero_cli_finish();
}

static void write_tally(struct lxe_jw *w, const struct tally *t)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", t->domid);
    lxe_jw_str(w, "name", t->name);
    lxe_jw_u64(w, "decisions", t->decisions);
    lxe_jw_u64(w, "differ", t->differ);
    lxe_jw_double(w, "mean_logged_kib",
                  t->logged_kib / (double)t->decisions);
    lxe_jw_double(w, "mean_now_kib", t->now_kib / (double)t->decisions);
    lxe_jw_i64(w, "largest_kib", t->largest_kib);
    lxe_jw_end_object(w);
}

static void write_difference(struct lxe_jw *w, const struct difference *d)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "tick", d->tick);
    lxe_jw_u64(w, "time_ms", d->time_ms);
    lxe_jw_u64(w, "domid", d->domid);
    lxe_jw_str(w, "name", d->name);
    lxe_jw_u64(w, "logged_kib", d->logged_kib);
    lxe_jw_u64(w, "now_kib", d->now_kib);
    lxe_jw_str(w, "reason", d->reason);
    lxe_jw_end_object(w);
}

static void write_run(struct lxe_jw *w, const struct run *r,
                      const struct aero_replay_counts *counts)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "ticks", counts->ticks);
    lxe_jw_u64(w, "skipped", counts->skipped);
    lxe_jw_u64(w, "cut", counts->cut);
    lxe_jw_u64(w, "decisions", r->decisions);
    lxe_jw_u64(w, "differ", r->differ);
    lxe_jw_key(w, "domains");
    lxe_jw_array(w);
    for (size_t i = 0; i < r->tally_count; i++)
        write_tally(w, &r->tallies[i]);
    lxe_jw_end_array(w);
    lxe_jw_key(w, "differences");
    lxe_jw_array(w);
    for (size_t i = 0; i < r->list_count; i++)
        write_difference(w, &r->list[i]);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
}

static int print_json(const struct run *r,
                      const struct aero_replay_counts *counts)
{
    struct lxe_jw *w = lxe_jw_new(true);
    int rc;

    if (!w)
        return aero_cli_fail("out of memory");
    write_run(w, r, counts);
    rc = aero_cli_print_writer(w);
    lxe_jw_free(w);
    return rc;
}

/* ---- the verb ---- */

static int parse_args(int argc, char **argv, struct run *r)
{
    static const struct option options[] = {
        { "set", required_argument, NULL, 's' },
        { "all", no_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct lxe_err err = { 0 };
    int opt;

    optind = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 's') {
            if (aero_replay_set(r->replay, optarg, &err))
                return aero_cli_usage(VERB, "--set: %s", err.text);
            r->is_set = true;
        } else if (opt == 'a') {
            r->all = true;
        } else if (opt == 'j') {
            r->json = true;
        } else {
            return aero_cli_see_help(VERB);
        }
    }
    if (argc - optind != 1 || !*argv[optind])
        return aero_cli_usage(VERB, "give one file, or - for standard input");
    r->path = argv[optind];
    return 0;
}

static int replay(struct run *r)
{
    struct aero_replay_counts counts;
    const char *unmet;
    int rc = read_log(r);

    if (rc)
        return rc;
    counts = aero_replay_end(r->replay);
    if (!counts.ticks)
        return aero_cli_fail("%s holds no whole tick", r->path);
    unmet = aero_replay_unmet(r->replay);
    if (unmet)
        return aero_cli_fail("--set: %s tells of no guest '%s'; give one by"
                             " its name or number there", r->path, unmet);
    rc = r->json ? print_json(r, &counts) : print_text(r, &counts);
    return rc || !r->differ || r->is_set ? rc : AERO_EXIT_DIFFERS;
}

int aero_cli_mem_replay(const struct aero_cli *cli, int argc, char **argv)
{
    struct run r = { 0 };
    int rc;

    (void)cli; /* no daemon is asked */
    r.replay = aero_replay_new(on_decision, &r);
    if (!r.replay)
        return aero_cli_fail("out of memory");
    rc = parse_args(argc, argv, &r);
    if (!rc)
        rc = replay(&r);
    free_run(&r);
    return rc;
}
