/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aerostat.conf, in xl.conf's syntax by libxlutil's parser. Every key is
 * described in aerostat.conf(5).
 */
#ifndef AERO_DAEMON_CONFIG_H
#define AERO_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "host.h"
#include "host_state.h"

#define AERO_CONFIG_PATH  AEROSTAT_SYSCONFDIR "/xen/aerostat.conf"
#define AERO_GROUP_TEXT   64
#define AERO_PATH_TEXT    256
#define AERO_POLICIES_MAX 4096

/* What somebody wrote down for a domain. */
struct aero_domain_policy {
    uint64_t min_kib; /* LXE_UNKNOWN where not given, likewise max_kib */
    uint64_t max_kib;
    unsigned shares;  /* 0 where not given */
};

struct aero_named_policy {
    char name[LXE_DOM_NAME];
    struct aero_domain_policy policy;
};

/* A guest that may ask to be moved, and where to. */
struct aero_self_rule {
    char name[LXE_DOM_NAME];
    char to[64];
};

struct aero_config {
    uint64_t interval_ms;
    uint64_t host_reserve_kib;
    uint64_t default_min_kib; /* LXE_UNKNOWN: a quarter of static_max */
    unsigned default_shares;
    uint64_t margin_kib;
    uint64_t change_per_tick_kib;
    unsigned idle_tax;        /* in thousandths, up to AERO_TAX_MAX */
    struct aero_host_levels host_levels;
    char socket_group[AERO_GROUP_TEXT]; /* empty: root only */
    uint64_t migration_max_bps; /* of all migrations together; 0: unlimited */
    bool probe;                         /* guests that say nothing */
    bool samples;                       /* of what they write, to judge them */
    bool agent;                         /* make keys for guests' agents */
    uint64_t decision_log_mib;          /* 0: none */
    char metrics_file[AERO_PATH_TEXT];  /* empty: none */
    char metrics_listen[AERO_GROUP_TEXT]; /* ADDRESS:PORT; empty: none */
    struct aero_named_policy *policies;
    size_t policy_count;
    struct aero_self_rule *self_rules;
    size_t self_count; /* 0: none may */
};

/* What holds where no file says otherwise. */
void aero_config_defaults(struct aero_config *config);

/*
 * Reads a file over the defaults. Messages name file, key, and the line where
 * libxlutil tells it.
 * Returns 0, -ENOENT, -EINVAL, -ERANGE, -EACCES, -ENOMEM. After an error
 * nothing is to be freed.
 */
int aero_config_read(const char *path, struct aero_config *out,
                     struct lxe_err *err);

/* The same from a text; `path` is for messages. */
int aero_config_read_text(const char *text, const char *path,
                          struct aero_config *out, struct lxe_err *err);

/* Frees what it owns. */
void aero_config_clear(struct aero_config *config);

/* What the file says of a domain of this name, or NULL. */
const struct aero_domain_policy *aero_config_policy(
    const struct aero_config *config, const char *name);

/* Writes all settings in effect, one a line, as --check-config shows them. */
void aero_config_print(const struct aero_config *config, FILE *to);

#endif
