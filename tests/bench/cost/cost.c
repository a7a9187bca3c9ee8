/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tick costs, in processor time, and what the daemon keeps for it.
 *
 *   bench-cost [--ticks K] [--bare [--busy]] [--json FILE] GUESTS...
 *   bench-cost --scenario GUESTS      writes an idle one, for the daemon
 *
 * Each figure is the median of K ticks, 2 s apart, after the guests settled.
 * What the simulator takes for the host's ops is told apart: it is no part of
 * the balancer. --bare does nothing but our ticks, with idle guests or busy
 * ones, and keeps no decisions: for a count of instructions by callgrind.
 */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balancer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "crowd.h"
#include "decision_history.h"
#include "decision_log.h"
#include "host_sim.h"
#include "peer.h"

#define GUESTS_MAX 10000u
#define TICKS_MAX  100u
#define TICK_NS    (2 * LXE_NS_PER_SEC)
#define SETTLE_S   20u
#define LOG_BYTES  (64u << 20)

static const struct peer_ops *const peers[] = {
    &peer_aerostat, &peer_squeezed, &peer_qmemman, &peer_mom, &peer_proxmox,
};
#define PEERS (sizeof(peers) / sizeof(*peers))

struct options {
    size_t ticks;
    bool bare, busy, scenario;
    const char *json;
};

/* All in milliseconds but the last. */
struct cost {
    double host;   /* what the simulator takes, in none of the others */
    double tick;   /* the balancer's, without keeping decisions */
    double policy; /* of it, the policy alone */
    double whole;  /* with its history and its log */
    uint64_t kept_kib;
};

/* The daemon, without its sockets. */
struct daemon {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_history history;
    struct aero_decision_log *log;
    char dir[64];
    double policy_ms; /* for the last tick's input, once more */
    double kept_ms;   /* what the last tick's history and log took */
};

static double now_ms(void)
{
    return (double)lxe_thread_cpu_ns() / 1e6;
}

static int compare(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;

    return a < b ? -1 : a > b;
}

static double median(double *all, size_t count)
{
    qsort(all, count, sizeof(*all), compare);
    return (all[(count - 1) / 2] + all[count / 2]) / 2;
}

static uint64_t heap_kib(void)
{
    struct mallinfo2 m = mallinfo2();

    return (m.uordblks + m.hblkhd) / 1024;
}

/* ---- the simulated host, with a clock ---- */

/* Ops that walk its guests, or are called for some; the others take nothing.
 * Named timed_*, as cost.sh leaves their instructions out. */
static struct {
    const struct lxe_host_ops *sim;
    struct lxe_host_ops ops;
    double ms; /* since it was last set to 0 */
} timed;

static int timed_list_domains(struct lxe_host *host,
                              struct lxe_domain_list *out,
                              struct lxe_err *err)
{
    double start = now_ms();
    int rc = timed.sim->list_domains(host, out, err);

    timed.ms += now_ms() - start;
    return rc;
}

static int timed_memory(struct lxe_host *host, struct lxe_host_memory *out,
                        struct lxe_err *err)
{
    double start = now_ms();
    int rc = timed.sim->memory(host, out, err);

    timed.ms += now_ms() - start;
    return rc;
}

static int timed_set_target(struct lxe_host *host, uint32_t domid,
                            uint64_t target_kib, struct lxe_err *err)
{
    double start = now_ms();
    int rc = timed.sim->set_target(host, domid, target_kib, err);

    timed.ms += now_ms() - start;
    return rc;
}

static void time_host(struct lxe_host *host)
{
    timed.sim = host->ops;
    timed.ops = *host->ops;
    timed.ops.list_domains = timed_list_domains;
    timed.ops.memory = timed_memory;
    timed.ops.set_target = timed_set_target;
    host->ops = &timed.ops;
}

/* ---- ours ---- */

static void time_policy(struct daemon *d, const struct aero_tick *t)
{
    _cleanup_free_ struct aero_policy_target *out =
        calloc(t->count + 1, sizeof(*out));
    double start = now_ms();

    if (!out || aero_policy_run(t->host, t->in, t->count, out))
        exit(1);
    d->policy_ms = now_ms() - start;
}

static void on_decided(const struct aero_tick *tick, void *data)
{
    struct daemon *d = data;
    double start = now_ms();

    if (aero_history_note(&d->history, tick))
        exit(1);
    aero_decision_log_note(d->log, tick);
    d->kept_ms = now_ms() - start;
    time_policy(d, tick);
}

static void open_daemon(struct daemon *d, size_t guests, bool busy,
                        bool bare)
{
    struct lxe_err err = { 0 };

    d->host = crowd_open(guests, busy);
    strcpy(d->dir, "/tmp/bench-cost.XXXXXX");
    if (!d->host || !mkdtemp(d->dir) ||
        aero_decision_log_open(d->dir, LOG_BYTES, "bench", &d->log, &err) ||
        d->host->ops->watch(d->host, &err)) {
        fprintf(stderr, "cannot begin: %s\n", err.text);
        exit(1);
    }
    time_host(d->host);
    aero_config_defaults(&d->config);
    aero_balancer_init(&d->balancer, d->host, &d->config);
    d->balancer.decided = bare ? NULL : on_decided;
    d->balancer.decided_data = d;
}

static void remove_log(const struct daemon *d)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/" AERO_LOG_NAME, d->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" AERO_LOG_NAME ".1", d->dir);
    unlink(path);
    rmdir(d->dir);
}

static void close_daemon(struct daemon *d)
{
    aero_balancer_clear(&d->balancer);
    aero_history_clear(&d->history);
    aero_decision_log_close(d->log);
    aero_config_clear(&d->config);
    d->host->ops->close(d->host);
    remove_log(d);
}

static double tick_ms(struct daemon *d)
{
    double start = now_ms();

    timed.ms = 0;
    if (aero_balancer_tick(&d->balancer))
        exit(1);
    return now_ms() - start - timed.ms - d->kept_ms - d->policy_ms;
}

static void settle(struct daemon *d)
{
    for (unsigned s = 0; s < SETTLE_S; s += 2) {
        aero_balancer_tick(&d->balancer);
        lxe_sim_advance(d->host, TICK_NS);
    }
}

static struct cost measure(const struct options *o, size_t guests, bool busy)
{
    double host[TICKS_MAX], policy[TICKS_MAX], tick[TICKS_MAX];
    double whole[TICKS_MAX];
    struct daemon d = { 0 };
    uint64_t before;

    open_daemon(&d, guests, busy, o->bare);
    before = heap_kib();
    settle(&d);
    for (size_t i = 0; i < o->ticks; i++) {
        lxe_sim_advance(d.host, TICK_NS);
        tick[i] = tick_ms(&d);
        host[i] = timed.ms;
        policy[i] = d.policy_ms;
        whole[i] = tick[i] + d.kept_ms;
    }
    before = heap_kib() - before;
    close_daemon(&d);
    return (struct cost){
        median(host, o->ticks), median(tick, o->ticks),
        median(policy, o->ticks), median(whole, o->ticks), before,
    };
}

/* ---- the others ---- */

/* One look, with idle guests that have settled. */
static double measure_peer(const struct peer_ops *ops, size_t guests,
                           size_t ticks)
{
    struct lxe_host *host = crowd_open(guests, false);
    void *peer = host ? ops->open(host) : NULL;
    uint64_t now_ns = 0;
    double all[TICKS_MAX];

    if (!peer)
        exit(1);
    for (; now_ns < SETTLE_S * LXE_NS_PER_SEC; now_ns += TICK_NS) {
        ops->look(peer, now_ns);
        lxe_sim_advance(host, TICK_NS);
    }
    for (size_t i = 0; i < ticks; i++, now_ns += TICK_NS) {
        double start = now_ms();

        ops->look(peer, now_ns);
        all[i] = now_ms() - start;
        lxe_sim_advance(host, TICK_NS);
    }
    ops->close(peer);
    host->ops->close(host);
    return median(all, ticks);
}

/* ---- results ---- */

static void put_cost(struct lxe_jw *w, size_t guests, const char *load,
                     const struct cost *c)
{
    printf("%-7zu %-5s %10.3f %10.3f %10.3f %10.3f %10" PRIu64 "\n", guests,
           load, c->host, c->tick, c->policy, c->whole, c->kept_kib);
    lxe_jw_object(w);
    lxe_jw_u64(w, "guests", guests);
    lxe_jw_str(w, "load", load);
    lxe_jw_double(w, "host_ms", c->host);
    lxe_jw_double(w, "tick_ms", c->tick);
    lxe_jw_double(w, "policy_ms", c->policy);
    lxe_jw_double(w, "whole_ms", c->whole);
    lxe_jw_u64(w, "kept_kib", c->kept_kib);
    lxe_jw_end_object(w);
}

static void measure_ours(const struct options *o, struct lxe_jw *w,
                         char *const *guests)
{
    printf("%-7s %-5s %10s %10s %10s %10s %10s\n", "", "", "host", "tick",
           "of it", "with log", "kept");
    printf("%-7s %-5s %10s %10s %10s %10s %10s\n", "guests", "load", "ms",
           "ms", "policy", "ms", "KiB");
    lxe_jw_key(w, "aerostat");
    lxe_jw_array(w);
    for (; *guests; guests++)
        for (int busy = o->busy; busy < (o->bare ? o->busy + 1 : 2); busy++) {
            size_t n = strtoul(*guests, NULL, 10);
            struct cost c = measure(o, n, busy);

            put_cost(w, n, busy ? "busy" : "idle", &c);
        }
    lxe_jw_end_array(w);
}

static void measure_peers(const struct options *o, struct lxe_jw *w,
                          char *const *guests)
{
    printf("\na look at idle guests, ms (and by ours)\n%-7s", "guests");
    for (size_t p = 0; p < PEERS; p++)
        printf(" %16s", peers[p]->name);
    putchar('\n');
    lxe_jw_key(w, "peers");
    lxe_jw_array(w);
    for (; *guests; guests++) {
        size_t n = strtoul(*guests, NULL, 10);
        double ours = 0;

        lxe_jw_object(w);
        lxe_jw_u64(w, "guests", n);
        printf("%-7zu", n);
        for (size_t p = 0; p < PEERS; p++) {
            double ms = measure_peer(peers[p], n, o->ticks);

            ours = p ? ours : ms;
            printf(" %9.3f (%4.2f)", ms, ms / ours);
            lxe_jw_double(w, peers[p]->name, ms);
        }
        putchar('\n');
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

static int write_json(const char *path, struct lxe_jw *w)
{
    const char *text = lxe_jw_text(w, NULL);
    FILE *file = text ? fopen(path, "w") : NULL;
    int rc = file && fprintf(file, "%s\n", text) > 0 ? 0 : -1;

    if (file && fclose(file))
        rc = -1;
    if (rc)
        fprintf(stderr, "cannot write %s\n", path);
    return rc;
}

static int write_scenario(const char *guests)
{
    size_t len;
    char *text = crowd_text(strtoul(guests, NULL, 10), false, &len);
    int rc = text && fwrite(text, 1, len, stdout) == len ? 0 : 1;

    free(text);
    return rc;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "ticks", required_argument, NULL, 't' },
        { "bare", no_argument, NULL, 'b' },
        { "busy", no_argument, NULL, 'B' },
        { "scenario", no_argument, NULL, 's' },
        { "json", required_argument, NULL, 'j' },
        { 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 't': o->ticks = strtoul(optarg, NULL, 10); break;
        case 'b': o->bare = true; break;
        case 'B': o->busy = true; break;
        case 's': o->scenario = true; break;
        case 'j': o->json = optarg; break;
        default: return -1;
        }
    for (int i = optind; i < argc; i++) {
        unsigned long n = strtoul(argv[i], NULL, 10);

        if (!n || n > GUESTS_MAX)
            return -1;
    }
    return optind < argc && o->ticks && o->ticks <= TICKS_MAX ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options o = { .ticks = 20 };
    struct lxe_jw *w;
    int rc;

    if (parse(argc, argv, &o)) {
        fprintf(stderr, "usage: bench-cost [--ticks K] [--bare [--busy]] [--json"
                " FILE] GUESTS...\n       bench-cost --scenario GUESTS\n");
        return 2;
    }
    if (o.scenario)
        return write_scenario(argv[optind]);
    w = lxe_jw_new(true);
    if (!w)
        return 1;
    lxe_log_open("bench-cost", XTL_CRITICAL, false);
    lxe_jw_object(w);
    measure_ours(&o, w, argv + optind);
    if (!o.bare)
        measure_peers(&o, w, argv + optind);
    lxe_jw_end_object(w);
    lxe_log_close();
    rc = o.json ? write_json(o.json, w) : 0;
    lxe_jw_free(w);
    return rc ? 1 : 0;
}
