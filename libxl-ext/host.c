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
    return !strcmp(dom->name, what) || !strcasecmp(dom->uuid, what);
}

/* What is left of a dead one may stay for long beside its successor. */
static bool has_uuid(const struct lxe_domain *dom, const char *what)
{
    return !dom->dying && !strcasecmp(dom->uuid, what);
}

bool lxe_domain_claims(const struct lxe_domain *dom, const char *name,
                       const char *uuid)
{
    return !strcmp(dom->name, name) || has_uuid(dom, uuid);
}

static bool has_number(const struct lxe_domain *dom, const char *what)
{
    uint64_t domid;

    return !lxe_parse_u64(what, 0, UINT32_MAX, &domid, NULL) &&
           dom->domid == domid;
}

static int find(const struct lxe_domain_list *list, const char *what,
                bool (*is_it)(const struct lxe_domain *dom, const char *what),
                struct lxe_domain *out)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_it(&list->doms[i], what)) {
            *out = list->doms[i];
            return 0;
        }
    return -ESRCH;
}

int lxe_host_find(struct lxe_host *host, const char *what,
                  struct lxe_domain *out, struct lxe_err *err)
{
    struct lxe_domain_list list;
    int rc = host->ops->list_domains(host, &list, err);

    if (rc)
        return rc;
    rc = find(&list, what, has_number, out);
    if (rc)
        rc = find(&list, what, is_called, out);
    lxe_domain_list_free(&list);
    if (rc)
        lxe_fail(err, rc, "no domain is called '%.80s'; see 'xl list'", what);
    return rc;
}

int lxe_host_find_uuid(struct lxe_host *host, const char *uuid,
                       struct lxe_domain *out, struct lxe_err *err)
{
    struct lxe_domain_list list;
    int rc = host->ops->list_domains(host, &list, err);

    if (rc)
        return rc;
    rc = find(&list, uuid, has_uuid, out);
    lxe_domain_list_free(&list);
    if (rc)
        lxe_fail(err, rc, "no domain has the UUID %.36s", uuid);
    return rc;
}
