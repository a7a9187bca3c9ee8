/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "decision_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd_io.h"
#include "base/log.h"

#define GONE_MAX 1000u

/* Numbers that changed by less wait for the next record. */
#define FAR_KIB  (4u << 10)
#define FAR_PART 16u

/* What was last written of a guest. */
struct logged {
    uint32_t domid;
    bool known; /* it was written in this file */
    char name[LXE_DOM_NAME];
    const char *state; /* static text */
    struct aero_policy_guest in;
    uint64_t target_kib;
};

/* How much of a guest is in a record. */
enum line {
    LINE_NONE,
    LINE_CHANGES, /* members of its input, and its target */
    LINE_WHOLE,
};

struct aero_decision_log {
    char path[AERO_LOG_PATH];
    char old_path[AERO_LOG_PATH + 2];
    const char *version;
    int fd;
    uint64_t half_bytes;   /* most that one of the two files takes */
    uint64_t size;
    bool head;             /* the next record begins with a head line */
    unsigned wait_ticks;   /* after an error, before it is tried again */
    bool told;             /* of that error */
    unsigned since_full;
    bool full;             /* the next tick is written whole */
    unsigned since_record; /* ticks */
    struct logged *guests; /* by rising domid */
    unsigned char *lines;  /* of each, for the present tick: enum line */
    size_t count;
    struct aero_policy_host host;
};

/* What of a tick is news. */
struct news {
    size_t lines;
    bool matters;   /* it is to be written now */
    uint32_t *gone; /* domids */
    size_t gone_count;
};

/* ---- who is there ---- */

static bool same_guests(const struct aero_decision_log *log,
                        const struct aero_tick *t)
{
    if (log->count != t->count)
        return false;
    for (size_t i = 0; i < t->count; i++)
        if (log->guests[i].domid != t->guests[i].dom.domid)
            return false;
    return true;
}

/* Brings what was logged to the tick's order, and lists who went. */
static void move_logged(const struct aero_decision_log *log,
                        const struct aero_tick *t, struct logged *to,
                        struct news *n)
{
    size_t old = 0;

    for (size_t i = 0; i < t->count; i++) {
        uint32_t domid = t->guests[i].dom.domid;

        while (old < log->count && log->guests[old].domid < domid)
            n->gone[n->gone_count++] = log->guests[old++].domid;
        if (old < log->count && log->guests[old].domid == domid)
            to[i] = log->guests[old++];
        else
            to[i] = (struct logged){ .domid = domid };
    }
    while (old < log->count)
        n->gone[n->gone_count++] = log->guests[old++].domid;
}

/* The news' list of who went is the caller's. */
static int follow_guests(struct aero_decision_log *log,
                         const struct aero_tick *t, struct news *n)
{
    struct logged *guests;
    unsigned char *lines;

    if (same_guests(log, t))
        return 0;
    guests = malloc((t->count + 1) * sizeof(*guests));
    lines = malloc(t->count + 1);
    n->gone = malloc((log->count + 1) * sizeof(*n->gone));
    if (!guests || !lines || !n->gone) {
        free(guests);
        free(lines);
        return -ENOMEM;
    }
    move_logged(log, t, guests, n);
    free(log->guests);
    free(log->lines);
    log->guests = guests;
    log->lines = lines;
    log->count = t->count;
    /* So that no line becomes too long. */
    log->full = log->full || n->gone_count > GONE_MAX;
    return 0;
}

/* ---- what is news ---- */

static bool far(uint64_t was_kib, uint64_t is_kib)
{
    uint64_t most = was_kib / FAR_PART > FAR_KIB ? was_kib / FAR_PART
                                                 : FAR_KIB;

    return was_kib > is_kib ? was_kib - is_kib >= most
                            : is_kib - was_kib >= most;
}

/* More than numbers changed, or something was done. */
static bool is_event(const struct logged *was, const struct aero_tick *t,
                     size_t i)
{
    const struct aero_guest *g = &t->guests[i];
    const struct aero_policy_guest *a = &was->in, *b = &t->in[i];

    return g->written_kib != LXE_UNKNOWN ||
           was->state != aero_guest_state_name(g->condition.state) ||
           a->movable != b->movable || a->min_kib != b->min_kib ||
           a->max_kib != b->max_kib || a->min_is_set != b->min_is_set ||
           a->shares != b->shares || a->demand_known != b->demand_known ||
           a->why != b->why || strcmp(was->name, g->dom.name);
}

static enum line line_of(const struct aero_decision_log *log, size_t i,
                         const struct aero_tick *t, bool *matters)
{
    const struct logged *was = &log->guests[i];
    const struct aero_policy_guest *in = &t->in[i];
    uint64_t target_kib = t->out[i].target_kib;

    if (log->full || !was->known || is_event(was, t, i)) {
        *matters = true;
        return LINE_WHOLE;
    }
    if (aero_decision_same(&was->in, was->target_kib, in, target_kib))
        return LINE_NONE;
    if (was->target_kib != target_kib ||
        was->in.target_kib != in->target_kib ||
        was->in.floor_kib != in->floor_kib ||
        far(was->in.demand_kib, in->demand_kib) ||
        far(was->in.held_kib, in->held_kib))
        *matters = true;
    return LINE_CHANGES;
}

static bool host_matters(const struct aero_policy_host *was,
                         const struct aero_policy_host *is)
{
    struct aero_policy_host like = *is;

    like.free_kib = was->free_kib;
    return far(was->free_kib, is->free_kib) ||
           !aero_fields_equal(aero_host_fields, aero_host_field_count, was,
                              &like);
}

static void compare(struct aero_decision_log *log, const struct aero_tick *t,
                    struct news *n)
{
    bool changed = !aero_fields_equal(aero_host_fields, aero_host_field_count,
                                      &log->host, t->host);

    n->matters = log->full || n->gone_count > 0 ||
                 host_matters(&log->host, t->host);
    for (size_t i = 0; i < t->count; i++) {
        log->lines[i] = line_of(log, i, t, &n->matters);
        n->lines += log->lines[i] != LINE_NONE;
    }
    if ((changed || n->lines) &&
        log->since_record >= AERO_LOG_QUIET_TICKS)
        n->matters = true;
}

/* What was written is what the next tick is compared with. */
static void remember(struct aero_decision_log *log, const struct aero_tick *t)
{
    log->host = *t->host;
    log->since_record = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct aero_guest *g = &t->guests[i];
        struct logged *to = &log->guests[i];

        if (log->lines[i] == LINE_NONE)
            continue;
        to->known = true;
        to->state = aero_guest_state_name(g->condition.state);
        to->in = t->in[i];
        to->target_kib = t->out[i].target_kib;
        memcpy(to->name, g->dom.name, sizeof(to->name));
    }
}

/* ---- lines ---- */

/* Each returns whether there was memory for its line. */

static bool end_line(struct lxe_jw *w, FILE *to)
{
    size_t len;
    const char *text = lxe_jw_text(w, &len);
    bool written = text && fwrite(text, 1, len, to) == len &&
                   fputc('\n', to) != EOF;

    lxe_jw_free(w);
    return written;
}

static bool put_head(const struct aero_decision_log *log, FILE *to)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return false;
    lxe_jw_object(w);
    lxe_jw_u64(w, "decisions", AERO_LOG_FORMAT);
    lxe_jw_str(w, "aerostat", log->version);
    lxe_jw_end_object(w);
    return end_line(w, to);
}

static bool put_tick(const struct aero_decision_log *log,
                     const struct aero_tick *t, const struct news *n, FILE *to)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return false;
    lxe_jw_object(w);
    lxe_jw_u64(w, "tick", t->number);
    lxe_jw_u64(w, "time_ms", t->time_ms);
    lxe_jw_bool(w, "full", log->full);
    lxe_jw_u64(w, "guests", t->count);
    lxe_jw_u64(w, "lines", n->lines);
    lxe_jw_key(w, "gone");
    lxe_jw_array(w);
    for (size_t i = 0; i < n->gone_count && !log->full; i++)
        lxe_jw_u64(w, NULL, n->gone[i]);
    lxe_jw_end_array(w);
    aero_decision_write_host(w, t->reserve_kib, t->host, &t->host_facts);
    aero_decision_write_nodes(w, t->pools);
    lxe_jw_end_object(w);
    return end_line(w, to);
}

static bool put_whole(const struct aero_tick *t, size_t index, FILE *to)
{
    struct lxe_jw *w = lxe_jw_new(false);
    struct aero_decision d;

    if (!w)
        return false;
    aero_tick_decision(t, index, &d);
    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", t->guests[index].dom.domid);
    lxe_jw_str(w, "name", t->guests[index].dom.name);
    aero_decision_write(w, &d);
    lxe_jw_end_object(w);
    return end_line(w, to);
}

static bool put_changes(const struct logged *was, const struct aero_tick *t,
                        size_t index, FILE *to)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return false;
    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", t->guests[index].dom.domid);
    lxe_jw_key(w, "in");
    lxe_jw_object(w);
    aero_fields_write_changes(w, aero_guest_fields, aero_guest_field_count,
                              &was->in, &t->in[index]);
    lxe_jw_end_object(w);
    if (was->target_kib != t->out[index].target_kib) {
        lxe_jw_key(w, "out");
        lxe_jw_object(w);
        lxe_jw_u64(w, "target_kib", t->out[index].target_kib);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_object(w);
    return end_line(w, to);
}

static bool put_guest(const struct aero_decision_log *log,
                      const struct aero_tick *t, size_t index, FILE *to)
{
    switch ((enum line)log->lines[index]) {
    case LINE_WHOLE:
        return put_whole(t, index, to);
    case LINE_CHANGES:
        return put_changes(&log->guests[index], t, index, to);
    case LINE_NONE:
        break;
    }
    return true;
}

/* NULL without memory: a record that lacks a line would be a wrong one. */
static char *compose(const struct aero_decision_log *log,
                     const struct aero_tick *t, const struct news *n,
                     size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);
    bool whole;

    if (!to)
        return NULL;
    whole = (!log->head || put_head(log, to)) && put_tick(log, t, n, to);
    for (size_t i = 0; i < t->count && whole; i++)
        whole = put_guest(log, t, i, to);
    if (fclose(to) || !whole) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- the file ---- */

static void close_file(struct aero_decision_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

/* Cuts off a line that whoever wrote it did not live to end. */
static int end_at_newline(int fd, uint64_t *size)
{
    char tail[AERO_LOG_LINE];
    uint64_t from = *size > sizeof(tail) ? *size - sizeof(tail) : 0;
    ssize_t n = pread(fd, tail, sizeof(tail), (off_t)from);
    const char *newline = n > 0 ? memrchr(tail, '\n', (size_t)n) : NULL;
    uint64_t end = newline ? from + (uint64_t)(newline - tail) + 1 : from;

    if (n < 0)
        return -errno;
    if (end == *size)
        return 0;
    *size = end;
    return ftruncate(fd, (off_t)end) ? -errno : 0;
}

static int open_file(struct aero_decision_log *log)
{
    struct stat st;
    int rc = 0;

    log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC |
                   O_NOFOLLOW, 0640);
    if (log->fd < 0)
        return -errno;
    if (fstat(log->fd, &st))
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = -EINVAL;
    log->size = (uint64_t)st.st_size;
    if (!rc)
        rc = end_at_newline(log->fd, &log->size);
    if (rc)
        close_file(log);
    log->head = true;
    log->full = true;
    return rc;
}

static int rotate(struct aero_decision_log *log)
{
    close_file(log);
    if (rename(log->path, log->old_path) && errno != ENOENT)
        return -errno;
    return open_file(log);
}

/* A record that is cut short is taken out again: the next one is whole. */
static int append(struct aero_decision_log *log, const char *text, size_t len)
{
    int rc = lxe_write_all(log->fd, text, len);

    if (!rc) {
        log->size += len;
        return 0;
    }
    if (ftruncate(log->fd, (off_t)log->size))
        lxe_debug("%s: cannot cut it: %s", log->path, strerror(errno));
    return rc;
}

static void give_up_for_now(struct aero_decision_log *log, int rc)
{
    if (!log->told)
        lxe_warn("%s: %s; going on without a log of decisions", log->path,
                 rc == -EFBIG ? "decision_log_mib is too small for so many"
                                " guests"
                              : strerror(-rc));
    log->told = true;
    log->wait_ticks = AERO_LOG_RETRY_TICKS;
    close_file(log);
}

/* Returns -EAGAIN where the file was changed: then all is to be written. */
static int write_news(struct aero_decision_log *log, const struct aero_tick *t,
                      const struct news *n)
{
    _cleanup_free_ char *text = NULL;
    size_t len;

    text = compose(log, t, n, &len);
    if (!text)
        return -ENOMEM;
    if (len > log->half_bytes)
        return -EFBIG;
    if (log->size + len > log->half_bytes) {
        int rc = rotate(log);

        return rc ? rc : -EAGAIN;
    }
    log->since_full = log->full ? 0 : log->since_full;
    log->full = false;
    log->head = false;
    return append(log, text, len);
}

static int note(struct aero_decision_log *log, const struct aero_tick *t)
{
    _cleanup_free_ uint32_t *gone = NULL;
    struct news n = { 0 };
    int rc = log->fd < 0 ? open_file(log) : 0;

    if (!rc)
        rc = follow_guests(log, t, &n);
    gone = n.gone;
    if (rc)
        return rc;
    compare(log, t, &n);
    if (!n.matters)
        return 0;
    rc = write_news(log, t, &n);
    if (!rc)
        remember(log, t);
    return rc;
}

void aero_decision_log_note(struct aero_decision_log *log,
                            const struct aero_tick *tick)
{
    int rc;

    if (!log)
        return;
    if (log->wait_ticks) {
        log->wait_ticks--;
        return;
    }
    log->since_record++;
    if (++log->since_full >= AERO_LOG_FULL_TICKS)
        log->full = true;
    rc = note(log, tick);
    if (rc == -EAGAIN)
        rc = note(log, tick);
    if (rc)
        give_up_for_now(log, rc);
    else
        log->told = false;
}

/* ---- opening and closing ---- */

static int set_paths(struct aero_decision_log *log, const char *dir,
                     struct lxe_err *err)
{
    int len = snprintf(log->path, sizeof(log->path), "%s/" AERO_LOG_NAME, dir);

    if (len < 0 || (size_t)len >= sizeof(log->path))
        return lxe_fail(err, -ENAMETOOLONG, "%.200s…: name is too long", dir);
    snprintf(log->old_path, sizeof(log->old_path), "%s.1", log->path);
    if (mkdir(dir, 0750) && errno != EEXIST)
        return lxe_fail(err, -errno, "cannot make %s: %m", dir);
    return 0;
}

int aero_decision_log_open(const char *dir, uint64_t limit_bytes,
                           const char *version,
                           struct aero_decision_log **out,
                           struct lxe_err *err)
{
    struct aero_decision_log *log = calloc(1, sizeof(*log));
    int rc;

    if (!log)
        return lxe_fail(err, -ENOMEM, "out of memory");
    log->version = version;
    log->half_bytes = limit_bytes / 2;
    log->fd = -1;
    rc = set_paths(log, dir, err);
    if (!rc && (rc = open_file(log)))
        lxe_fail(err, rc, "cannot open %s: %s", log->path, strerror(-rc));
    if (rc) {
        free(log);
        return rc;
    }
    *out = log;
    return 0;
}

void aero_decision_log_close(struct aero_decision_log *log)
{
    if (!log)
        return;
    close_file(log);
    free(log->guests);
    free(log->lines);
    free(log);
}
