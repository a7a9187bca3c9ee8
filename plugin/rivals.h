/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another balancer at work: noticed by a guest's target that changes and was
 * not changed by us. Pure; the caller passes the time.
 *
 * One such change is an administrator's, and the policy goes on. After
 * AERO_RIVAL_CHANGES of them within AERO_RIVAL_WINDOW_S somebody else manages
 * the guest, and it is left alone for AERO_RIVAL_ALONE_S from the last one;
 * twice that long the next time, up to 16 times. It comes back by itself when
 * that time is over, or at once by aero_rival_take_back().
 */
#ifndef AERO_RIVALS_H
#define AERO_RIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"

#define AERO_RIVAL_CHANGES  3u
#define AERO_RIVAL_WINDOW_S 300u
#define AERO_RIVAL_ALONE_S  600u

/* What is kept of a guest; zero it for a new one. */
struct aero_rival {
    uint64_t changed_ns[AERO_RIVAL_CHANGES]; /* last ones, as a ring */
    uint64_t changes;   /* by others, since it was found */
    unsigned recent;    /* of these, since it was last ours again */
    bool alone;         /* left to somebody else */
    uint64_t until_ns;  /* and until when */
    unsigned given_up;  /* how often */
};

/*
 * Notes that somebody else changed the guest's target. Returns whether it is
 * left alone because of this one.
 */
bool aero_rival_change(struct aero_rival *rival, uint64_t now_ns);

/* Whether the guest is left alone now. When its time is over, it is not. */
bool aero_rival_alone(struct aero_rival *rival, uint64_t now_ns);

/* Somebody who may said that the guest is ours again. */
void aero_rival_take_back(struct aero_rival *rival);

/* Who it might be, by what else it left in xenstore; static text. */
const char *aero_rival_guess(const struct lxe_domain *dom);

#endif
