/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "guest_keys.h"
#include "metrics_address.h"
#include "policy.h"
#include "rate_share.h"

#define FILE_MAX_BYTES (1u << 20)
#define ITEM_MAX_BYTES 512

/* One file that is being read. */
struct reader {
    const char *path;
    XLU_Config *xlu;
    FILE *report;      /* where libxlutil writes its complaints */
    char *report_text;
    size_t report_len;
    struct lxe_err *err;
};

void aero_config_defaults(struct aero_config *config)
{
    *config = (struct aero_config){
        .interval_ms = 2000,
        .host_reserve_kib = 64 << 10,
        .default_min_kib = LXE_UNKNOWN,
        .default_shares = AERO_SHARES_DEFAULT,
        .margin_kib = 256 << 10,
        .change_per_tick_kib = 256 << 10,
        .idle_tax = 750,
        .host_levels = { { 60, 40, 20, 10 } },
        .agent = true,
        .decision_log_mib = 64,
    };
}

void aero_config_clear(struct aero_config *config)
{
    free(config->policies);
    free(config->self_rules);
    config->policies = NULL;
    config->policy_count = 0;
    config->self_rules = NULL;
    config->self_count = 0;
}

/* libxlutil's own words name file and line; ours do where it is silent. */
static int complain(struct reader *r, const char *key)
{
    fflush(r->report);
    if (r->report_len && r->report_text[r->report_len - 1] == '\n')
        r->report_text[r->report_len - 1] = '\0';
    for (char *end = r->report_text; (end = strchr(end, '\n'));)
        *end = ';'; /* a message is one line */
    if (r->report_len)
        return lxe_fail(r->err, -EINVAL, "%s", r->report_text);
    return lxe_fail(r->err, -EINVAL, "%s: %s: cannot be read", r->path, key);
}

/* Gets a setting as text; NULL where it is not there. */
static int get_text(struct reader *r, const char *key, const char **out)
{
    int rc = xlu_cfg_get_string(r->xlu, key, out, 0);

    if (rc == ESRCH)
        *out = NULL;
    return rc && rc != ESRCH ? complain(r, key) : 0;
}

static int get_size(struct reader *r, const char *key, uint64_t *kib)
{
    const char *text;
    int rc = get_text(r, key, &text);

    if (rc || !text)
        return rc;
    if (lxe_parse_size_kib(text, kib, r->err))
        return lxe_err_prefix(r->err, "%s: %s", r->path, key);
    return 0;
}

static int get_rate(struct reader *r, const char *key, uint64_t *bps)
{
    const char *text;
    int rc = get_text(r, key, &text);

    if (rc || !text)
        return rc;
    *bps = 0;
    if (lxe_parse_rate_limit_bps(text, bps, r->err))
        return lxe_err_prefix(r->err, "%s: %s", r->path, key);
    if (*bps && *bps < AERO_RATE_MIN_BPS)
        return lxe_fail(r->err, -EINVAL, "%s: %s: less than 100KB a second"
                        " never ends", r->path, key);
    return 0;
}

static int get_number(struct reader *r, const char *key, uint64_t min,
                      uint64_t max, uint64_t *out)
{
    const char *text;
    int rc = get_text(r, key, &text);

    if (rc || !text)
        return rc;
    if (lxe_parse_u64(text, min, max, out, r->err))
        return lxe_err_prefix(r->err, "%s: %s", r->path, key);
    return 0;
}

/* Reads a part of one, "0.75", as thousandths; more digits do not count. */
static int get_part(struct reader *r, const char *key, unsigned max,
                    unsigned *out)
{
    const char *text, *digit;
    unsigned thousandths = 0, worth = 100;
    int rc = get_text(r, key, &text);

    if (rc || !text)
        return rc;
    if (text[0] == '0' && (text[1] == '.' || !text[1])) {
        for (digit = text + 1 + (text[1] == '.'); *digit; digit++) {
            if (*digit < '0' || *digit > '9')
                break;
            thousandths += (unsigned)(*digit - '0') * worth;
            worth /= 10;
        }
        if (!*digit && thousandths <= max) {
            *out = thousandths;
            return 0;
        }
    }
    return lxe_fail(r->err, -EINVAL,
                    "%s: %s: '%.40s' is no number like \"0.75\", from 0 to"
                    " 0.%u", r->path, key, text, max);
}

/* One of "6,4,2.5,1", as thousandths; false where it is none. */
static bool read_percent(const char *text, unsigned *out)
{
    char *end;
    unsigned long whole, tenth = 0;

    if (*text < '0' || *text > '9')
        return false;
    whole = strtoul(text, &end, 10);
    if (end[0] == '.' && end[1] >= '0' && end[1] <= '9') {
        tenth = (unsigned long)(end[1] - '0');
        end += 2;
    }
    if (*end || whole >= 50)
        return false;
    *out = (unsigned)(whole * 10 + tenth);
    return true;
}

static int get_levels(struct reader *r, struct aero_host_levels *out)
{
    unsigned *level = out->level;
    char copy[64], *rest = copy, *one;
    const char *text;
    int n = 0, rc = get_text(r, "host_states", &text);

    if (rc || !text)
        return rc;
    snprintf(copy, sizeof(copy), "%s", text);
    while ((one = strsep(&rest, ",")) && n >= 0) {
        if (n == AERO_HOST_STATES || !read_percent(one, &level[n]) ||
            (n && level[n] > level[n - 1]))
            n = -2;
        n++;
    }
    if (n == AERO_HOST_STATES)
        return 0;
    return lxe_fail(r->err, -EINVAL,
                    "%s: host_states: '%.40s' is not four percentages below"
                    " 50, none above the one before, like \"6,4,2,1\"",
                    r->path, text);
}

static int get_word(struct reader *r, const char *key, char *out, size_t room)
{
    const char *text;
    int rc = get_text(r, key, &text);

    if (rc || !text)
        return rc;
    if (strlen(text) >= room)
        return lxe_fail(r->err, -EINVAL, "%s: %s: name is too long", r->path,
                        key);
    strcpy(out, text);
    return 0;
}

/* Node exporter reads no other files. */
static bool is_prom(const char *path)
{
    size_t len = strlen(path);

    return len > strlen("/.prom") && path[0] == '/' &&
           !strcmp(path + len - strlen(".prom"), ".prom");
}

/* What the daemon would not start with is wrong when it is checked, too. */
static int check_telling(struct reader *r, const struct aero_config *c)
{
    struct addrinfo *at;

    if (c->metrics_file[0] && !is_prom(c->metrics_file))
        return lxe_fail(r->err, -EINVAL, "%s: metrics_file: must be an"
                        " absolute path that ends in .prom", r->path);
    if (!c->metrics_listen[0])
        return 0;
    if (aero_metrics_address(c->metrics_listen, &at, r->err))
        return lxe_err_prefix(r->err, "%s", r->path);
    freeaddrinfo(at);
    return 0;
}

/* What others are told of what the daemon does. */
static int get_telling(struct reader *r, struct aero_config *c)
{
    int rc = get_number(r, "decision_log_mib", 0, 65536,
                        &c->decision_log_mib);

    if (!rc)
        rc = get_word(r, "metrics_file", c->metrics_file,
                      sizeof(c->metrics_file));
    if (!rc)
        rc = get_word(r, "metrics_listen", c->metrics_listen,
                      sizeof(c->metrics_listen));
    return rc ? rc : check_telling(r, c);
}

/* What is to be done with guests that say nothing. */
static int get_silent(struct reader *r, struct aero_config *c)
{
    uint64_t probe = c->probe;
    const char *text;
    int rc = get_number(r, "probe", 0, 1, &probe);

    c->probe = probe;
    if (!rc)
        rc = get_text(r, "activity", &text);
    if (rc || !text)
        return rc;
    c->samples = !strcmp(text, "samples");
    if (!c->samples && strcmp(text, "none"))
        return lxe_fail(r->err, -EINVAL, "%s: activity: '%.40s' is neither"
                        " \"none\" nor \"samples\"", r->path, text);
    return 0;
}

static int get_settings(struct reader *r, struct aero_config *c)
{
    uint64_t shares = c->default_shares, agent = c->agent;
    int rc = get_number(r, "interval_ms", 100, 60000, &c->interval_ms);

    if (!rc)
        rc = get_size(r, "host_reserve", &c->host_reserve_kib);
    if (!rc)
        rc = get_size(r, "default_min", &c->default_min_kib);
    if (!rc)
        rc = get_number(r, "default_shares", AERO_SHARES_MIN, AERO_SHARES_MAX,
                        &shares);
    if (!rc)
        rc = get_size(r, "margin", &c->margin_kib);
    if (!rc)
        rc = get_size(r, "change_per_tick", &c->change_per_tick_kib);
    if (!rc && c->change_per_tick_kib < 1024)
        rc = lxe_fail(r->err, -EINVAL,
                      "%s: change_per_tick: must be at least 1M", r->path);
    if (!rc)
        rc = get_part(r, "idle_tax", AERO_TAX_MAX, &c->idle_tax);
    if (!rc)
        rc = get_levels(r, &c->host_levels);
    if (!rc)
        rc = get_number(r, "agent", 0, 1, &agent);
    if (!rc)
        rc = get_silent(r, c);
    if (!rc)
        rc = get_telling(r, c);
    if (!rc)
        rc = get_word(r, "socket_group", c->socket_group,
                      sizeof(c->socket_group));
    if (!rc)
        rc = get_rate(r, "migration_max_rate", &c->migration_max_bps);
    c->default_shares = (unsigned)shares;
    c->agent = agent;
    return rc;
}

/* Sets one key=value of a domain's entry. */
static int set_pair(struct aero_named_policy *p, const char *key,
                    const char *value, struct lxe_err *err)
{
    uint64_t shares;
    int rc;

    if (!strcmp(key, "name")) {
        if (p->name[0])
            return lxe_fail(err, -EINVAL, "name is there twice");
        if (!*value || strlen(value) >= sizeof(p->name))
            return lxe_fail(err, -EINVAL, "name is empty or too long");
        strcpy(p->name, value);
        return 0;
    }
    if (!strcmp(key, "min") && p->policy.min_kib == LXE_UNKNOWN)
        return lxe_parse_size_kib(value, &p->policy.min_kib, err);
    if (!strcmp(key, "max") && p->policy.max_kib == LXE_UNKNOWN)
        return lxe_parse_size_kib(value, &p->policy.max_kib, err);
    if (!strcmp(key, "shares") && !p->policy.shares) {
        rc = lxe_parse_u64(value, AERO_SHARES_MIN, AERO_SHARES_MAX, &shares,
                           err);
        p->policy.shares = rc ? 0 : (unsigned)shares;
        return rc;
    }
    if (strcmp(key, "min") && strcmp(key, "max") && strcmp(key, "shares"))
        return lxe_fail(err, -EINVAL,
                        "no such word (known: name, min, max, shares)");
    return lxe_fail(err, -EINVAL, "is there twice");
}

/* Reads "name=web1,min=256M,max=2G,shares=200". */
static int read_item(const char *text, struct aero_named_policy *p,
                     struct lxe_err *err)
{
    char copy[ITEM_MAX_BYTES], *rest = copy, *pair;

    *p = (struct aero_named_policy){
        .policy = { .min_kib = LXE_UNKNOWN, .max_kib = LXE_UNKNOWN },
    };
    if (strlen(text) >= sizeof(copy))
        return lxe_fail(err, -EINVAL, "longer than %d bytes", ITEM_MAX_BYTES);
    strcpy(copy, text);
    while ((pair = strsep(&rest, ","))) {
        char *value = strchr(pair, '=');

        if (!value)
            return lxe_fail(err, -EINVAL, "'%s' is not word=value", pair);
        *value++ = '\0';
        if (set_pair(p, pair, value, err))
            return lxe_err_prefix(err, "%s", pair);
    }
    if (!p->name[0])
        return lxe_fail(err, -EINVAL, "has no name=");
    if (p->policy.min_kib != LXE_UNKNOWN && p->policy.max_kib != LXE_UNKNOWN &&
        p->policy.min_kib > p->policy.max_kib)
        return lxe_fail(err, -EINVAL, "min is above max");
    return 0;
}

static int get_item(struct reader *r, const XLU_ConfigList *list, int i,
                    struct aero_config *c)
{
    const char *text = xlu_cfg_get_listitem(list, i);
    struct aero_named_policy *p = &c->policies[c->policy_count];

    if (!text)
        return lxe_fail(r->err, -EINVAL, "%s: domains: item %d is no string",
                        r->path, i + 1);
    if (read_item(text, p, r->err))
        return lxe_err_prefix(r->err, "%s: domains: item %d (\"%.80s\")",
                              r->path, i + 1, text);
    if (aero_config_policy(c, p->name))
        return lxe_fail(r->err, -EINVAL,
                        "%s: domains: item %d: '%s' is there twice", r->path,
                        i + 1, p->name);
    c->policy_count++;
    return 0;
}

/* Reads "web=host2"; the host as a guest may name it. */
static int read_self_rule(const char *text, struct aero_self_rule *rule)
{
    struct lxe_move_request to;
    char request[ITEM_MAX_BYTES];
    const char *equals = strrchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    int n;

    if (!len || len >= sizeof(rule->name))
        return -EINVAL;
    n = snprintf(request, sizeof(request), "1 %s", equals + 1);
    if (n < 0 || (size_t)n >= sizeof(request) ||
        lxe_keys_parse_move(request, (size_t)n, &to))
        return -EINVAL;
    memset(rule, 0, sizeof(*rule));
    memcpy(rule->name, text, len);
    memcpy(rule->to, to.to, sizeof(rule->to));
    return 0;
}

static int get_self_list(struct reader *r, const XLU_ConfigList *list, int n,
                         struct aero_config *c)
{
    if (n > AERO_POLICIES_MAX)
        return lxe_fail(r->err, -EINVAL, "%s: self_migration: more than %d"
                        " items", r->path, AERO_POLICIES_MAX);
    c->self_rules = calloc((size_t)n + 1, sizeof(*c->self_rules));
    if (!c->self_rules)
        return lxe_fail(r->err, -ENOMEM, "out of memory");
    for (int i = 0; i < n; i++) {
        const char *text = xlu_cfg_get_listitem(list, i);

        if (!text || read_self_rule(text, &c->self_rules[i]))
            return lxe_fail(r->err, -EINVAL, "%s: self_migration: item %d is"
                            " not like \"web=host2\"", r->path, i + 1);
        c->self_count++;
    }
    return 0;
}

/* "deny", or a list. */
static int get_self(struct reader *r, struct aero_config *c)
{
    XLU_ConfigList *list;
    const char *text;
    int n, rc = xlu_cfg_get_list(r->xlu, "self_migration", &list, &n, 1);

    if (!rc)
        return get_self_list(r, list, n, c);
    if (rc == ESRCH)
        return 0;
    rc = get_text(r, "self_migration", &text);
    if (!rc && text && strcmp(text, "deny"))
        rc = lxe_fail(r->err, -EINVAL, "%s: self_migration: '%.40s' is"
                      " neither \"deny\" nor a list like [ \"web=host2\" ]",
                      r->path, text);
    return rc;
}

static int get_policies(struct reader *r, struct aero_config *c)
{
    XLU_ConfigList *list;
    int n, rc = xlu_cfg_get_list(r->xlu, "domains", &list, &n, 0);

    if (rc == ESRCH)
        return 0;
    if (rc)
        return complain(r, "domains");
    if (n > AERO_POLICIES_MAX)
        return lxe_fail(r->err, -EINVAL, "%s: domains: more than %d items",
                        r->path, AERO_POLICIES_MAX);
    c->policies = calloc((size_t)n + 1, sizeof(*c->policies));
    if (!c->policies)
        return lxe_fail(r->err, -ENOMEM, "out of memory");
    for (int i = 0; i < n; i++) {
        rc = get_item(r, list, i, c);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_parsed(struct reader *r, const char *text,
                       struct aero_config *out)
{
    int rc;

    if (xlu_cfg_readdata(r->xlu, text, (int)strlen(text)))
        return complain(r, "syntax");
    rc = get_settings(r, out);
    if (!rc)
        rc = get_self(r, out);
    if (!rc)
        rc = get_policies(r, out);
    return rc;
}

int aero_config_read_text(const char *text, const char *path,
                          struct aero_config *out, struct lxe_err *err)
{
    struct reader r = { .path = path, .err = err };
    int rc = -ENOMEM;

    aero_config_defaults(out);
    r.report = open_memstream(&r.report_text, &r.report_len);
    if (r.report)
        r.xlu = xlu_cfg_init(r.report, path);
    if (r.xlu) {
        rc = read_parsed(&r, text, out);
        xlu_cfg_destroy(r.xlu);
    } else {
        lxe_fail(err, -ENOMEM, "out of memory");
    }
    if (r.report)
        fclose(r.report);
    free(r.report_text);
    if (rc)
        aero_config_clear(out);
    return rc;
}

int aero_config_read(const char *path, struct aero_config *out,
                     struct lxe_err *err)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    _cleanup_free_ char *text = NULL;
    size_t len;

    aero_config_defaults(out);
    if (!f)
        return lxe_fail(err, -errno, "cannot open %s: %m", path);
    text = malloc(FILE_MAX_BYTES + 1);
    if (!text)
        return lxe_fail(err, -ENOMEM, "out of memory");
    len = fread(text, 1, FILE_MAX_BYTES, f);
    if (ferror(f))
        return lxe_fail(err, -EIO, "cannot read %s: %m", path);
    if (len == FILE_MAX_BYTES || memchr(text, '\0', len))
        return lxe_fail(err, -EINVAL, "%s: not a text of less than 1 MiB",
                        path);
    text[len] = '\0';
    return aero_config_read_text(text, path, out, err);
}

const struct aero_domain_policy *aero_config_policy(
    const struct aero_config *config, const char *name)
{
    for (size_t i = 0; i < config->policy_count; i++)
        if (!strcmp(config->policies[i].name, name))
            return &config->policies[i].policy;
    return NULL;
}

static void print_policy(const struct aero_named_policy *p, FILE *to)
{
    fprintf(to, "    \"name=%s", p->name);
    if (p->policy.min_kib != LXE_UNKNOWN)
        fprintf(to, ",min=%" PRIu64 "K", p->policy.min_kib);
    if (p->policy.max_kib != LXE_UNKNOWN)
        fprintf(to, ",max=%" PRIu64 "K", p->policy.max_kib);
    if (p->policy.shares)
        fprintf(to, ",shares=%u", p->policy.shares);
    fprintf(to, "\",\n");
}

static void print_levels(const struct aero_host_levels *levels, FILE *to)
{
    fprintf(to, "host_states = \"");
    for (int i = 0; i < AERO_HOST_STATES; i++)
        fprintf(to, "%s%u.%u", i ? "," : "", levels->level[i] / 10,
                levels->level[i] % 10);
    fprintf(to, "\"\n");
}

void aero_config_print(const struct aero_config *config, FILE *to)
{
    fprintf(to, "interval_ms = %" PRIu64 "\n", config->interval_ms);
    fprintf(to, "host_reserve = \"%" PRIu64 "K\"\n", config->host_reserve_kib);
    if (config->default_min_kib == LXE_UNKNOWN)
        fprintf(to, "# default_min: a quarter of maxmem, at least 64M\n");
    else
        fprintf(to, "default_min = \"%" PRIu64 "K\"\n",
                config->default_min_kib);
    fprintf(to, "default_shares = %u\n", config->default_shares);
    fprintf(to, "margin = \"%" PRIu64 "K\"\n", config->margin_kib);
    fprintf(to, "change_per_tick = \"%" PRIu64 "K\"\n",
            config->change_per_tick_kib);
    fprintf(to, "idle_tax = \"0.%03u\"\n", config->idle_tax);
    print_levels(&config->host_levels, to);
    fprintf(to, "socket_group = \"%s\"\n", config->socket_group);
    if (config->migration_max_bps)
        fprintf(to, "migration_max_rate = \"%" PRIu64 "B\"\n",
                config->migration_max_bps);
    else
        fprintf(to, "migration_max_rate = \"none\"\n");
    fprintf(to, "self_migration = [");
    for (size_t i = 0; i < config->self_count; i++)
        fprintf(to, "%s \"%s=%s\"", i ? "," : "",
                config->self_rules[i].name, config->self_rules[i].to);
    fprintf(to, " ]\n");
    fprintf(to, "agent = %d\n", config->agent);
    fprintf(to, "probe = %d\n", config->probe);
    fprintf(to, "activity = \"%s\"\n", config->samples ? "samples" : "none");
    fprintf(to, "decision_log_mib = %" PRIu64 "\n", config->decision_log_mib);
    fprintf(to, "metrics_file = \"%s\"\n", config->metrics_file);
    fprintf(to, "metrics_listen = \"%s\"\n", config->metrics_listen);
    fprintf(to, "domains = [\n");
    for (size_t i = 0; i < config->policy_count; i++)
        print_policy(&config->policies[i], to);
    fprintf(to, "]\n");
}
