/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe_serve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_io.h"
#include "base/log.h"
#include "base/rpc_client.h"
#include "host.h"
#include "line_io.h"

#define LINE_NS   (60 * LXE_NS_PER_SEC)
#define SWALLOW_MS 10000 /* without a byte */
#define MEASURES  16
#define CALL_MS   5000
#define CHUNK     (64 * 1024)

/* ---- what this host is like ---- */

static void look_for_name(struct lxe_host *host,
                          const struct mig_probe_request *request,
                          struct mig_probe_answer *out)
{
    struct lxe_domain_list list;
    struct lxe_err err = { 0 };

    if (host->ops->list_domains(host, &list, &err)) {
        lxe_debug("%s", err.text);
        return;
    }
    out->name_known = true;
    for (size_t i = 0; i < list.count; i++)
        if (lxe_domain_claims(&list.doms[i], request->name, request->uuid))
            out->name_taken = true;
    lxe_domain_list_free(&list);
}

static void look_at_host(const struct mig_probe_request *request,
                         struct mig_probe_answer *out)
{
    struct lxe_host_memory memory;
    struct lxe_err err = { 0 };
    struct lxe_host *host;

    if (lxe_host_open("xen", &host, &err)) {
        lxe_debug("%s", err.text);
        return;
    }
    if (host->ops->memory(host, &memory, &err)) {
        lxe_debug("%s", err.text);
    } else {
        out->total_kib = memory.total_kib;
        out->free_kib = memory.free_kib;
    }
    if (*request->name)
        look_for_name(host, request, out);
    host->ops->close(host);
}

/* How much the daemon could make free; it knows whom it may squeeze. */
static void ask_daemon(struct mig_probe_answer *out)
{
    const struct lxe_json *memory;
    struct lxe_json *answer = NULL;
    struct lxe_err err = { 0 };
    struct lxe_rpc *rpc;

    if (lxe_rpc_open(NULL, &rpc, &err)) {
        lxe_debug("%s", err.text);
        return;
    }
    if (lxe_rpc_call(rpc, "mem.status", NULL, CALL_MS, &answer, &err))
        lxe_debug("%s", err.text);
    memory = lxe_json_get(lxe_json_get(answer, "result"), "host");
    if (lxe_json_u64(lxe_json_get(memory, "obtainable_kib"),
                     &out->obtainable_kib))
        out->obtainable_kib = LXE_UNKNOWN;
    lxe_json_free(answer);
    lxe_rpc_close(rpc);
}

void mig_probe_look(const struct mig_probe_request *request,
                    struct mig_probe_answer *out)
{
    struct lxe_err err = { 0 };

    *out = (struct mig_probe_answer){
        .total_kib = LXE_UNKNOWN,
        .free_kib = LXE_UNKNOWN,
        .obtainable_kib = LXE_UNKNOWN,
    };
    look_at_host(request, out);
    ask_daemon(out);
    if (lxe_xen_version(out->xen, &err))
        out->xen[0] = '\0';
    if (lxe_cpu_host(LXE_DOM_PV, &out->pv, &err))
        out->pv.count = 0;
    if (lxe_cpu_host(LXE_DOM_PVH, &out->hvm, &err))
        out->hvm.count = 0;
}

/* ---- the exchange ---- */

static int answer(int fd, const char *line, struct lxe_err *err)
{
    int rc = lxe_write_all(fd, line, strlen(line));

    return rc ? lxe_fail(err, rc, "cannot answer: %s", strerror(-rc)) : 0;
}

/* Reads so many bytes and forgets them. */
static int swallow(int fd, uint64_t bytes, struct lxe_err *err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char chunk[CHUNK];

    while (bytes) {
        size_t want = bytes < sizeof(chunk) ? (size_t)bytes : sizeof(chunk);
        int ready = poll(&p, 1, SWALLOW_MS);
        ssize_t n;

        if (!ready)
            return lxe_fail(err, -ETIMEDOUT, "the source stopped sending");
        n = ready < 0 ? -1 : read(fd, chunk, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lxe_fail(err, -ECONNRESET, "the source went away");
        bytes -= (uint64_t)n;
    }
    return 0;
}

static int measure_once(int in_fd, int out_fd, struct lxe_err *err)
{
    char line[MIG_HELLO_MAX_LINE];
    uint64_t bytes;
    int rc = mig_read_line(in_fd, line, sizeof(line), LINE_NS,
                           "the source's next question", err);

    if (!rc)
        rc = mig_probe_parse_count(line, "measure_bytes", &bytes, err);
    if (!rc)
        rc = swallow(in_fd, bytes, err);
    if (!rc && mig_probe_write_count("received_bytes", bytes, line))
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    return rc ? rc : answer(out_fd, line, err);
}

int mig_probe_serve(int in_fd, int out_fd, const char *line,
                    struct lxe_err *err)
{
    struct mig_probe_request request;
    struct mig_probe_answer found;
    char text[MIG_HELLO_MAX_LINE];
    int rc = mig_probe_parse(line, &request, err);

    if (rc)
        return rc;
    mig_probe_look(&request, &found);
    if (mig_probe_write_answer(&found, text))
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = answer(out_fd, text, err);
    for (int i = 0; !rc && i < MEASURES; i++)
        rc = measure_once(in_fd, out_fd, err);
    return rc == -ECONNRESET ? 0 : rc;
}
