/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the control socket, from its bytes to the host: a daemon without a
 * main, on a simulated host, and a client that writes what it likes.
 *
 *   0xfc  a second passes, and a tick      0xfe N  N KiB of 'x'
 *   0xfd  what was written so far goes     else    the byte itself
 *
 * Each line is answered at most once, with JSON that is a response; and when
 * the client is gone nothing of it stays: no reservation, no migration.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "control.h"
#include "control_methods.h"
#include "host_sim.h"

#define TICKS_MAX 60
#define CHUNK     (96u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

struct bed {
    uv_loop_t loop;
    struct lxe_host *host;
    struct aero_config config;
    struct aero_history history;
    struct aero_balancer balancer;
    struct aero_methods methods;
    struct aero_control *control;
    unsigned lines, answers;
    unsigned ticks;
    int client;
    size_t len;
    char chunk[CHUNK];
};

static void on_line(const struct aero_peer *peer, const char *text, size_t len,
                    void *data)
{
    struct bed *b = data;
    struct aero_peer root = *peer;

    root.uid = 0;
    root.pid = 1; /* a migration of whom nobody cancels by a signal */
    b->lines++;
    aero_methods_line(&b->methods, &root, text, len);
}

static void on_full(const struct aero_peer *peer, void *data)
{
    (void)peer;
    (void)data;
    abort(); /* there is but one client */
}

static void on_gone(uint64_t client, void *data)
{
    struct bed *b = data;

    aero_methods_gone(&b->methods, client);
}

static void on_send(uint64_t client, const char *text, size_t len, void *data)
{
    struct bed *b = data;
    struct lxe_json *tree;

    need(!memchr(text, '\n', len));
    need(!lxe_json_parse(text, len, &tree, NULL));
    need(lxe_json_get(tree, "id") &&
         !lxe_json_get(tree, "result") != !lxe_json_get(tree, "error"));
    lxe_json_free(tree);
    need(++b->answers <= b->lines);
    aero_control_send(b->control, client, text, len);
}

static void on_kick(void *data)
{
    (void)data;
}

static void on_decided(const struct aero_tick *tick, void *data)
{
    struct bed *b = data;

    need(!aero_history_note(&b->history, tick));
}

static void open_host(struct bed *b)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576, \"report\": \"agent\","
        "    \"demand\": [[0, 204800]] },"
        "  { \"name\": \"b\", \"memory_kib\": 1048576 } ] }";

    need(!lxe_sim_open_text(scenario, strlen(scenario), "fuzz",
                            LXE_SIM_MANUAL, &b->host, NULL));
    aero_config_defaults(&b->config);
    aero_balancer_init(&b->balancer, b->host, &b->config);
    b->methods = (struct aero_methods){
        .balancer = &b->balancer, .history = &b->history, .send = on_send,
        .kick = on_kick, .data = b,
    };
    b->balancer.reserved = aero_methods_reserved;
    b->balancer.reserved_data = &b->methods;
    b->balancer.decided = on_decided;
    b->balancer.decided_data = b;
}

static void connect_client(struct bed *b, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, path);
    b->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(b->client >= 0);
    need(!connect(b->client, (struct sockaddr *)&address, sizeof(address)));
}

static void run(struct bed *b)
{
    char answer[4096];

    for (int i = 0; i < 3; i++)
        uv_run(&b->loop, UV_RUN_NOWAIT);
    while (recv(b->client, answer, sizeof(answer), 0) > 0)
        continue;
}

/* Sends what is there; where the daemon has hung up it is lost. */
static void flush(struct bed *b)
{
    size_t sent = 0;

    while (sent < b->len) {
        ssize_t n = send(b->client, b->chunk + sent, b->len - sent,
                         MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        run(b);
    }
    b->len = 0;
    run(b);
}

static void put(struct bed *b, const void *bytes, size_t len)
{
    if (len > sizeof(b->chunk) - b->len)
        flush(b);
    memcpy(b->chunk + b->len, bytes, len);
    b->len += len;
}

static void tick(struct bed *b)
{
    flush(b);
    if (b->ticks++ >= TICKS_MAX)
        return;
    lxe_sim_advance(b->host, LXE_NS_PER_SEC);
    need(!aero_balancer_tick(&b->balancer));
}

static void play(struct bed *b, const uint8_t *data, size_t size)
{
    static char fill[1024];

    memset(fill, 'x', sizeof(fill));
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0xfc)
            tick(b);
        else if (data[i] == 0xfd)
            flush(b);
        else if (data[i] == 0xfe && i + 1 < size)
            for (unsigned n = data[++i] % 80; n; n--)
                put(b, fill, sizeof(fill));
        else
            put(b, &data[i], 1);
    }
    tick(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct aero_pace_limit no_limit = { UINT32_MAX, SIZE_MAX };
    static struct bed b;
    struct aero_control_handlers handlers = { on_line, on_full, on_gone, &b,
                                              &no_limit };
    char path[64];

    memset(&b, 0, offsetof(struct bed, chunk));
    snprintf(path, sizeof(path), "/tmp/aerostat-fuzz.%d", (int)getpid());
    open_host(&b);
    need(!aero_balancer_tick(&b.balancer));
    need(!uv_loop_init(&b.loop));
    need(!aero_control_open(&b.loop, path, "", &handlers, &b.control, NULL));
    connect_client(&b, path);
    play(&b, data, size);
    close(b.client);
    run(&b);
    need(!b.balancer.reservations.count);
    need(!aero_balancer_tick(&b.balancer));
    need(!b.balancer.migrations.count);
    aero_control_close(b.control);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    need(!uv_loop_close(&b.loop));
    aero_history_clear(&b.history);
    aero_balancer_clear(&b.balancer);
    aero_config_clear(&b.config);
    b.host->ops->close(b.host);
    return 0;
}
