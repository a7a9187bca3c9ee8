/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration's journal: as text, as a file, and whose process is dead. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char top[64], dir[96];

static struct mig_journal sample(void)
{
    struct mig_journal j;

    mig_journal_init(&j, MIG_JOURNAL_SOURCE);
    j.domid = 7;
    snprintf(j.name, sizeof(j.name), "web");
    snprintf(j.uuid, sizeof(j.uuid), "c2a6e1b4-0000-4000-8000-000000000007");
    snprintf(j.to, sizeof(j.to), "host-b");
    snprintf(j.stage, sizeof(j.stage), "pre-copy");
    j.original_target_kib = 131072;
    return j;
}

static bool same(const struct mig_journal *a, const struct mig_journal *b)
{
    return a->role == b->role && a->state == b->state &&
           a->owner.pid == b->owner.pid &&
           a->owner.start_ticks == b->owner.start_ticks &&
           a->helper.pid == b->helper.pid &&
           a->helper.start_ticks == b->helper.start_ticks &&
           a->domid == b->domid && !strcmp(a->uuid, b->uuid) &&
           !strcmp(a->name, b->name) && !strcmp(a->to, b->to) &&
           !strcmp(a->stage, b->stage) &&
           a->original_target_kib == b->original_target_kib &&
           a->original_cap == b->original_cap && a->saving == b->saving &&
           a->may_pause == b->may_pause && a->renamed == b->renamed;
}

static void test_round_trip(void)
{
    struct mig_journal full = sample(), bare, out;
    char text[MIG_JOURNAL_MAX_FILE];

    full.state = MIG_JOURNAL_COMMITTED;
    full.helper = (struct mig_process){ 99, 12345678901 };
    full.original_cap = 0;
    full.saving = full.may_pause = full.renamed = true;
    CU_ASSERT_EQUAL_FATAL(mig_journal_format(&full, text), 0);
    CU_ASSERT_EQUAL_FATAL(mig_journal_parse(text, strlen(text), &out, NULL),
                          0);
    CU_ASSERT_TRUE(same(&full, &out));

    mig_journal_init(&bare, MIG_JOURNAL_TARGET);
    CU_ASSERT_EQUAL_FATAL(mig_journal_format(&bare, text), 0);
    CU_ASSERT_EQUAL_FATAL(mig_journal_parse(text, strlen(text), &out, NULL),
                          0);
    CU_ASSERT_TRUE(same(&bare, &out));
}

/* Replaces one piece of a good journal by another. */
static int parse_changed(const char *old, const char *new)
{
    struct mig_journal j = sample(), out;
    char text[MIG_JOURNAL_MAX_FILE], changed[2 * MIG_JOURNAL_MAX_FILE], *at;
    struct lxe_err err = { 0 };

    mig_journal_format(&j, text);
    at = strstr(text, old);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
             new, at + strlen(old));
    return mig_journal_parse(changed, strlen(changed), &out, &err);
}

static void test_bad_texts(void)
{
    static const char *const changes[][2] = {
        { "\"version\": 1", "\"version\": 2" },
        { "\"version\": 1,", "" },
        { "\"source\"", "\"sauce\"" },
        { "\"open\"", "7" },
        { "\"domid\": 7", "\"domid\": 0" },
        { "\"domid\": 7", "\"domid\": 32752" },
        { "\"domid\": 7", "\"domid\": -7" },
        { "\"domid\": 7,", "" },
        { "\"owner\"", "\"owned\"" },
        { "\"pid\": ", "\"pid\": 9999999999" },
        { "\"pid\": ", "\"pid\": -" },
        { "\"start_ticks\"", "\"ticks\"" },
        { "c2a6e1b4", "c2a6e1b4c2a6e1b4" },
        { "\"web\"", "null" },
        { "\"pre-copy\"", "\"a stage with a name that is far too long\"" },
        { "131072", "1e30" },
        { "131072", "1125899906842625" },
        { "\"saving\": false", "\"saving\": 0" },
        { "\"renamed\": false", "\"other\": false" },
        { "}", "" },
        { "{", "[" },
    };

    CU_ASSERT_EQUAL(parse_changed("web", "web"), 0);
    for (size_t i = 0; i < COUNT(changes); i++) {
        int rc = parse_changed(changes[i][0], changes[i][1]);

        if (rc != -EINVAL)
            printf("  %s -> %s: %d\n", changes[i][0], changes[i][1], rc);
        CU_ASSERT_EQUAL(rc, -EINVAL);
    }
}

static size_t count_files(struct mig_journal *first)
{
    struct mig_journal_list list;
    struct lxe_err err = { 0 };
    size_t count;

    CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(dir, &list, &err), 0);
    count = list.count;
    if (first && count)
        *first = list.items[0];
    mig_journal_list_free(&list);
    return count;
}

static void test_files(void)
{
    struct mig_journal j = sample(), other = sample(), out;

    CU_ASSERT_EQUAL(count_files(NULL), 0); /* no directory yet */
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &j, NULL), 0);
    CU_ASSERT_EQUAL(count_files(&out), 1);
    CU_ASSERT_TRUE(same(&j, &out));
    j.saving = true;
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &j, NULL), 0);
    CU_ASSERT_EQUAL(count_files(&out), 1);
    CU_ASSERT_TRUE(out.saving);
    other.owner.start_ticks++; /* a later process with the same number */
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &other, NULL), 0);
    CU_ASSERT_EQUAL(count_files(NULL), 2);
    mig_journal_remove(dir, &j);
    mig_journal_remove(dir, &j);
    mig_journal_remove(dir, &other);
    CU_ASSERT_EQUAL(count_files(NULL), 0);
}

static void put_file(const char *name, const char *text, size_t len)
{
    char path[160];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fwrite(text, 1, len, f);
    fclose(f);
}

static void drop_file(const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

/* Whatever else lies there, the good ones are found. */
static void test_strange_files(void)
{
    struct mig_journal j = sample();
    char big[2 * MIG_JOURNAL_MAX_FILE], path[160];

    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &j, NULL), 0);
    memset(big, ' ', sizeof(big));
    put_file("a.json", "", 0);
    put_file("b.json", "{}", 2);
    put_file("c.json", big, sizeof(big));
    put_file("source-1-1.new", "{", 1);
    snprintf(path, sizeof(path), "%s/d.json", dir);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0); /* nobody ever writes there */
    snprintf(path, sizeof(path), "%s/e.json", dir);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
    CU_ASSERT_EQUAL(count_files(NULL), 1);
    drop_file("a.json");
    drop_file("b.json");
    drop_file("c.json");
    drop_file("d.json");
    drop_file("e.json");
    drop_file("source-1-1.new");
    mig_journal_remove(dir, &j);
}

static void test_open_dir(void)
{
    struct mig_journal_list list;
    struct mig_journal j = sample();
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(chmod(dir, 0770), 0);
    CU_ASSERT_EQUAL(mig_journal_read_all(dir, &list, &err), -EACCES);
    CU_ASSERT_EQUAL(mig_journal_write(dir, &j, &err), -EACCES);
    CU_ASSERT_EQUAL(chmod(dir, 0700), 0);
}

static void test_processes(void)
{
    struct mig_process p, none = { 0 };
    pid_t child = fork();

    if (!child) {
        pause();
        _exit(0);
    }
    CU_ASSERT_EQUAL(mig_process_find(child, &p), 0);
    CU_ASSERT_TRUE(mig_process_alive(&p));
    p.start_ticks++; /* as a later one with its number would have it */
    CU_ASSERT_FALSE(mig_process_alive(&p));
    p.start_ticks--;
    kill(child, SIGKILL);
    waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
    CU_ASSERT_FALSE(mig_process_alive(&p)); /* a zombie */
    waitpid(child, NULL, 0);
    CU_ASSERT_FALSE(mig_process_alive(&p));
    CU_ASSERT_FALSE(mig_process_alive(&none));
    CU_ASSERT_EQUAL(mig_process_find(child, &p), -ESRCH);
}

static void test_alive(void)
{
    struct mig_journal j = sample();

    CU_ASSERT_TRUE(mig_journal_alive(&j));
    j.helper = j.owner;
    j.owner.start_ticks++;
    CU_ASSERT_FALSE(mig_journal_alive(&j)); /* a helper alone moves nothing */
    j.role = MIG_JOURNAL_TARGET;
    CU_ASSERT_TRUE(mig_journal_alive(&j));  /* xl goes on by itself */
}

static void test_find(void)
{
    struct mig_journal items[4] = { sample(), sample(), sample(), sample() };
    struct mig_journal_list list = { items, 4 };

    items[0].role = MIG_JOURNAL_TARGET;
    items[1].owner.start_ticks++; /* dead */
    items[3].domid = 8;
    snprintf(items[3].name, sizeof(items[3].name), "db");
    snprintf(items[3].uuid, sizeof(items[3].uuid),
             "c2a6e1b4-0000-4000-8000-000000000008");
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "web"), &items[2]);
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "7"), &items[2]);
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "8"), &items[3]);
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "C2A6E1B4-0000-4000-8000-"
                                                "000000000008"), &items[3]);
    CU_ASSERT_PTR_NULL(mig_journal_find(&list, "9"));
    /* Called as another's domid is. */
    snprintf(items[2].name, sizeof(items[2].name), "8");
    items[3].owner.start_ticks++;
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "8"), &items[3]);
    list.count = 2;
    CU_ASSERT_PTR_EQUAL(mig_journal_find(&list, "web"), &items[1]);
}

/* The first is this process's, and alive; "ours" is another's. */
static void test_rival(void)
{
    struct mig_journal first = sample(), ours = sample();
    struct mig_journal_list list;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &first, NULL), 0);
    ours.owner.start_ticks++;
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), -EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "already"));
    ours.owner.start_ticks -= 2; /* started earlier, and was slow to begin */
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), -EBUSY);
    CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(dir, &list, NULL), 0);
    CU_ASSERT_EQUAL(list.count, 1); /* ours is not left there */
    mig_journal_list_free(&list);
    ours.domid++;
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), 0);
    mig_journal_remove(dir, &ours);
    ours.domid--;
    mig_journal_remove(dir, &first);
    first.role = MIG_JOURNAL_TARGET; /* it came here, and we move it on */
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &first, NULL), 0);
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), 0);
    mig_journal_remove(dir, &ours);
    mig_journal_remove(dir, &first);
}

/* It died after we repaired the dead, so others are about to. */
static void test_dead_rival(void)
{
    struct mig_journal dead = sample(), ours = sample();
    struct lxe_err err = { 0 };

    dead.owner.start_ticks++;
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &dead, NULL), 0);
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), -EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--repair"));
    ours.uuid[0] = 'd'; /* another guest that has its domid now */
    CU_ASSERT_EQUAL(mig_journal_begin(dir, &ours, &err), 0);
    mig_journal_remove(dir, &ours);
    mig_journal_remove(dir, &dead);
}

/* Begins when it is told to, and lives until it is told to end. */
static pid_t start_rival(int go[2], int end[2], int result_fd)
{
    pid_t pid = fork();
    struct mig_journal j;
    char c;

    if (pid)
        return pid;
    close(go[1]);
    close(end[1]);
    j = sample();
    if (read(go[0], &c, 1))
        _exit(1);
    c = mig_journal_begin(dir, &j, NULL) ? 'n' : 'y';
    if (write(result_fd, &c, 1) != 1 || read(end[0], &c, 1))
        _exit(1);
    mig_journal_remove(dir, &j);
    _exit(0);
}

static void test_at_once(void)
{
    for (int n = 0; n < 40; n++) {
        int go[2], end[2], result[2], status;
        char said[2] = "";
        pid_t pids[2];

        CU_ASSERT_FATAL(!pipe2(go, O_CLOEXEC) && !pipe2(end, O_CLOEXEC) &&
                        !pipe2(result, O_CLOEXEC));
        for (int i = 0; i < 2; i++) {
            pids[i] = start_rival(go, end, result[1]);
            CU_ASSERT_FATAL(pids[i] > 0);
        }
        close(go[1]);
        for (int i = 0; i < 2; i++)
            CU_ASSERT_EQUAL(read(result[0], &said[i], 1), 1);
        CU_ASSERT((said[0] == 'y') != (said[1] == 'y'));
        close(end[1]);
        for (int i = 0; i < 2; i++)
            CU_ASSERT(waitpid(pids[i], &status, 0) == pids[i] && !status);
        close(go[0]);
        close(end[0]);
        close(result[0]);
        close(result[1]);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "written and read", test_round_trip },
        { "bad texts are refused", test_bad_texts },
        { "files come, change and go", test_files },
        { "what else lies in the directory", test_strange_files },
        { "a directory that others may write", test_open_dir },
        { "dead and living processes", test_processes },
        { "whose migration goes on", test_alive },
        { "found by what a person types", test_find },
        { "another migration of the same guest", test_rival },
        { "one that died meanwhile", test_dead_rival },
        { "of two that begin at once, one does", test_at_once },
    };
    int status;

    snprintf(top, sizeof(top), "/tmp/aerostat-journal.XXXXXX");
    if (!mkdtemp(top))
        return EXIT_FAILURE;
    snprintf(dir, sizeof(dir), "%s/run/migrations", top);
    status = unit_run("journal", tests, COUNT(tests));
    snprintf(dir, sizeof(dir), "%s/run/migrations/begin.lock", top);
    unlink(dir);
    snprintf(dir, sizeof(dir), "%s/run/migrations", top);
    rmdir(dir);
    snprintf(dir, sizeof(dir), "%s/run", top);
    rmdir(dir);
    rmdir(top);
    return status;
}
