/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's end of its keys. Paths are relative: xenstored knows who asks. */
#include "agent_xenstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "guest_keys.h"

struct aero_agent_xs {
    struct xs_handle *store;
};

int aero_agent_xs_open(struct aero_agent_xs **out, struct lxe_err *err)
{
    struct aero_agent_xs *xs = calloc(1, sizeof(*xs));

    if (!xs)
        return lxe_fail(err, -ENOMEM, "no memory");
    xs->store = xs_open(0);
    if (!xs->store) {
        int code = -errno;

        free(xs);
        return lxe_fail(err, code, "cannot open xenstore: %s; is this a Xen "
                        "guest, and /dev/xen/xenbus there?", strerror(-code));
    }
    *out = xs;
    return 0;
}

void aero_agent_xs_close(struct aero_agent_xs *xs)
{
    if (!xs)
        return;
    xs_close(xs->store);
    free(xs);
}

int aero_agent_xs_write(struct aero_agent_xs *xs, const char *key,
                        const char *text, struct lxe_err *err)
{
    char path[64];

    snprintf(path, sizeof(path), "data/aerostat/%s", key);
    if (!xs_write(xs->store, XBT_NULL, path, text, (unsigned)strlen(text)))
        return lxe_fail(err, -errno, "cannot write %s: %s", path,
                        strerror(errno));
    return 0;
}

/* Reads a key of ours. *text is NULL where it is not there. */
static int read_key(struct aero_agent_xs *xs, const char *path, char **text,
                    unsigned *len, struct lxe_err *err)
{
    *text = xs_read(xs->store, XBT_NULL, path, len);
    if (*text || errno == ENOENT)
        return 0;
    return lxe_fail(err, -errno, "cannot read %s: %s", path, strerror(errno));
}

/* The request stays there when it was answered, this agent's start too. */
static int read_answered(struct aero_agent_xs *xs, uint64_t *answered,
                         struct lxe_err *err)
{
    unsigned len;
    uint64_t id;
    char *text;
    int rc = read_key(xs, "data/aerostat/done", &text, &len, err);

    if (!rc && text && !lxe_keys_parse_number(text, len, UINT64_MAX - 1, &id))
        *answered = id;
    free(text);
    return rc;
}

int aero_agent_xs_request(struct aero_agent_xs *xs, uint64_t *answered,
                          uint64_t *id, struct lxe_err *err)
{
    bool found;
    unsigned len;
    char *text;
    int rc = read_key(xs, "data/aerostat/request", &text, &len, err);

    found = !rc && text && !lxe_keys_parse_request(text, len, id);
    free(text);
    if (found && *id != *answered)
        rc = read_answered(xs, answered, err);
    return rc ? rc : found && *id != *answered;
}

int aero_agent_xs_ask_to_move(struct aero_agent_xs *xs, uint64_t id,
                              const char *to, struct lxe_err *err)
{
    char text[96];
    struct lxe_move_request check;
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %s", id, to);

    if (n < 0 || (size_t)n >= sizeof(text) ||
        lxe_keys_parse_move(text, (size_t)n, &check))
        return lxe_fail(err, -EINVAL, "'%.64s' is not a host's name", to);
    return aero_agent_xs_write(xs, "move", text, err);
}

int aero_agent_xs_move_answer(struct aero_agent_xs *xs, uint64_t id,
                              char text[512], struct lxe_err *err)
{
    unsigned len;
    char *answer;
    int found, rc = read_key(xs, "data/aerostat/moved", &answer, &len, err);
    size_t number = answer ? strcspn(answer, " ") : 0;
    uint64_t answered = 0;

    found = answer && !lxe_keys_parse_number(answer, number, UINT64_MAX - 1,
                                             &answered) && answered == id;
    if (found)
        snprintf(text, 512, "%s", answer[number] ? answer + number + 1 : "");
    free(answer);
    return rc ? rc : found;
}
