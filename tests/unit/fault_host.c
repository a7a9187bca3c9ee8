/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirty_log.h"
#include "page_sample.h"

/* Whether this call is to fail. */
static bool fails(struct fault_host *f)
{
    unsigned n = ++f->calls;
    bool now = f->fail_at && n >= f->fail_at &&
               n < f->fail_at + f->fail_count;

    f->failed = f->failed || now;
    return now;
}

static int fault(const struct fault_host *f, const char *what,
                 struct lxe_err *err)
{
    return lxe_fail(err, f->code, "%s: made to fail", what);
}

/* An op that takes `inner` and what follows. */
#define FORWARD(op, ...)                                                      \
    struct fault_host *f = (struct fault_host *)host;                         \
    bool fail = fails(f);                                                     \
    int rc = 0;                                                               \
                                                                              \
    if (!fail || f->after)                                                    \
        rc = f->inner->ops->op(f->inner, __VA_ARGS__);                        \
    return fail ? fault(f, #op, err) : rc

static void f_close(struct lxe_host *host)
{
    (void)host; /* both are the caller's */
}

static uint64_t f_now_ns(struct lxe_host *host)
{
    struct fault_host *f = (struct fault_host *)host;

    return f->inner->ops->now_ns(f->inner);
}

/* What a caller is given with an error it does not free. */
static int f_list_domains(struct lxe_host *host, struct lxe_domain_list *out,
                          struct lxe_err *err)
{
    struct fault_host *f = (struct fault_host *)host;

    if (fails(f))
        return fault(f, "list_domains", err);
    return f->inner->ops->list_domains(f->inner, out, err);
}

static int f_get_domain(struct lxe_host *host, uint32_t domid,
                        struct lxe_domain *out, struct lxe_err *err)
{
    FORWARD(get_domain, domid, out, err);
}

static int f_memory(struct lxe_host *host, struct lxe_host_memory *out,
                    struct lxe_err *err)
{
    FORWARD(memory, out, err);
}

static int f_numa(struct lxe_host *host, struct lxe_numa *out,
                  struct lxe_err *err)
{
    FORWARD(numa, out, err);
}

static int f_set_target(struct lxe_host *host, uint32_t domid,
                        uint64_t target_kib, struct lxe_err *err)
{
    FORWARD(set_target, domid, target_kib, err);
}

static int f_watch(struct lxe_host *host, struct lxe_err *err)
{
    FORWARD(watch, err);
}

static int f_event_fd(struct lxe_host *host)
{
    struct fault_host *f = (struct fault_host *)host;

    return f->inner->ops->event_fd(f->inner);
}

static int f_dispatch(struct lxe_host *host, lxe_event_fn *fn, void *data,
                      struct lxe_err *err)
{
    FORWARD(dispatch, fn, data, err);
}

static int f_reconnect(struct lxe_host *host, struct lxe_err *err)
{
    FORWARD(reconnect, err);
}

static int f_prepare_agent(struct lxe_host *host, uint32_t domid,
                           struct lxe_err *err)
{
    FORWARD(prepare_agent, domid, err);
}

static int f_drop_page_cache(struct lxe_host *host, uint32_t domid,
                             struct lxe_err *err)
{
    FORWARD(drop_page_cache, domid, err);
}

static int f_move_request(struct lxe_host *host, uint32_t domid,
                          struct lxe_move_request *out, struct lxe_err *err)
{
    FORWARD(move_request, domid, out, err);
}

static int f_move_answer(struct lxe_host *host, uint32_t domid, uint64_t id,
                         const char *text, struct lxe_err *err)
{
    FORWARD(move_answer, domid, id, text, err);
}

static int f_pause(struct lxe_host *host, uint32_t domid, struct lxe_err *err)
{
    FORWARD(pause, domid, err);
}

static int f_unpause(struct lxe_host *host, uint32_t domid,
                     struct lxe_err *err)
{
    FORWARD(unpause, domid, err);
}

static int f_cap_set(struct lxe_host *host, uint32_t domid, unsigned percent,
                     struct lxe_err *err)
{
    FORWARD(cap_set, domid, percent, err);
}

static int f_cap_get(struct lxe_host *host, uint32_t domid, unsigned *percent,
                     struct lxe_err *err)
{
    FORWARD(cap_get, domid, percent, err);
}

static int f_resume(struct lxe_host *host, uint32_t domid,
                    struct lxe_err *err)
{
    FORWARD(resume, domid, err);
}

/* ---- sessions ---- */

struct fault_log {
    struct lxe_dirty_log log; /* first; shows what the inner one has */
    struct fault_host *f;
    struct lxe_dirty_log *inner;
};

#define FORWARD_LOG(op)                                                       \
    struct fault_log *l = (struct fault_log *)log;                            \
    bool fail = fails(l->f);                                                  \
    int rc = 0;                                                               \
                                                                              \
    if (!fail || l->f->after)                                                 \
        rc = l->inner->ops->op(l->inner, dirty_pages, err);                   \
    l->log.bitmap = l->inner->bitmap;                                         \
    l->log.pages = l->inner->pages;                                           \
    return fail ? fault(l->f, #op, err) : rc

static int l_peek_count(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                        struct lxe_err *err)
{
    FORWARD_LOG(peek_count);
}

static int l_peek(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                  struct lxe_err *err)
{
    FORWARD_LOG(peek);
}

static int l_clean(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                   struct lxe_err *err)
{
    FORWARD_LOG(clean);
}

static void l_close(struct lxe_dirty_log *log)
{
    struct fault_log *l = (struct fault_log *)log;

    l->inner->ops->close(l->inner);
    free(l);
}

static const struct lxe_dirty_log_ops log_ops = { l_peek_count, l_peek,
                                                  l_clean, l_close };

static int f_check_devices(struct lxe_host *host, uint32_t domid,
                           struct lxe_err *err)
{
    struct fault_host *f = (struct fault_host *)host;

    if (fails(f))
        return fault(f, "check_devices", err);
    return f->inner->ops->check_devices(f->inner, domid, err);
}

static int f_dirty_log_open(struct lxe_host *host, uint32_t domid,
                            struct lxe_dirty_log **out, struct lxe_err *err)
{
    struct fault_host *f = (struct fault_host *)host;
    struct fault_log *l;
    int rc;

    if (fails(f))
        return fault(f, "dirty_log_open", err);
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    rc = f->inner->ops->dirty_log_open(f->inner, domid, &l->inner, err);
    if (rc) {
        free(l);
        return rc;
    }
    l->f = f;
    l->log = *l->inner;
    l->log.ops = &log_ops;
    *out = &l->log;
    return 0;
}

struct fault_sample {
    struct lxe_page_sample sample; /* first; shares the inner one's arrays */
    struct fault_host *f;
    struct lxe_page_sample *inner;
};

static int s_look(struct lxe_page_sample *sample, struct lxe_err *err)
{
    struct fault_sample *s = (struct fault_sample *)sample;

    if (fails(s->f))
        return fault(s->f, "look", err);
    return s->inner->ops->look(s->inner, err);
}

static int s_visit(struct lxe_page_sample *sample, lxe_page_visit_fn *visit,
                   void *data, struct lxe_err *err)
{
    struct fault_sample *s = (struct fault_sample *)sample;

    if (fails(s->f))
        return fault(s->f, "visit", err);
    return s->inner->ops->visit(s->inner, visit, data, err);
}

static void s_close(struct lxe_page_sample *sample)
{
    struct fault_sample *s = (struct fault_sample *)sample;

    s->inner->ops->close(s->inner);
    free(s);
}

static const struct lxe_page_sample_ops sample_ops = { s_look, s_visit,
                                                        s_close };

static int f_page_sample_open(struct lxe_host *host, uint32_t domid,
                              size_t want, uint64_t seed,
                              struct lxe_page_sample **out,
                              struct lxe_err *err)
{
    struct fault_host *f = (struct fault_host *)host;
    struct fault_sample *s;
    int rc;

    if (fails(f))
        return fault(f, "page_sample_open", err);
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    rc = f->inner->ops->page_sample_open(f->inner, domid, want, seed,
                                         &s->inner, err);
    if (rc) {
        free(s);
        return rc;
    }
    s->f = f;
    s->sample = *s->inner;
    s->sample.ops = &sample_ops;
    *out = &s->sample;
    return 0;
}

static int f_save(struct lxe_host *host, const struct lxe_save_args *args,
                  struct lxe_err *err)
{
    FORWARD(save, args, err);
}

static const struct lxe_host_ops ops = {
    .name = "fault",
    .close = f_close,
    .now_ns = f_now_ns,
    .list_domains = f_list_domains,
    .get_domain = f_get_domain,
    .memory = f_memory,
    .numa = f_numa,
    .set_target = f_set_target,
    .watch = f_watch,
    .event_fd = f_event_fd,
    .dispatch = f_dispatch,
    .reconnect = f_reconnect,
    .prepare_agent = f_prepare_agent,
    .drop_page_cache = f_drop_page_cache,
    .move_request = f_move_request,
    .move_answer = f_move_answer,
    .pause = f_pause,
    .unpause = f_unpause,
    .cap_set = f_cap_set,
    .cap_get = f_cap_get,
    .resume = f_resume,
    .check_devices = f_check_devices,
    .dirty_log_open = f_dirty_log_open,
    .page_sample_open = f_page_sample_open,
    .save = f_save,
};

void fault_host_init(struct fault_host *f, struct lxe_host *inner)
{
    memset(f, 0, sizeof(*f));
    f->host.ops = &ops;
    f->inner = inner;
    f->fail_count = 1;
}
