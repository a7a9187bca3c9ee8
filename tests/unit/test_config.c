/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostat.conf, good and bad. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_changes.h"
#include "daemon_config.h"
#include "unit.h"
#include "xl_conf.h"

static void empty_gives_defaults(void)
{
    struct aero_config c, d;

    aero_config_defaults(&d);
    CU_ASSERT_EQUAL(aero_config_read_text("", "t.conf", &c, NULL), 0);
    CU_ASSERT_EQUAL(c.interval_ms, d.interval_ms);
    CU_ASSERT_EQUAL(c.default_min_kib, LXE_UNKNOWN);
    CU_ASSERT_TRUE(c.agent);
    aero_config_clear(&c);
}

static void every_key(void)
{
    static const char text[] =
        "interval_ms = 500\n"
        "host_reserve = \"200M\"\n"
        "default_min = 96 # MiB\n"
        "default_shares = 50\n"
        "margin = \"10M\"\n"
        "change_per_tick = \"32M\"\n"
        "idle_tax = \"0.5\"\n"
        "probe = 1\n"
        "activity = \"samples\"\n"
        "host_states = \"10,5.5,5,0\"\n"
        "socket_group = \"ops\"\n"
        "migration_max_rate = \"80Mbit\"\n"
        "agent = 0\n"
        "domains = [ \"name=web1,min=256M,max=2G,shares=200\",\n"
        "            'name=db,min=1G', ]\n";
    const struct aero_domain_policy *p;
    struct lxe_err err = { 0 };
    struct aero_config c;

    if (aero_config_read_text(text, "t.conf", &c, &err)) {
        CU_FAIL("refused");
        puts(err.text);
        return;
    }
    CU_ASSERT_EQUAL(c.interval_ms, 500);
    CU_ASSERT_EQUAL(c.host_reserve_kib, 200 << 10);
    CU_ASSERT_EQUAL(c.default_min_kib, 96 << 10);
    CU_ASSERT_EQUAL(c.default_shares, 50);
    CU_ASSERT_EQUAL(c.margin_kib, 10 << 10);
    CU_ASSERT_EQUAL(c.change_per_tick_kib, 32 << 10);
    CU_ASSERT_EQUAL(c.idle_tax, 500);
    CU_ASSERT_TRUE(c.probe);
    CU_ASSERT_TRUE(c.samples);
    CU_ASSERT_EQUAL(c.host_levels.level[AERO_HOST_SOFT], 55);
    CU_ASSERT_EQUAL(c.host_levels.level[AERO_HOST_LOW], 0);
    CU_ASSERT_STRING_EQUAL(c.socket_group, "ops");
    CU_ASSERT_EQUAL(c.migration_max_bps, 10000000);
    CU_ASSERT_FALSE(c.agent);
    p = aero_config_policy(&c, "web1");
    CU_ASSERT(p && p->min_kib == 256 << 10 && p->max_kib == 2 << 20 &&
              p->shares == 200);
    p = aero_config_policy(&c, "db");
    CU_ASSERT(p && p->min_kib == 1 << 20 && p->max_kib == LXE_UNKNOWN &&
              !p->shares);
    CU_ASSERT_PTR_NULL(aero_config_policy(&c, "web"));
    aero_config_clear(&c);
}

static void refused(const char *text, const char *word1, const char *word2)
{
    struct lxe_err err = { 0 };
    struct aero_config c;

    int rc = aero_config_read_text(text, "t.conf", &c, &err);

    CU_ASSERT(rc == -EINVAL || rc == -ERANGE || rc == -EACCES);
    CU_ASSERT_PTR_NULL(strchr(err.text, '\n'));
    if (strstr(err.text, word1) && strstr(err.text, word2) &&
        strstr(err.text, "t.conf"))
        return;
    printf("\n  %s -> %s\n", text, err.text);
    CU_FAIL("the message does not say what is wrong");
}

static void bad_ones_are_named(void)
{
    refused("interval_ms = 5", "interval_ms", "100");
    refused("interval_ms = \"soon\"", "interval_ms", "soon");
    refused("\n\ninterval_ms = [ 5 ]", "interval_ms", ":3:");
    refused("margin = \"1Q\"", "margin", "1Q");
    refused("agent = 2", "agent", "1");
    refused("migration_max_rate = \"0Mbit\"", "migration_max_rate", "none");
    refused("change_per_tick = \"4K\"", "change_per_tick", "1M");
    refused("host_states = \"6,4,2\"", "host_states", "6,4,2,1");
    refused("host_states = \"6,4,2,1,0\"", "host_states", "four");
    refused("host_states = \"6,7,2,1\"", "host_states", "before");
    refused("host_states = \"60,7,2,1\"", "host_states", "50");
    refused("host_states = \"6,4,2,x\"", "host_states", "2,x");
    refused("idle_tax = \"1\"", "idle_tax", "0.75");
    refused("idle_tax = \"-0.5\"", "idle_tax", "0.999");
    refused("idle_tax = \"0.5x\"", "idle_tax", "0.5x");
    refused("domains = \"web1\"", "domains", ":1:");
    refused("domains = [ \"min=1G\" ]", "item 1", "name");
    refused("domains = [ \"name=a,size=1G\" ]", "size", "known");
    refused("domains = [ \"name=a,min=1G,min=2G\" ]", "min", "twice");
    refused("domains = [ \"name=a,min=2G,max=1G\" ]", "min", "above max");
    refused("domains = [ \"name=a\", \"name=a\" ]", "item 2", "twice");
    refused("domains = [ \"name=a,shares=0\" ]", "shares", "item 1");
    refused("domains = [ [ \"name=a\" ] ]", "item 1", "string");
    refused("metrics_file = \"a.prom\"", "metrics_file", "absolute");
    refused("metrics_file = \"/a.txt\"", "metrics_file", ".prom");
    refused("metrics_file = \"/.prom\"", "metrics_file", ".prom");
    refused("metrics_listen = \"localhost:9877\"", "metrics_listen",
            "localhost:9877");
    refused("metrics_listen = \":9877\"", "metrics_listen", "':9877'");
    refused("metrics_listen = \"127.0.0.1\"", "metrics_listen", "PORT");
    refused("metrics_listen = \"127.0.0.1:70000\"", "70000", "65535");
    refused("metrics_listen = \"[::1]:0\"", "metrics_listen", "65535");
    refused("metrics_listen = \"0.0.0.0:1\"", "metrics_listen", "loopback");
    refused("interval_ms = = 4", "t.conf:1", "syntax");
    refused("interval_ms = = 4\nagent = = 1\n", "t.conf:1", ";t.conf:2");
}

static void files(void)
{
    char path[] = "/tmp/aerostat-conf-XXXXXX";
    struct lxe_err err = { 0 };
    struct aero_config c;
    int fd = mkstemp(path);

    CU_ASSERT(fd >= 0);
    CU_ASSERT(dprintf(fd, "interval_ms = 700\n") > 0);
    CU_ASSERT_EQUAL(aero_config_read(path, &c, &err), 0);
    CU_ASSERT_EQUAL(c.interval_ms, 700);
    aero_config_clear(&c);
    close(fd);
    unlink(path);
    CU_ASSERT_EQUAL(aero_config_read(path, &c, &err), -ENOENT);
}

static void the_example_is_right(void)
{
    char path[4096];
    struct lxe_err err = { 0 };
    struct aero_config c, d;

    snprintf(path, sizeof(path), "%s/plugin/aerostat.conf",
             getenv("top_srcdir"));
    aero_config_defaults(&d);
    CU_ASSERT_EQUAL(aero_config_read(path, &c, &err), 0);
    CU_ASSERT_EQUAL(c.interval_ms, d.interval_ms);
    CU_ASSERT_EQUAL(c.policy_count, 0);
    aero_config_clear(&c);
}

/* Whether xl's autoballoon counts as on by this file, Xen not being asked. */
static bool autoballoon(const char *text)
{
    char path[] = "/tmp/aerostat-xl-XXXXXX", why[256] = "?";
    struct lxe_err err = { 0 };
    int fd = mkstemp(path);

    CU_ASSERT(fd >= 0 && dprintf(fd, "%s\n", text) > 0);
    CU_ASSERT_EQUAL(lxe_xl_autoballoon(path, 0, why, sizeof(why), &err), 0);
    CU_ASSERT(!why[0] || strstr(why, path));
    close(fd);
    unlink(path);
    return why[0];
}

static void xl_autoballoon(void)
{
    char why[256];
    struct lxe_err err = { 0 };

    CU_ASSERT_TRUE(autoballoon("autoballoon=\"on\""));
    CU_ASSERT_TRUE(autoballoon("autoballoon=1"));
    CU_ASSERT_FALSE(autoballoon("autoballoon=\"off\""));
    CU_ASSERT_FALSE(autoballoon("autoballoon=\"auto\""));
    CU_ASSERT_FALSE(autoballoon("lockfile=\"/x\""));
    CU_ASSERT_EQUAL(lxe_xl_autoballoon("/nonexistent/xl.conf", 0, why,
                                       sizeof(why), &err), 0);
    CU_ASSERT_EQUAL(lxe_xl_autoballoon("/proc/self/status", 0, why,
                                       sizeof(why), &err), -EINVAL);
    CU_ASSERT_TRUE(lxe_cmdline_sizes_dom0("dom0_mem=512M com1=1"));
    CU_ASSERT_TRUE(lxe_cmdline_sizes_dom0("a dom0_mem=max:1G"));
    CU_ASSERT_FALSE(lxe_cmdline_sizes_dom0("xdom0_mem=1G dom0_memory=1"));
}

struct told {
    char text[512];
};

static void note(const char *line, bool holds, void *data)
{
    struct told *told = data;
    size_t len = strlen(told->text);

    snprintf(told->text + len, sizeof(told->text) - len, "%c%s\n",
             holds ? '+' : '-', line);
}

/* What aero_config_changes() says of two texts. */
static int changes(const char *was, const char *is, struct told *told)
{
    struct aero_config old, fresh;
    int rc;

    *told = (struct told){ "" };
    CU_ASSERT_EQUAL(aero_config_read_text(was, "t.conf", &old, NULL), 0);
    CU_ASSERT_EQUAL(aero_config_read_text(is, "t.conf", &fresh, NULL), 0);
    rc = aero_config_changes(&old, &fresh, note, told);
    aero_config_clear(&old);
    aero_config_clear(&fresh);
    return rc;
}

static void changes_are_told(void)
{
    struct told told;

    CU_ASSERT_EQUAL(changes("probe = 1", "probe = 1", &told), 0);
    CU_ASSERT_STRING_EQUAL(told.text, "");
    CU_ASSERT_EQUAL(changes("interval_ms = 500", "interval_ms = 700", &told),
                    2);
    CU_ASSERT_STRING_EQUAL(told.text,
                           "-interval_ms = 500\n+interval_ms = 700\n");
    CU_ASSERT_EQUAL(
        changes("domains = [ \"name=a,shares=7\", \"name=b,shares=7\" ]",
                "domains = [ \"name=b,shares=7\" ]\nprobe = 1", &told), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(told.text, "name=a,"));
    CU_ASSERT_PTR_NULL(strstr(told.text, "name=b,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(told.text, "-probe = 0\n+probe = 1\n"));
}

static const struct unit_test tests[] = {
    { "empty gives defaults", empty_gives_defaults },
    { "every key", every_key },
    { "bad ones are named", bad_ones_are_named },
    { "files", files },
    { "changes are told", changes_are_told },
    { "xl's autoballoon", xl_autoballoon },
    { "the example is right", the_example_is_right },
};

int main(void)
{
    return unit_run("config", tests, sizeof(tests) / sizeof(tests[0]));
}
