/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fx_migration.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fx_program.h"
#include "unpacker.h"

#define CB_SAVE    "136" /* suspend, switch_qemu_logdirty, as libxl asks */
#define CB_RESTORE "768" /* static_data_done, restore_results */
#define XC_LIVE    "1"
#define XC_DEBUG   "3"
#define ALIVE_NS   (5 * LXE_NS_PER_SEC)

static const char stock_helper[] =
    "/usr/lib/xen-" LXE_XEN_RELEASE "/bin/libxl-save-helper";

uint32_t fx_source(void)
{
    static uint32_t domid;

    if (!domid)
        domid = FX_TARGET + 1 + (uint32_t)getpid() % 32000;
    return domid;
}

void fx_migration_init(struct fx_migration *m, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->guest = (struct fx_guest_config){
        .domid = FX_SOURCE,
        .ram_pages = 8 * FX_PAGES_PER_MIB,
        .top_gfn = 16 * FX_PAGES_PER_MIB - 1,
        .hole_percent = 10,
        .seed = seed,
    };
}

/* ---- where the other programs are ---- */

static const char *built(char *path, size_t size, const char *name)
{
    const char *dir = getenv("top_builddir");

    snprintf(path, size, "%s/%s", dir ? dir : ".", name);
    return path;
}

bool fx_have_stock(void)
{
    char path[512];

    return !access(stock_helper, X_OK) &&
           !access(built(path, sizeof(path), "tests/libfakexen.so"), R_OK);
}

bool fx_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#endif
#endif
    return false;
}

/* ---- trouble ---- */

struct trouble {
    const struct fx_migration *m;
    struct fx_outcome *o;
    pthread_t thread;
    atomic_bool stop;
};

/* To each thread of the helper: a write or wait of any may be cut short. */
static void storm(pid_t pid)
{
    char path[64];
    struct dirent *e;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir && (e = readdir(dir)))
        if (e->d_name[0] != '.')
            syscall(SYS_tgkill, pid, atoi(e->d_name), SIGUSR1);
    if (dir)
        closedir(dir);
}

/* Pre-copy has begun, so the helper has its handlers. */
static bool begun(void)
{
    return atomic_load(&fx_domain(FX_SOURCE)->calls[FX_CALL_LOG_ON]) > 0 &&
           atomic_load(&fx_domain(FX_SOURCE)->calls[FX_CALL_PAGE_TYPES]) > 0;
}

static bool due(const struct fx_kill *k, uint64_t from_ns)
{
    return k->signal && from_ns &&
           fx_now_ns() >= from_ns + k->after_us * UINT64_C(1000);
}

/* The helper may have ended, and nobody reads it then. */
static void change_limits(const struct trouble *t)
{
    char line[FX_LIMITS + 1];
    int n = snprintf(line, sizeof(line), "%s\n", t->m->change);

    if (write(t->o->save.control, line, (size_t)n) != n)
        return;
}

static void *trouble_main(void *data)
{
    struct trouble *t = data;
    const struct fx_kill *k = &t->m->kill;
    uint64_t from_ns = k->after_start ? 0 : fx_now_ns();
    pid_t victim = t->m->kill_restorer ? t->o->restore.pid : t->o->save.pid;
    bool killed = false, changed = !*t->m->change;

    while (!atomic_load(&t->stop)) {
        if (!from_ns && begun())
            from_ns = fx_now_ns();
        if (!killed && due(k, from_ns)) {
            kill(victim, k->signal);
            killed = true;
        }
        if (!changed && begun()) {
            fx_sleep_us(t->m->change_us);
            change_limits(t);
            changed = true;
        }
        if (t->m->storm_us && begun())
            storm(t->o->save.pid);
        fx_sleep_us(t->m->storm_us ? t->m->storm_us : 100);
    }
    return NULL;
}

/* ---- the two ends ---- */

static void start_save(const struct fx_migration *m, struct fx_outcome *o,
                       int fd)
{
    static char path[512], library[512];
    char number[16], domid[16];
    struct fx_helper_config c = {
        .argv = { "--save-domain", number, "-1", domid,
                  m->verify ? XC_DEBUG : XC_LIVE, CB_SAVE, "0" },
        .limits = m->limits,
        .stream_fd = fd,
        .domid = FX_SOURCE,
        .suspend_us = m->suspend_us,
        .frozen_us = m->frozen_us,
        .refuse_suspend = m->refuse_suspend,
        .die_at_suspend = m->die_at_suspend,
        .die_after_suspend = m->die_after_suspend,
    };

    snprintf(number, sizeof(number), "%d", fd);
    snprintf(domid, sizeof(domid), "%u", FX_SOURCE);
    if (m->saver == FX_SAVER_PLAIN) {
        memset(c.argv, 0, sizeof(c.argv));
        c.argv[0] = FX_ROLE_PLAIN;
        c.argv[1] = number;
        c.argv[2] = domid;
        c.argv[3] = m->verify ? XC_DEBUG : XC_LIVE;
    } else if (m->saver != FX_SAVER_OURS) {
        c.program = m->saver == FX_SAVER_STOCK
                        ? stock_helper
                        : built(path, sizeof(path), "aerostat-save-helper");
        c.preload = built(library, sizeof(library), "tests/libfakexen.so");
    }
    if (!fx_helper_start(&o->save, &c))
        abort();
}

static void start_restore(const struct fx_migration *m, struct fx_outcome *o,
                          int fd)
{
    static char library[512];
    char number[16];
    struct fx_helper_config c = {
        .argv = { FX_ROLE_RESTORE, number, "2" },
        .stream_fd = fd,
    };

    snprintf(number, sizeof(number), "%d", fd);
    if (m->stock_restore) {
        c = (struct fx_helper_config){
            .program = stock_helper,
            .preload = built(library, sizeof(library), "tests/libfakexen.so"),
            .argv = { "--restore-domain", number, "-1", "2", "1", "0", "2",
                      "0", CB_RESTORE, "0" },
            .stream_fd = fd,
        };
    }
    if (!fx_helper_start(&o->restore, &c))
        abort();
}

struct sink {
    int fd;
    struct fx_arrivals *arrivals;
};

static void note_arrival(struct fx_arrivals *a, uint64_t bytes)
{
    if (!a || !a->room)
        return;
    a->count += a->count < a->room;
    a->list[a->count - 1] = (struct fx_arrival){ fx_now_ns(), bytes };
}

/* In place of a restorer: reads all there is. */
static void *sink_main(void *data)
{
    static char nowhere[1 << 18];
    const struct sink *sink = data;
    uint64_t bytes = 0;
    ssize_t n;

    while ((n = read(sink->fd, nowhere, sizeof(nowhere))) > 0) {
        bytes += (uint64_t)n;
        note_arrival(sink->arrivals, bytes);
    }
    return NULL;
}

static void socket_pair(int fds[2], int bytes)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        abort();
    if (bytes)
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* ---- afterwards ---- */

/* Whether the guest writes on: it may take a moment on a busy machine. */
static bool writes_on(struct fx_writer *const *writers, unsigned count)
{
    uint64_t before, until_ns = fx_now_ns() + ALIVE_NS;

    if (!count)
        return true;
    before = fx_writer_count(writers[0]);
    while (fx_writer_count(writers[0]) == before) {
        if (fx_now_ns() > until_ns)
            return false;
        fx_sleep_us(200);
    }
    return true;
}

/* Where the helper was killed, a guard of it lets the guest go. */
static bool held_back(const struct fx_domain *d)
{
    uint64_t until_ns = fx_now_ns() + ALIVE_NS;

    while (atomic_load(&d->pauses) || atomic_load(&d->cap_percent)) {
        if (fx_now_ns() > until_ns)
            return true;
        fx_sleep_us(200);
    }
    return false;
}

static void look(const struct fx_migration *m, struct fx_outcome *o,
                 struct fx_writer *const *writers)
{
    struct fx_domain *source = fx_domain(FX_SOURCE);
    struct fx_world *w = fx_world();

    o->killed = WIFSIGNALED(o->save.exit_status) &&
                WTERMSIG(o->save.exit_status) == SIGKILL;
    o->held_left = held_back(source);
    o->early = WIFSIGNALED(o->save.exit_status) &&
               !atomic_load(&source->calls[FX_CALL_LOG_ON]);
    for (unsigned i = 0; i < FX_CALLS; i++)
        o->calls[i] = atomic_load(&source->calls[i]);
    o->saved = o->save.completed && !o->save.retval &&
               WIFEXITED(o->save.exit_status) &&
               !WEXITSTATUS(o->save.exit_status);
    o->restored = !m->sink && WIFEXITED(o->restore.exit_status) &&
                  !WEXITSTATUS(o->restore.exit_status) &&
                  !o->restore.retval;
    o->log_dirty_left = atomic_load(&source->log_dirty);
    o->suspended_left = atomic_load(&source->suspended);
    o->busy = atomic_load(&source->busy);
    o->stray = atomic_load(&source->stray);
    o->leaked_buffers = atomic_load(&w->leaked_buffers);
    o->leaked_maps = atomic_load(&w->leaked_maps);
    if (atomic_load(&w->unknown))
        o->unknown = atomic_load(&w->last_unknown);
    for (unsigned i = 0; i < m->writer_count; i++)
        o->written += fx_writer_count(writers[i]);
    if (o->restored)
        o->differences = fx_compare(source, fx_domain(FX_TARGET),
                                    o->difference, sizeof(o->difference));
    /* As xl does with a guest whose migration failed. */
    if (!o->saved || !o->restored) {
        if (!m->die_at_suspend && !m->die_after_suspend)
            fx_resume(source);
        o->alive = writes_on(writers, m->writer_count);
    }
}

static void prepare(const struct fx_migration *m, struct fx_writer **writers)
{
    struct fx_domain *source;

    fx_world_create();
    source = fx_guest_create(&m->guest);
    fx_target_create(FX_TARGET, true);
    fx_world()->log_us = m->log_us;
    memcpy(fx_world()->faults, m->faults, sizeof(m->faults));
    for (unsigned i = 0; i < m->writer_count; i++)
        writers[i] = fx_writer_start(source, &m->writers[i]);
}

/* The target unpacks what was packed. Returns where the restorer reads. */
static int unpacked(const struct fx_migration *m, struct mig_unpacker *u,
                    int fd)
{
    *u = (struct mig_unpacker){ 0, -1 };
    if (!strstr(m->limits, "compress="))
        return fd;
    if (mig_unpacker_start(fd, MIG_UNPACK_LIBXC, u, NULL))
        abort();
    return u->fd;
}

/* Runs both ends until they have ended. */
static void carry_out(const struct fx_migration *m, struct fx_outcome *o)
{
    struct fx_helper *helpers[] = { &o->save, &o->restore };
    struct trouble t = { .m = m, .o = o };
    struct fx_wire *wire = NULL;
    int near[2], far[2] = { -1, -1 };
    struct sink sink = { .arrivals = m->arrivals };
    struct mig_unpacker unpacker = { 0, -1 };
    pthread_t reader;

    socket_pair(near, m->socket_bytes);
    if (m->wired)
        socket_pair(far, m->socket_bytes);
    sink.fd = near[1];
    o->start_ns = fx_now_ns();
    if (m->sink)
        pthread_create(&reader, NULL, sink_main, &sink);
    else
        start_restore(m, o,
                      unpacked(m, &unpacker, m->wired ? far[1] : near[1]));
    mig_unpacker_hand_over(&unpacker);
    start_save(m, o, near[0]);
    if (m->wired) {
        wire = fx_wire_start(&m->wire, near[1], far[0]);
        close(far[1]);
    } else if (!m->sink) {
        close(near[1]);
    }
    pthread_create(&t.thread, NULL, trouble_main, &t);
    fx_helpers_serve(helpers, m->sink ? 1 : 2, &o->save);
    atomic_store(&t.stop, true);
    pthread_join(t.thread, NULL);
    fx_helper_reap(&o->save);
    /* As libxl, which keeps the stream open until its helper has ended. */
    close(near[0]);
    if (m->sink) {
        pthread_join(reader, NULL);
        close(near[1]);
    } else {
        fx_helpers_serve(helpers + 1, 1, &o->restore);
        fx_helper_reap(&o->restore);
    }
    mig_unpacker_stop(&unpacker);
    if (wire)
        fx_wire_join(wire, &o->wire);
    o->end_ns = fx_now_ns();
}

void fx_migrate(const struct fx_migration *m, struct fx_outcome *o)
{
    struct fx_writer *writers[FX_WRITERS] = { NULL };

    memset(o, 0, sizeof(*o));
    prepare(m, writers);
    carry_out(m, o);
    look(m, o, writers);
    for (unsigned i = 0; i < m->writer_count; i++)
        fx_writer_stop(writers[i]);
}

uint64_t fx_downtime_ns(const struct fx_outcome *o)
{
    uint64_t restored_ns = atomic_load(&fx_domain(FX_TARGET)->restored_ns);

    return restored_ns > o->save.suspend_ns ? restored_ns - o->save.suspend_ns
                                            : 0;
}

/* ---- what has to hold ---- */

static bool off_fails(const struct fx_migration *m)
{
    for (unsigned i = 0; i < FX_FAULTS; i++)
        if (m->faults[i].times && m->faults[i].call == FX_CALL_LOG_OFF &&
            m->faults[i].errnum)
            return true;
    return false;
}

static const char *check_source(const struct fx_migration *m,
                                const struct fx_outcome *o)
{
    bool gone = m->die_at_suspend || m->die_after_suspend;

    if (o->log_dirty_left && !o->killed && !off_fails(m))
        return "log-dirty mode was left on";
    if (o->held_left)
        return "the guest was left paused or capped";
    if (o->saved && !o->suspended_left)
        return "the guest was saved, but runs on";
    if (o->suspended_left && !o->save.suspended)
        return "the guest is suspended, and nobody asked";
    if (gone && o->suspended_left && !o->killed && !o->saved)
        return "libxl is gone, and the guest was left suspended";
    if (!(o->saved && o->restored) && !o->alive)
        return "the guest does not go on at the source";
    return NULL;
}

static const char *check_result(const struct fx_migration *m,
                                const struct fx_outcome *o)
{
    if (o->restored && o->differences)
        return "the restored guest differs";
    if (o->restored && !o->save.suspended)
        return "a guest was restored that was never suspended";
    /* With the wire whole, a save that went well can be restored. */
    if (o->saved && !m->sink && !m->wire.break_at && !m->kill_restorer &&
        !o->restored) {
        for (unsigned i = 0; i < FX_FAULTS; i++)
            if (m->faults[i].domid == FX_TARGET)
                return NULL;
        return "the save went well, but was not restored";
    }
    return NULL;
}

static const char *check_helper(const struct fx_migration *m,
                                const struct fx_outcome *o)
{
    const struct fx_helper *h = &o->save;
    bool gone = m->die_at_suspend || m->die_after_suspend;

    if (o->early)
        return NULL;
    if (WIFSIGNALED(h->exit_status) && !o->killed)
        return "the helper died of a signal";
    if (WIFEXITED(h->exit_status) &&
        WEXITSTATUS(h->exit_status) == FX_EXIT_LEAK)
        return "the helper left descriptors or threads behind";
    if (!o->killed && !gone && WEXITSTATUS(h->exit_status) == 0 &&
        !h->completed)
        return "the helper ended without a word";
    if (h->bad_messages)
        return "the helper sent what cannot be parsed";
    if (!o->killed && !gone && h->qemu_on != h->qemu_off)
        return "QEMU's log-dirty mode was left on";
    if (o->leaked_buffers || o->leaked_maps)
        return "hypercall buffers or mappings were not given back";
    if (o->busy)
        return "a log-dirty operation ran into another one";
    if (o->stray)
        return "the dirty log was cleaned while it was off";
    if (o->unknown)
        return "a hypercall that fakexen does not know";
    return NULL;
}

const char *fx_check(const struct fx_migration *m, const struct fx_outcome *o)
{
    const char *wrong = check_source(m, o);

    if (!wrong)
        wrong = check_result(m, o);
    return wrong ? wrong : check_helper(m, o);
}

void fx_explain(const struct fx_migration *m, const struct fx_outcome *o)
{
    const struct fx_helper *h = &o->save;

    printf("    limits: %s\n", *m->limits ? m->limits : "the defaults");
    for (unsigned i = 0; i < FX_FAULTS; i++)
        if (m->faults[i].times)
            printf("    fault: %s of domain %u, number %u, errno %d, signal "
                   "%d\n", fx_call_name(m->faults[i].call),
                   m->faults[i].domid, m->faults[i].nth,
                   m->faults[i].errnum, m->faults[i].signal);
    printf("    saved %d restored %d killed %d; complete(%d, %d), status "
           "0x%x, restorer's 0x%x\n", o->saved, o->restored, o->killed,
           h->retval, h->errnum, h->exit_status, o->restore.exit_status);
    printf("    rounds %u, stop: %s\n    last error: %s\n", h->round_count,
           h->stop_reason, h->error);
    if (o->unknown)
        printf("    unknown hypercall 0x%x\n", o->unknown);
    if (o->differences)
        printf("    %u differences: %s\n", o->differences, o->difference);
}
