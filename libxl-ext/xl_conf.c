/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxl.h>
#include <libxlutil.h>

#include "base/log.h"

#define OPTION "dom0_mem="

int lxe_cmdline_sizes_dom0(const char *cmdline)
{
    const char *at = cmdline;

    while ((at = strstr(at, OPTION))) {
        if (at == cmdline || at[-1] == ' ')
            return 1;
        at += strlen(OPTION);
    }
    return 0;
}

/* Returns whether Xen was told how large dom0 is. */
static int xen_sizes_dom0(struct lxe_err *err)
{
    const libxl_version_info *info;
    libxl_ctx *ctx;
    int sized;

    if (libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, lxe_logger()))
        return lxe_fail(err, -EIO, "cannot open libxl");
    info = libxl_get_version_info(ctx);
    sized = info && info->commandline
                ? lxe_cmdline_sizes_dom0(info->commandline)
                : lxe_fail(err, -EIO, "cannot ask Xen for its command line");
    libxl_ctx_free(ctx);
    return sized;
}

/* Reads the setting; "auto" where there is none. */
static int read_setting(const char *path, char *out, size_t size, FILE *report,
                        struct lxe_err *err)
{
    XLU_Config *xlu = xlu_cfg_init(report, path);
    const char *value = "auto";
    int rc;

    if (!xlu)
        return lxe_fail(err, -ENOMEM, "out of memory");
    if (access(path, F_OK) == 0) {
        rc = xlu_cfg_readfile(xlu, path);
        if (!rc)
            rc = xlu_cfg_get_string(xlu, "autoballoon", &value, 0);
        if (rc && rc != ESRCH) {
            xlu_cfg_destroy(xlu);
            return lxe_fail(err, -EINVAL, "%s: cannot be read; see 'xl list'",
                            path);
        }
    }
    snprintf(out, size, "%s", value);
    xlu_cfg_destroy(xlu);
    return 0;
}

int lxe_xl_autoballoon(const char *path, int ask_xen, char *why, size_t size,
                       struct lxe_err *err)
{
    char setting[16], *text = NULL;
    size_t len;
    FILE *report = open_memstream(&text, &len);
    int rc, on, is_auto;

    *why = '\0';
    if (!report)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = read_setting(path, setting, sizeof(setting), report, err);
    fclose(report);
    free(text);
    if (rc)
        return rc;
    on = !strcmp(setting, "on") || !strcmp(setting, "1");
    is_auto = !strcmp(setting, "auto");
    if (is_auto && ask_xen) {
        rc = xen_sizes_dom0(err);
        if (rc < 0)
            return rc;
        on = !rc;
    }
    if (on)
        snprintf(why, size, "xl shrinks dom0 by itself when it makes a guest"
                 " (%s: autoballoon is %s); set autoballoon=\"off\" there%s",
                 path, setting,
                 is_auto ? ", or start Xen with dom0_mem=" : "");
    return 0;
}
