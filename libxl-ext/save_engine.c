/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "xen_compat.h"

struct lxe_save_engine {
    struct lxe_save_job job;
    struct lxe_ipc *ipc;
    const struct lxe_save_policy *policy;
    const struct lxe_save_stream *stream; /* NULL: to the job's descriptor */
    xc_interface *xch;
    bool given_up; /* by the policy */
};

int lxe_save_engine_open(const struct lxe_save_job *job, struct lxe_ipc *ipc,
                         struct lxe_save_engine **out, struct lxe_err *err)
{
    struct lxe_save_engine *e = calloc(1, sizeof(*e));

    *out = NULL;
    if (!e)
        return lxe_fail(err, -ENOMEM, "out of memory");
    e->job = *job;
    e->ipc = ipc;
    e->xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);
    if (!e->xch) {
        free(e);
        return lxe_fail(err, -EIO, "cannot open libxc: %m; is this dom0?");
    }
    *out = e;
    return 0;
}

void lxe_save_engine_close(struct lxe_save_engine *engine)
{
    if (!engine)
        return;
    xc_interface_close(engine->xch);
    free(engine);
}

void lxe_save_engine_redirect(struct lxe_save_engine *engine,
                              const struct lxe_save_stream *stream)
{
    engine->stream = stream;
}

static int domain_info(struct lxe_save_engine *e, xc_domaininfo_t *info)
{
    int n = xc_domain_getinfolist(e->xch, e->job.domid, 1, info);

    if (n < 0)
        return -errno;
    return n == 1 && info->domain == e->job.domid ? 0 : -ESRCH;
}

int lxe_save_engine_domain(struct lxe_save_engine *engine,
                           struct lxe_save_domain *out, struct lxe_err *err)
{
    xc_domaininfo_t info;
    int rc = domain_info(engine, &info);

    if (rc)
        return lxe_fail(err, rc, "cannot ask Xen about domain %u: %s",
                        engine->job.domid, strerror(-rc));
    out->pages = info.tot_pages;
    out->hvm = info.flags & XEN_DOMINF_hvm_guest;
    return 0;
}

/* ---- libxc's callbacks ---- */

/* Libxl's answer, or `without` where libxl has gone. */
static int ask(struct lxe_save_engine *e, const struct lxe_ipc_message *msg,
               int without)
{
    int answer;

    return lxe_ipc_call(e->ipc, msg, &answer) ? without : answer;
}

/* Answers 1 when the guest is suspended. */
static int on_suspend(void *data)
{
    struct lxe_save_engine *e = data;
    struct lxe_ipc_message msg = { .number = LXE_IPC_SUSPEND };
    int answer;

    if (e->policy && e->policy->suspending(e->policy->data))
        return 0;
    answer = ask(e, &msg, 0);
    if (e->policy)
        e->policy->suspended(e->policy->data, answer == 1);
    return answer;
}

static int on_switch_qemu_logdirty(uint32_t domid, unsigned enable, void *data)
{
    struct lxe_ipc_message msg = {
        .number = LXE_IPC_SWITCH_QEMU_LOGDIRTY,
        .domid = domid,
        .enable = enable,
    };

    return ask(data, &msg, -1);
}

static int on_precopy(struct precopy_stats stats, void *data)
{
    struct lxe_save_engine *e = data;

    switch (e->policy->round(e->policy->data, stats.iteration,
                             stats.dirty_count)) {
    case LXE_SAVE_CONTINUE:
        return XGS_POLICY_CONTINUE_PRECOPY;
    case LXE_SAVE_STOP:
        return XGS_POLICY_STOP_AND_COPY;
    case LXE_SAVE_ABORT:
        break;
    }
    e->given_up = true;
    return XGS_POLICY_ABORT;
}

static bool wanted(const struct lxe_save_engine *e, enum lxe_ipc_number number)
{
    return e->job.callback_bits & (1u << number);
}

static int save(struct lxe_save_engine *e, int fd, struct save_callbacks *cb,
                struct lxe_err *err)
{
    int code;

    errno = 0;
    if (!xc_domain_save(e->xch, fd, e->job.domid, e->job.xc_flags, cb,
                        XC_STREAM_PLAIN, -1))
        return 0;
    /* libxc sets no errno of its own for a policy's ABORT. */
    code = e->given_up ? ECANCELED : errno ? errno : EIO;
    return lxe_fail(err, -code, "saving domain %u failed: %s", e->job.domid,
                    strerror(code));
}

static int save_redirected(struct lxe_save_engine *e,
                           struct save_callbacks *cb, struct lxe_err *err)
{
    int fd = lxe_save_stream_open(e->stream, err), rc;

    if (fd < 0)
        return fd;
    rc = save(e, fd, cb, err);
    if (!lxe_save_stream_close(fd) && rc == -EBADF)
        return lxe_fail(err, rc, "this libxenguest does not write its stream "
                        "as those known do, so it cannot be followed; migrate "
                        "without LIBXL_SAVE_HELPER");
    return rc;
}

int lxe_save_engine_run(struct lxe_save_engine *engine,
                        const struct lxe_save_policy *policy,
                        struct lxe_err *err)
{
    struct save_callbacks cb = { .data = engine };

    if (wanted(engine, LXE_IPC_SUSPEND))
        cb.suspend = on_suspend;
    if (wanted(engine, LXE_IPC_SWITCH_QEMU_LOGDIRTY))
        cb.switch_qemu_logdirty = on_switch_qemu_logdirty;
    if (policy)
        cb.precopy_policy = on_precopy;
    engine->policy = policy;
    return engine->stream ? save_redirected(engine, &cb, err)
                          : save(engine, engine->job.stream_fd, &cb, err);
}

void lxe_save_engine_log_off(struct lxe_save_engine *engine)
{
    if (xc_shadow_control(engine->xch, engine->job.domid,
                          XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0) &&
        errno != ESRCH)
        lxe_error("cannot turn log-dirty mode of domain %u off: %m",
                  engine->job.domid);
}

void lxe_save_engine_resume_orphan(struct lxe_save_engine *engine)
{
    xc_domaininfo_t info;
    unsigned reason;

    if (domain_info(engine, &info) || !(info.flags & XEN_DOMINF_shutdown))
        return;
    reason = (info.flags >> XEN_DOMINF_shutdownshift) &
             XEN_DOMINF_shutdownmask;
    if (reason == SHUTDOWN_suspend &&
        xc_domain_resume(engine->xch, engine->job.domid, 1))
        lxe_error("cannot resume domain %u: %m; try 'xl unpause'",
                  engine->job.domid);
}
