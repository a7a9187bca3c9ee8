/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings, read when the daemon starts and again when it is told to. */
#ifndef AERO_RELOAD_H
#define AERO_RELOAD_H

#include <stdbool.h>
#include <uv.h>

#include "balancer.h"
#include "base/err.h"
#include "control.h"
#include "daemon_config.h"
#include "metrics_http.h"

/* What the settings have a hand in. All of it is the caller's. */
struct aero_reload {
    uv_loop_t *loop;
    const char *path;
    bool required; /* a file that is not there is an error */
    struct aero_config *config;
    struct aero_balancer *balancer; /* follows *config by itself */
    struct aero_control *control;
    struct aero_metrics_http **metrics;
    void (*log_again)(void *data); /* decision_log_mib is another one */
    void *data;
};

/*
 * Reads the file. One that is missing gives the defaults, unless it is
 * required. Returns 0 or the errors of aero_config_read().
 */
int aero_settings_read(const char *path, bool required,
                       struct aero_config *config, struct lxe_err *err);

/*
 * Reads the file again and has what it says hold from now on; what changed is
 * logged. What clients set meanwhile stays, but for the rate of migrations
 * where the file has another one than before.
 * Returns 0 or a negative errno; then all is as it was.
 */
int aero_reload(const struct aero_reload *reload, struct lxe_err *err);

#endif
