/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every host shares: lists of domains, and finding one by its name. */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

void lxe_domain_list_free(struct lxe_domain_list *list)
{
    free(list->doms);
    *list = (struct lxe_domain_list){ 0 };
}

static bool is_called(const struct lxe_domain *dom, const char *what)
{
    uint64_t domid;

    return !strcmp(dom->name, what) || !strcasecmp(dom->uuid, what) ||
           (!lxe_parse_u64(what, 0, UINT32_MAX, &domid, NULL) &&
            dom->domid == domid);
}

int lxe_host_find(struct lxe_host *host, const char *what,
                  struct lxe_domain *out, struct lxe_err *err)
{
    struct lxe_domain_list list;
    int rc = host->ops->list_domains(host, &list, err);

    if (rc)
        return rc;
    rc = -ESRCH;
    for (size_t i = 0; rc && i < list.count; i++)
        if (is_called(&list.doms[i], what)) {
            *out = list.doms[i];
            rc = 0;
        }
    lxe_domain_list_free(&list);
    if (rc)
        lxe_fail(err, rc, "no domain is called '%.80s'; see 'xl list'", what);
    return rc;
}
