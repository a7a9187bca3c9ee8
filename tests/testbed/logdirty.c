/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logdirty DOMID: says whether a domain's log-dirty mode is off, by turning
 * it on, which Xen refuses where it is on already, and off again.
 * Exit status: 0 it was off, 1 it was on, 2 neither could be found out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

static int shadow_op(xc_interface *xch, uint32_t domid, unsigned int op)
{
    return xc_shadow_control(xch, domid, op, NULL, 0);
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint32_t domid = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

    if (!xch || !domid)
        return 2;
    if (!shadow_op(xch, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY)) {
        shadow_op(xch, domid, XEN_DOMCTL_SHADOW_OP_OFF);
        puts("log-dirty was off");
        return 0;
    }
    if (errno == EINVAL) {
        puts("log-dirty was on");
        return 1;
    }
    printf("log-dirty: %s\n", strerror(errno));
    return 2;
}
