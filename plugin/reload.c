/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reload.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "config_changes.h"

/* Groups are the host's, so that reading the file does not ask for them. */
static int check_group(const char *path, struct aero_config *config,
                       struct lxe_err *err)
{
    gid_t gid;
    int rc = aero_control_find_group(config->socket_group, &gid, err);

    if (!rc)
        return 0;
    aero_config_clear(config);
    return lxe_err_prefix(err, "%s", path);
}

int aero_settings_read(const char *path, bool required,
                       struct aero_config *config, struct lxe_err *err)
{
    int rc = aero_config_read(path, config, err);

    if (!rc)
        return check_group(path, config, err);
    if (rc != -ENOENT || required)
        return rc;
    lxe_info("no %s: the defaults hold", path);
    aero_config_defaults(config);
    return 0;
}

static void tell_change(const char *line, bool holds, void *data)
{
    (void)data;
    lxe_info("%s: %s", holds ? "holds now" : "no more", line);
}

/* Whatever can fail, and undoes it then. */
static int reopen(const struct aero_reload *r, const struct aero_config *fresh,
                  struct lxe_err *err)
{
    bool other = !aero_metrics_http_same(fresh->metrics_listen,
                                         r->config->metrics_listen);
    struct aero_metrics_http *metrics = *r->metrics;
    int rc = 0;

    if (other)
        rc = aero_metrics_http_serve(r->loop, fresh->metrics_listen,
                                     r->balancer, &metrics, err);
    if (rc)
        return rc;
    if (strcmp(fresh->socket_group, r->config->socket_group))
        rc = aero_control_set_group(r->control, fresh->socket_group, err);
    if (other)
        aero_metrics_http_close(rc ? metrics : *r->metrics);
    if (!rc)
        *r->metrics = metrics;
    return rc;
}

/* A tick looks into the settings itself; this is what does not. */
static void adopt(const struct aero_reload *r, const struct aero_config *fresh)
{
    struct aero_migrations *migrations = &r->balancer->migrations;
    struct aero_config old = *r->config;

    *r->config = *fresh;
    if (old.migration_max_bps != fresh->migration_max_bps) {
        migrations->max_rate_bps = fresh->migration_max_bps;
        aero_migrations_share(migrations);
    }
    if (old.decision_log_mib != fresh->decision_log_mib)
        r->log_again(r->data);
    aero_config_clear(&old);
}

int aero_reload(const struct aero_reload *reload, struct lxe_err *err)
{
    struct aero_config fresh;
    int changes,
        rc = aero_settings_read(reload->path, reload->required, &fresh, err);

    if (rc)
        return rc;
    rc = reopen(reload, &fresh, err);
    if (rc) {
        aero_config_clear(&fresh);
        return rc;
    }
    changes = aero_config_changes(reload->config, &fresh, tell_change, NULL);
    adopt(reload, &fresh);
    lxe_info("the settings were read again%s",
             changes ? "" : "; nothing changed");
    return 0;
}
