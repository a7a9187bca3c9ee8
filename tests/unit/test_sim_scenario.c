/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scenario files: what is read, and what is refused with which words. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "sim_fixture.h"
#include "sim_scenario.h"

#define HOST "'host': {'total_kib': 1048576}"
#define GUEST(more) "{" HOST ",\n'guests': [{'name': 'a', "                   \
    "'memory_kib': 4096},\n{'name': 'b', 'memory_kib': 8192,\n" more "}]}"

static const struct {
    const char *text;
    int code;
    const char *message; /* after the file's name */
} refused[] = {
    { "{", -EINVAL, "line 1: " },
    { "[]", -EINVAL,
      "line 1: scenario: expected an object, found an array" },
    { "{}", -EINVAL, "line 1: host: is missing" },
    { "{'host': {}}", -EINVAL, "line 1: host.total_kib: is missing" },
    { "{\n'host': 5}", -EINVAL,
      "line 2: host: expected an object, found a number" },
    { "{'host': {'total_kib': 4},\n'x': 1}", -EINVAL,
      "line 2: x: unknown field; see docs/scenarios.md" },
    { "{'host': {'total_kib': 6}}", -EINVAL,
      "line 1: host.total_kib: expected whole pages, a multiple of 4 KiB" },
    { "{'host': {'total_kib': 4.5}}", -EINVAL,
      "line 1: host.total_kib: expected a whole number from 4 to 4294967296" },
    { "{'host': {'total_kib': 4}}", -EINVAL,
      "line 1: host.total_kib: Xen, dom0 and the guests at the start take "
      "589824 KiB, more than this" },
    { "{'host': {'total_kib': 1048576,\n'dom0_max_kib': 4096}}", -EINVAL,
      "line 2: host.dom0_max_kib: is less than dom0_kib" },
    { "{'speed': 0, " HOST "}", -EINVAL,
      "line 1: speed: expected a number from 0.01 to 1000" },
    { "{'step_s': 2, " HOST "}", -EINVAL,
      "line 1: step_s: expected from 0.01 to 1 seconds" },
    { "{'seed': -1, " HOST "}", -EINVAL,
      "line 1: seed: expected a whole number from 0 to 184467440737095516" },
    { "{" HOST ", 'guests': {}}", -EINVAL,
      "line 1: guests: expected an array, found an object" },
    { "{" HOST ", 'guests': [{}]}", -EINVAL,
      "line 1: guests[0].name: is missing" },
    { "{" HOST ", 'guests': [{'name': 'a'}]}", -EINVAL,
      "line 1: guests[0].memory_kib: is missing" },
    { GUEST("'balloon_kib_s':\n'fast'"), -EINVAL,
      "line 5: guests[1].balloon_kib_s: expected a number, found a string" },
    { GUEST("'balloon_kib_s': 0"), -EINVAL,
      "line 4: guests[1].balloon_kib_s: expected a whole number from 1 to" },
    { GUEST("'stuck': 1"), -EINVAL,
      "line 4: guests[1].stuck: expected true or false, found a number" },
    { GUEST("'stuck_every_s': 0.001"), -EINVAL,
      "line 4: guests[1].stuck_every_s: expected from 0.01 to 10000000" },
    { GUEST("'type': 'vm'"), -EINVAL,
      "line 4: guests[1].type: 'vm' is not one of pv, hvm, pvh" },
    { GUEST("'report': null"), -EINVAL,
      "line 4: guests[1].report: expected a string, found null" },
    { GUEST("'report': 'x'"), -EINVAL,
      "'x' is not one of none, agent, qubes, xenserver" },
    { GUEST("'floor_kib': 8196"), -EINVAL,
      "line 4: guests[1].floor_kib: is more than memory_kib" },
    { GUEST("'static_max_kib': 4096"), -EINVAL,
      "line 4: guests[1].static_max_kib: is less than memory_kib" },
    { GUEST("'videoram_kib': 4096"), -EINVAL,
      "line 4: guests[1].videoram_kib: only a guest of type hvm has" },
    { GUEST("'page_cache_hot_kib': 4"), -EINVAL,
      "line 4: guests[1].page_cache_hot_kib: is more than page_cache_kib" },
    { GUEST("'writes': {'hot_kib': 4}"), -EINVAL,
      "line 4: guests[1].writes: hot_kib and hot_pages_s go together" },
    { GUEST("'writes': {'hot_kib': 16384, 'hot_pages_s': 1}"), -EINVAL,
      "line 4: guests[1].writes: hot_kib is more than static_max_kib" },
    { GUEST("'writes': {\n'cold': 1}"), -EINVAL,
      "line 5: guests[1].writes.cold: unknown field" },
    { GUEST("'demand': []"), -EINVAL,
      "line 4: guests[1].demand: expected 1 to 10000 elements, found 0" },
    { GUEST("'demand': [[0, 1], 5]"), -EINVAL,
      "line 4: guests[1].demand[1]: expected [seconds, KiB used]" },
    { GUEST("'demand': [[0, 1],\n[0, 2]]"), -EINVAL,
      "line 5: guests[1].demand[1]: expected a later time" },
    { GUEST("'demand': [['0', 1]]"), -EINVAL,
      "line 4: guests[1].demand[0]: expected a number, found a string" },
    { GUEST("'demand': [[-1, 1]]"), -EINVAL,
      "line 4: guests[1].demand[0]: expected from 0 to 10000000 seconds" },
    { "{" HOST ", 'guests': [{'name': 'a', 'memory_kib': 4},\n"
      "{'memory_kib': 4, 'name': 'a'}]}", -EINVAL,
      "line 2: guests[1].name: another guest has this name" },
    { "{" HOST ", 'guests': [{'memory_kib': 4, 'name': 'Domain-0'}]}",
      -EINVAL, "guests[0].name: is dom0's" },
    { "{" HOST ", 'guests': [{'memory_kib': 4, 'name': ''}]}", -EINVAL,
      "guests[0].name: expected a name of 1 to 255 bytes" },
    { "{" HOST ",\n'events': [{'at_s': 1, 'do': 'pause', 'guest': 'z'}]}",
      -EINVAL, "line 2: events[0].guest: no guest has this name" },
    { "{" HOST ", 'guests': [{'name': 'a', 'memory_kib': 4}], 'events': ["
      "{'at_s': 2, 'do': 'pause', 'guest': 'a'},\n"
      "{'at_s': 1, 'do': 'unpause', 'guest': 'a'}]}", -EINVAL,
      "line 2: events[1].at_s: is before the event that precedes it" },
    { "{" HOST ", 'events': [{'at_s': 2, 'do': 'dance', 'guest': 'a'}]}",
      -EINVAL, "events[0].do: 'dance' is not one of create, destroy, pause" },
    { "{" HOST ", " HOST "}", -EINVAL, "field 'host' is given twice" },
};

static void test_refused(void)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        struct lxe_host *host = NULL;
        struct lxe_err err = { 0 };
        int rc = sim_try(refused[i].text, LXE_SIM_MANUAL, &host, &err);
        const char *at = strstr(err.text, refused[i].message);

        CU_ASSERT_EQUAL(rc, refused[i].code);
        CU_ASSERT_PTR_NOT_NULL(at);
        CU_ASSERT_EQUAL(strncmp(err.text, "test.json: line ", 16), 0);
        if (!at)
            printf("  %zu: found '%s', not '%s'\n", i, err.text,
                   refused[i].message);
        if (host)
            host->ops->close(host);
    }
}

static void test_refuses_files(void)
{
    struct lxe_host *host = NULL;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(lxe_sim_open("/nowhere/x.json", LXE_SIM_MANUAL, &host,
                                 &err), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nowhere/x.json"));
    CU_ASSERT_EQUAL(lxe_sim_open_text("{}", LXE_SIM_MAX_BYTES + 1u, "big",
                                      LXE_SIM_MANUAL, &host, &err), -E2BIG);
    CU_ASSERT_PTR_NULL(host);
}

static void test_defaults(void)
{
    struct lxe_sim_scenario *s;
    static const char text[] =
        "{\"host\": {\"total_kib\": 1048576}, \"guests\": ["
        "{\"name\": \"a\", \"memory_kib\": 8192, \"report\": \"xenserver\"},"
        "{\"name\": \"b\", \"memory_kib\": 8192, \"report\": \"agent\"}]}";

    CU_ASSERT_EQUAL_FATAL(
        lxe_sim_scenario_parse(text, strlen(text), "t", &s, NULL), 0);
    CU_ASSERT_EQUAL(s->seed, 1);
    CU_ASSERT_DOUBLE_EQUAL(s->speed, 1, 0);
    CU_ASSERT_EQUAL(s->step_ns, LXE_SIM_STEP_NS);
    CU_ASSERT_EQUAL(s->dom0.memory_kib, MIB(512));
    CU_ASSERT_EQUAL(s->dom0.static_max_kib, MIB(512));
    CU_ASSERT_EQUAL(s->guest_count, 2);
    CU_ASSERT_EQUAL(s->guests[0].type, LXE_DOM_PVH);
    CU_ASSERT_EQUAL(s->guests[0].static_max_kib, MIB(8));
    CU_ASSERT_EQUAL(s->guests[0].demand[0].used_kib, MIB(4));
    CU_ASSERT_EQUAL(s->guests[0].report_ns, SECONDS(120));
    CU_ASSERT_EQUAL(s->guests[1].report_ns, SECONDS(1));
    CU_ASSERT_EQUAL(s->guests[1].dynamic_min_kib, LXE_UNKNOWN);
    lxe_sim_scenario_free(s);
}

static const char *source_dir(void)
{
    const char *dir = getenv("top_srcdir");

    return dir ? dir : ".";
}

/* Every example opens, and runs for ten minutes with its books in order. */
static void test_example_files(void)
{
    char path[512];
    unsigned count = 0;
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/docs/scenarios", source_dir());
    dir = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    while ((entry = readdir(dir))) {
        struct lxe_host *host;
        struct lxe_err err = { 0 };

        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof(path), "%s/docs/scenarios/%s", source_dir(),
                 entry->d_name);
        count++;
        if (lxe_sim_open(path, LXE_SIM_MANUAL, &host, &err)) {
            printf("  %s\n", err.text);
            CU_FAIL("an example is wrong");
            continue;
        }
        lxe_sim_set_invariant(host, on_broken, NULL);
        lxe_sim_advance(host, SECONDS(600));
        host->ops->close(host);
    }
    closedir(dir);
    CU_ASSERT_TRUE(count >= 5);
}

/* So do those in the document, between ```json and ```. */
static void test_examples_in_document(void)
{
    char path[512], line[512], text[8192] = "";
    unsigned count = 0;
    bool in = false;
    _cleanup_fclose_ FILE *f = NULL;

    snprintf(path, sizeof(path), "%s/docs/scenarios.md", source_dir());
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(line, sizeof(line), f)) {
        if (in && !strncmp(line, "```", 3)) {
            struct lxe_host *host = sim_open(text);

            lxe_sim_advance(host, SECONDS(60));
            host->ops->close(host);
            count++;
            in = false;
        } else if (in) {
            strncat(text, line, sizeof(text) - strlen(text) - 1);
        } else if (!strncmp(line, "```json", 7)) {
            in = true;
            *text = '\0';
        }
    }
    CU_ASSERT_TRUE(count >= 5);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "refused, with file, line and field", test_refused },
        { "files that cannot be read", test_refuses_files },
        { "defaults", test_defaults },
        { "example files", test_example_files },
        { "examples in the document", test_examples_in_document },
    };

    return unit_run("sim_scenario", tests, sizeof(tests) / sizeof(*tests));
}
