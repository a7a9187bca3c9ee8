/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes aerostat.conf: what is taken is within its bounds, and the same when
 * it is printed and read again; what is not has its words.
 */
#define _GNU_SOURCE
#include "daemon_config.h"

#include <stdlib.h>
#include <string.h>

#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* Its parser frees no strings of a line that it cannot read. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libxlutil";
}

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void check_bounds(const struct aero_config *c)
{
    need(c->interval_ms >= 100 && c->interval_ms <= 60000);
    need(c->change_per_tick_kib >= 1024);
    need(c->idle_tax <= AERO_TAX_MAX);
    need(c->default_shares >= AERO_SHARES_MIN &&
         c->default_shares <= AERO_SHARES_MAX);
    for (int i = 1; i < AERO_HOST_STATES; i++)
        need(c->host_levels.level[i] <= c->host_levels.level[i - 1]);
    need(!c->metrics_file[0] ||
         (c->metrics_file[0] == '/' && strstr(c->metrics_file, ".prom")));
    for (size_t i = 0; i < c->policy_count; i++)
        need(c->policies[i].name[0] &&
             aero_config_policy(c, c->policies[i].name) ==
                 &c->policies[i].policy);
    for (size_t i = 0; i < c->self_count; i++)
        need(c->self_rules[i].name[0] && c->self_rules[i].to[0]);
}

static char *print(const struct aero_config *c)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    need(to);
    aero_config_print(c, to);
    need(!fclose(to));
    return text;
}

static void check_printed(const struct aero_config *c)
{
    char *text = print(c), *again;
    struct aero_config back;
    struct lxe_err err = { 0 };

    need(!aero_config_read_text(text, "printed", &back, &err));
    again = print(&back);
    need(!strcmp(text, again));
    aero_config_clear(&back);
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct aero_config config;
    struct lxe_err err = { 0 };

    need(text);
    if (aero_config_read_text(text, "fuzz", &config, &err)) {
        need(err.code < 0 && *err.text);
    } else {
        check_bounds(&config);
        /* A name in one kind of quotes may hold the other kind. */
        if (!strpbrk(text, "'\\"))
            check_printed(&config);
        aero_config_clear(&config);
    }
    free(text);
    return 0;
}
