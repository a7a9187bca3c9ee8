/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "transport.h"
#include "xl_stream.h"

#define GREETING_MS 60000 /* ssh may ask for a password */
#define ANSWER_MS   30000
#define FIRST_BYTES (UINT64_C(256) << 10)
#define LONG_NS     (1500 * LXE_NS_PER_MS) /* of the last measurement */
#define CHUNK       (64 * 1024)

static int say(struct mig_transport *t, const char *line, struct lxe_err *err)
{
    return mig_transport_write(t, line, strlen(line), "the question",
                               ANSWER_MS, err);
}

static int hear(struct mig_transport *t, char line[MIG_HELLO_MAX_LINE],
                struct lxe_err *err)
{
    return mig_transport_read_line(t, line, MIG_HELLO_MAX_LINE,
                                   "the target's answer", ANSWER_MS, err);
}

/* ---- the wire ---- */

/* Random, so that a transport that compresses gains nothing. */
static int send_random(struct mig_transport *t, uint64_t bytes,
                       struct lxe_err *err)
{
    _cleanup_free_ char *chunk = malloc(CHUNK);
    int rc = 0;

    if (!chunk)
        return lxe_fail(err, -ENOMEM, "out of memory");
    if (getrandom(chunk, CHUNK, 0) != CHUNK)
        return lxe_fail(err, -EIO, "no random bytes: %m");
    while (!rc && bytes) {
        size_t len = bytes < CHUNK ? (size_t)bytes : CHUNK;

        rc = mig_transport_write(t, chunk, len, "bytes to measure", ANSWER_MS,
                                 err);
        bytes -= len;
    }
    return rc;
}

/* How long it takes to send so much and have it confirmed, in ns. */
static int time_bytes(struct mig_transport *t, uint64_t bytes,
                      uint64_t *took_ns, struct lxe_err *err)
{
    uint64_t start_ns = lxe_now_ns(), received;
    char line[MIG_HELLO_MAX_LINE];
    int rc = 0;

    if (mig_probe_write_count("measure_bytes", bytes, line))
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    if (!rc)
        rc = say(t, line, err);
    if (!rc)
        rc = send_random(t, bytes, err);
    if (!rc)
        rc = hear(t, line, err);
    if (!rc)
        rc = mig_probe_parse_count(line, "received_bytes", &received, err);
    if (!rc && received != bytes)
        rc = lxe_fail(err, -EPROTO, "the target received something else"
                      " than was sent");
    *took_ns = lxe_now_ns() - start_ns;
    return rc;
}

/* Bytes/s, the way there and back taken off. */
static double rate(uint64_t bytes, uint64_t took_ns, uint64_t trip_ns)
{
    uint64_t ns = took_ns > trip_ns ? took_ns - trip_ns : 1;

    return (double)bytes * LXE_NS_PER_SEC / (double)ns;
}

/* A little to learn how much is enough, then that. */
static int measure(struct mig_transport *t, struct mig_probe_found *out,
                   struct lxe_err *err)
{
    uint64_t trip_ns, first_ns, long_ns, bytes;
    double wanted;
    int rc = time_bytes(t, 0, &trip_ns, err);

    if (!rc)
        rc = time_bytes(t, FIRST_BYTES, &first_ns, err);
    if (rc)
        return rc;
    out->round_trip_ns = trip_ns;
    out->wire_bps = rate(FIRST_BYTES, first_ns, trip_ns);
    wanted = out->wire_bps * LONG_NS / LXE_NS_PER_SEC;
    bytes = wanted < (double)MIG_PROBE_MAX_MEASURE ? (uint64_t)wanted
                                                   : MIG_PROBE_MAX_MEASURE;
    if (bytes <= FIRST_BYTES)
        return 0;
    rc = time_bytes(t, bytes, &long_ns, err);
    if (!rc)
        out->wire_bps = rate(bytes, long_ns, trip_ns);
    return rc;
}

/* ---- the question ---- */

static int ask_aerostat(struct mig_transport *t,
                        const struct mig_probe_ask *ask,
                        struct mig_probe_found *out, struct lxe_err *err)
{
    char line[MIG_HELLO_MAX_LINE];
    int rc = 0;

    if (mig_probe_write(&ask->request, line))
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    if (!rc)
        rc = say(t, line, err);
    if (!rc)
        rc = hear(t, line, err);
    if (rc)
        return rc;
    /* One that takes it for a hello misses a member of that. */
    if (strstr(line, "'need_kib'")) {
        out->peer = MIG_PEER_OLD;
        return 0;
    }
    out->peer = MIG_PEER_AEROSTAT;
    rc = mig_probe_parse_answer(line, &out->answer, err);
    return rc || !ask->measure ? rc : measure(t, out, err);
}

static int ask(struct mig_transport *t, const struct mig_probe_ask *config,
               struct mig_probe_found *out, struct lxe_err *err)
{
    char line[256];
    int rc = mig_transport_read_line(t, line, sizeof(line),
                                     "the target's greeting", GREETING_MS,
                                     err);

    if (rc)
        return rc;
    if (!strcmp(line, MIG_HELLO_GREETING))
        return ask_aerostat(t, config, out, err);
    if (strncmp(line, lxe_xl_banner.text, lxe_xl_banner.len - 1))
        return lxe_fail(err, -EPROTO, "the target did not start a receiver;"
                        " try the command by hand");
    out->peer = MIG_PEER_XL;
    return 0;
}

int mig_probe_run(const struct mig_probe_ask *config,
                  struct mig_probe_found *out, struct lxe_err *err)
{
    struct mig_transport t;
    char command[8192];
    int rc = mig_transport_command(config->how, config->to,
                                   MIG_RECEIVER_AUTO, false, command,
                                   sizeof(command), err);

    *out = (struct mig_probe_found){ 0 };
    if (!rc)
        rc = mig_transport_start(&t, command, -1, err);
    if (rc)
        return rc;
    rc = ask(&t, config, out, err);
    mig_transport_stop(&t);
    return rc;
}
