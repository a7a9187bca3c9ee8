/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd_io.h"
#include "base/log.h"

#define KIB 1024.0

/* ---- the format ---- */

static void head(FILE *to, const char *name, const char *type,
                 const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* 17 digits bring every double back. */
static void value(FILE *to, double v)
{
    fprintf(to, " %.17g\n", v);
}

static void single(FILE *to, const char *name, const char *type,
                   const char *help, double v)
{
    head(to, name, type, help);
    fputs(name, to);
    value(to, v);
}

static void labelled(FILE *to, const char *name, const char *label,
                     const char *word, double v)
{
    fprintf(to, "%s{%s=\"%s\"}", name, label, word);
    value(to, v);
}

/* Bytes of the UTF-8 character that begins here; 0 where none does. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80                  ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* Too long a form, surrogates, beyond the last character. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* A label's value: a scrape fails as a whole where it is not UTF-8. */
static void put_label(FILE *to, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        size_t n = utf8_length(s);

        if (*s == '\n')
            fputs("\\n", to);
        else if (*s == '"' || *s == '\\')
            fprintf(to, "\\%c", *s);
        else if (n)
            fwrite(s, 1, n, to);
        else
            fputc('?', to);
        s += n ? n : 1;
    }
}

/* ---- guests ---- */

static void put_guest_labels(FILE *to, const struct aero_guest *g)
{
    fprintf(to, "domid=\"%" PRIu32 "\",domain=\"", g->dom.domid);
    put_label(to, g->dom.name);
    fputc('"', to);
}

/* Returns KiB, or LXE_UNKNOWN: then there is no sample. */
typedef uint64_t guest_size_fn(const struct aero_guest *g);

static uint64_t current_kib(const struct aero_guest *g)
{
    return g->dom.current_kib;
}

static uint64_t target_kib(const struct aero_guest *g)
{
    return g->dom.target_kib;
}

static uint64_t min_kib(const struct aero_guest *g)
{
    return g->min_kib;
}

static uint64_t max_kib(const struct aero_guest *g)
{
    return g->max_kib;
}

static uint64_t demand_kib(const struct aero_guest *g)
{
    return g->demand.kib;
}

static uint64_t used_kib(const struct aero_guest *g)
{
    return g->demand.used_kib;
}

static uint64_t available_kib(const struct aero_guest *g)
{
    return g->demand.available_kib;
}

static const struct {
    const char *name;
    guest_size_fn *kib;
    const char *help;
} guest_sizes[] = {
    { "aerostat_guest_memory_current_bytes", current_kib,
      "Memory that Xen has given the guest." },
    { "aerostat_guest_memory_target_bytes", target_kib,
      "What its balloon driver is asked to come to." },
    { "aerostat_guest_memory_min_bytes", min_kib,
      "The least that it may be given." },
    { "aerostat_guest_memory_max_bytes", max_kib,
      "The most that it may be given." },
    { "aerostat_guest_memory_demand_bytes", demand_kib,
      "What it is taken to need." },
    { "aerostat_guest_memory_used_bytes", used_kib,
      "What it says that it uses." },
    { "aerostat_guest_memory_available_bytes", available_kib,
      "What it says is available." },
};

static void write_guest_sizes(const struct aero_guests *guests, FILE *to)
{
    for (size_t m = 0; m < sizeof(guest_sizes) / sizeof(guest_sizes[0]); m++) {
        head(to, guest_sizes[m].name, "gauge", guest_sizes[m].help);
        for (size_t i = 0; i < guests->count; i++) {
            const struct aero_guest *g = &guests->items[i];
            uint64_t kib = guest_sizes[m].kib(g);

            if (kib == LXE_UNKNOWN)
                continue;
            fprintf(to, "%s{", guest_sizes[m].name);
            put_guest_labels(to, g);
            fputc('}', to);
            value(to, (double)kib * KIB);
        }
    }
}

static void write_guest_states(const struct aero_guests *guests, FILE *to)
{
    head(to, "aerostat_guest_state_info", "gauge",
         "The guest's state; always 1.");
    for (size_t i = 0; i < guests->count; i++) {
        fputs("aerostat_guest_state_info{", to);
        put_guest_labels(to, &guests->items[i]);
        fprintf(to, ",state=\"%s\"}",
                aero_guest_state_name(guests->items[i].condition.state));
        value(to, 1);
    }
    head(to, "aerostat_guest_shares", "gauge",
         "Its weight where memory is short.");
    for (size_t i = 0; i < guests->count; i++) {
        fputs("aerostat_guest_shares{", to);
        put_guest_labels(to, &guests->items[i]);
        fputc('}', to);
        value(to, guests->items[i].shares);
    }
    head(to, "aerostat_guest_foreign_changes_total", "counter",
         "Changes of its target by somebody else.");
    for (size_t i = 0; i < guests->count; i++) {
        fputs("aerostat_guest_foreign_changes_total{", to);
        put_guest_labels(to, &guests->items[i]);
        fputc('}', to);
        value(to, (double)guests->items[i].rival.changes);
    }
}

static void write_managed(const struct aero_guests *guests, FILE *to)
{
    size_t n = 0;

    for (size_t i = 0; i < guests->count; i++)
        n += guests->items[i].condition.state == AERO_GUEST_FOREIGN;
    single(to, "aerostat_foreign_guests", "gauge",
           "Guests that are left to another balancer.", (double)n);
}

/* ---- the host ---- */

static void write_host(const struct aero_balancer *b, FILE *to)
{
    const struct aero_reservations *r = &b->reservations;

    single(to, "aerostat_host_memory_total_bytes", "gauge",
           "All memory of the host.", (double)b->memory.total_kib * KIB);
    single(to, "aerostat_host_memory_free_bytes", "gauge",
           "Memory that can be given away.", (double)b->memory.free_kib * KIB);
    single(to, "aerostat_host_memory_claimed_bytes", "gauge",
           "Memory promised to domains that are being built.",
           (double)b->memory.claimed_kib * KIB);
    single(to, "aerostat_host_memory_reserve_bytes", "gauge",
           "Memory that is always kept free.",
           (double)b->config->host_reserve_kib * KIB);
    single(to, "aerostat_host_memory_reserved_bytes", "gauge",
           "Memory that is held for clients.",
           (double)aero_reservations_held_kib(r) * KIB);
    single(to, "aerostat_host_memory_waiting_bytes", "gauge",
           "Memory that clients wait for.",
           (double)aero_reservations_waiting_kib(r) * KIB);
    single(to, "aerostat_host_memory_spare_bytes", "gauge",
           "Memory that no guest needs now.", (double)b->spare_kib * KIB);
    head(to, "aerostat_host_state", "gauge",
         "1 for the state that the host is in.");
    for (int i = 0; i < AERO_HOST_STATES; i++)
        labelled(to, "aerostat_host_state", "state",
                 aero_host_state_name((enum aero_host_state)i),
                 b->state == (enum aero_host_state)i);
}

/* ---- what was done ---- */

static void write_ticks(const struct aero_balancer *b, FILE *to)
{
    const struct aero_counters *c = &b->counters;

    head(to, "aerostat_tick_duration_seconds", "summary",
         "How long it takes to look at all guests and set targets.");
    fputs("aerostat_tick_duration_seconds_sum", to);
    value(to, (double)c->ticks_ns / (double)LXE_NS_PER_SEC);
    fputs("aerostat_tick_duration_seconds_count", to);
    value(to, (double)c->ticks);
    single(to, "aerostat_ticks_total", "counter",
           "Ticks in which all could be seen.", (double)b->ticks);
    single(to, "aerostat_errors_total", "counter",
           "What went wrong in ticks, and was tried again.",
           (double)c->errors);
    head(to, "aerostat_target_changes_total", "counter",
         "Targets that were set.");
    labelled(to, "aerostat_target_changes_total", "direction", "grow",
             (double)c->grows);
    labelled(to, "aerostat_target_changes_total", "direction", "shrink",
             (double)c->shrinks);
    head(to, "aerostat_target_change_bytes_total", "counter",
         "By how much, all together.");
    labelled(to, "aerostat_target_change_bytes_total", "direction", "grow",
             (double)c->grow_kib * KIB);
    labelled(to, "aerostat_target_change_bytes_total", "direction", "shrink",
             (double)c->shrink_kib * KIB);
    single(to, "aerostat_foreign_changes_total", "counter",
           "Changes of targets by somebody else, of guests that went, too.",
           (double)c->foreign_changes);
}

static void write_sampling(const struct aero_sampler *s, FILE *to)
{
    single(to, "aerostat_sampling_cpu_seconds_total", "counter",
           "CPU time that looking at samples of pages took.",
           (double)s->used_ns / (double)LXE_NS_PER_SEC);
    single(to, "aerostat_sampling_looks_total", "counter",
           "Looks at samples of pages.", (double)s->looks);
}

static void write_reservations(const struct aero_balancer *b, FILE *to)
{
    const struct aero_counters *c = &b->counters;
    size_t held = 0;

    for (size_t i = 0; i < b->reservations.count; i++)
        held += b->reservations.items[i].held;
    head(to, "aerostat_reservations", "gauge", "Reservations that stand.");
    labelled(to, "aerostat_reservations", "state", "held", (double)held);
    labelled(to, "aerostat_reservations", "state", "waiting",
             (double)(b->reservations.count - held));
    head(to, "aerostat_reservations_total", "counter",
         "Reservations that were decided.");
    labelled(to, "aerostat_reservations_total", "outcome", "granted",
             (double)c->granted);
    labelled(to, "aerostat_reservations_total", "outcome", "refused",
             (double)c->refused);
    labelled(to, "aerostat_reservations_total", "outcome", "timed_out",
             (double)c->timed_out);
}

static void write_migrations(const struct aero_balancer *b, FILE *to)
{
    static const char *const words[AERO_OUTCOMES] = {
        [AERO_MOVED] = "moved",         [AERO_FAILED] = "failed",
        [AERO_CANCELLED] = "cancelled", [AERO_UNKNOWN_OUTCOME] = "unknown",
        [AERO_LOST] = "lost",
    };

    single(to, "aerostat_migrations_running", "gauge",
           "Migrations that leave this host now.",
           (double)b->migrations.count);
    head(to, "aerostat_migrations_total", "counter",
         "Migrations that ended.");
    for (int i = 0; i < AERO_OUTCOMES; i++)
        labelled(to, "aerostat_migrations_total", "outcome", words[i],
                 (double)b->counters.migrations[i]);
}

void aero_metrics_write(const struct aero_balancer *b, FILE *to)
{
    head(to, "aerostat_build_info", "gauge", "The version; always 1.");
    labelled(to, "aerostat_build_info", "version", PACKAGE_VERSION, 1);
    write_host(b, to);
    write_guest_sizes(&b->guests, to);
    write_guest_states(&b->guests, to);
    write_managed(&b->guests, to);
    write_ticks(b, to);
    write_sampling(&b->sampler, to);
    write_reservations(b, to);
    write_migrations(b, to);
}

/* ---- where they go ---- */

char *aero_metrics_text(const struct aero_balancer *b, size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);
    bool failed;

    if (!to)
        return NULL;
    aero_metrics_write(b, to);
    failed = ferror(to);
    if (fclose(to) || failed) {
        free(text);
        return NULL;
    }
    return text;
}

int aero_metrics_file(const struct aero_balancer *b, const char *path,
                      struct lxe_err *err)
{
    _cleanup_free_ char *temporary = NULL;
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    int fd, rc;

    text = aero_metrics_text(b, &len);
    /* The collector reads what ends in .prom: this does not. */
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        temporary = NULL;
    if (!text || !temporary)
        return lxe_fail(err, -ENOMEM, "metrics: out of memory");
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return lxe_fail(err, -errno, "cannot make a file beside %s: %m", path);
    rc = lxe_write_all(fd, text, len);
    if (!rc && fchmod(fd, 0644))
        rc = -errno;
    if (close(fd) && !rc)
        rc = -errno;
    if (!rc && rename(temporary, path))
        rc = -errno;
    if (!rc)
        return 0;
    if (unlink(temporary))
        lxe_debug("cannot remove %s: %s", temporary, strerror(errno));
    return lxe_fail(err, rc, "cannot write %s: %s", path, strerror(-rc));
}
