/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd_io.h"
#include "base/json.h"
#include "base/log.h"

#define PATH_TEXT 512
#define DOMID_MAX 32751 /* Xen's DOMID_FIRST_RESERVED - 1 */
#define KIB_MAX   (UINT64_C(1) << 50)
#define CAP_MAX   1000000

static const char *const role_names[] = {
    [MIG_JOURNAL_SOURCE] = "source",
    [MIG_JOURNAL_TARGET] = "target",
};
static const char *const state_names[] = {
    [MIG_JOURNAL_OPEN] = "open",
    [MIG_JOURNAL_COMMITTED] = "committed",
    [MIG_JOURNAL_MOVED] = "moved",
};

/* ---- processes ---- */

/*
 * State and start of a process. The name in /proc/PID/stat may hold spaces and
 * brackets: what counts comes after the last bracket (proc(5)).
 */
static int read_stat(pid_t pid, char *state, uint64_t *start_ticks)
{
    char path[64], text[1024], *at;
    _cleanup_close_ int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return -ESRCH;
    text[n] = '\0';
    at = strrchr(text, ')');
    if (!at || sscanf(at + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                      " %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, state,
                      start_ticks) != 2)
        return -ESRCH;
    return 0;
}

int mig_process_find(pid_t pid, struct mig_process *out)
{
    char state;

    *out = (struct mig_process){ .pid = pid };
    return read_stat(pid, &state, &out->start_ticks);
}

bool mig_process_alive(const struct mig_process *p)
{
    uint64_t start_ticks;
    char state;

    return p->pid > 0 && !read_stat(p->pid, &state, &start_ticks) &&
           start_ticks == p->start_ticks && state != 'Z' && state != 'X';
}

bool mig_journal_alive(const struct mig_journal *j)
{
    return mig_process_alive(&j->owner) ||
           (j->role == MIG_JOURNAL_TARGET && mig_process_alive(&j->helper));
}

bool mig_journal_same(const struct mig_journal *a,
                      const struct mig_journal *b)
{
    return a->role == b->role && a->owner.pid == b->owner.pid &&
           a->owner.start_ticks == b->owner.start_ticks;
}

void mig_journal_init(struct mig_journal *j, enum mig_journal_role role)
{
    *j = (struct mig_journal){
        .role = role,
        .original_target_kib = LXE_UNKNOWN,
        .original_cap = MIG_JOURNAL_NO_CAP,
    };
    mig_process_find(getpid(), &j->owner);
}

/* ---- as text ---- */

static void put_process(struct lxe_jw *w, const char *key,
                        const struct mig_process *p)
{
    if (!p->pid)
        return;
    lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_u64(w, "pid", (uint64_t)p->pid);
    lxe_jw_u64(w, "start_ticks", p->start_ticks);
    lxe_jw_end_object(w);
}

static void put_members(struct lxe_jw *w, const struct mig_journal *j)
{
    lxe_jw_u64(w, "version", MIG_JOURNAL_VERSION);
    lxe_jw_str(w, "role", role_names[j->role]);
    lxe_jw_str(w, "state", state_names[j->state]);
    put_process(w, "owner", &j->owner);
    put_process(w, "helper", &j->helper);
    lxe_jw_u64(w, "domid", j->domid);
    lxe_jw_str(w, "uuid", j->uuid);
    lxe_jw_str(w, "name", j->name);
    lxe_jw_str(w, "to", j->to);
    lxe_jw_str(w, "stage", j->stage);
    if (j->original_target_kib != LXE_UNKNOWN)
        lxe_jw_u64(w, "original_target_kib", j->original_target_kib);
    if (j->original_cap != MIG_JOURNAL_NO_CAP)
        lxe_jw_u64(w, "original_cap", j->original_cap);
    lxe_jw_bool(w, "saving", j->saving);
    lxe_jw_bool(w, "may_pause", j->may_pause);
    lxe_jw_bool(w, "renamed", j->renamed);
}

int mig_journal_format(const struct mig_journal *j,
                       char text[MIG_JOURNAL_MAX_FILE])
{
    struct lxe_jw *w = lxe_jw_new(true);
    const char *json;
    size_t len;
    int rc = -ENOMEM;

    if (!w)
        return rc;
    lxe_jw_object(w);
    put_members(w, j);
    lxe_jw_end_object(w);
    json = lxe_jw_text(w, &len);
    if (json && len < MIG_JOURNAL_MAX_FILE) {
        memcpy(text, json, len + 1);
        rc = 0;
    }
    lxe_jw_free(w);
    return rc;
}

static int take_name(const struct lxe_json *root, const char *key,
                     const char *const *names, size_t count, unsigned *out)
{
    const char *text = lxe_json_str(lxe_json_get(root, key));

    for (size_t i = 0; text && i < count; i++)
        if (!strcmp(text, names[i])) {
            *out = (unsigned)i;
            return 0;
        }
    return -EINVAL;
}

static int take_text(const struct lxe_json *root, const char *key, char *out,
                     size_t size)
{
    const char *text = lxe_json_str(lxe_json_get(root, key));

    if (!text || strlen(text) >= size)
        return -EINVAL;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

/* Leaves *out as it is where there is no such member. */
static int take_u64(const struct lxe_json *root, const char *key,
                    uint64_t max, uint64_t *out)
{
    const struct lxe_json *node = lxe_json_get(root, key);

    if (!node)
        return 0;
    return lxe_json_u64(node, out) || *out > max ? -EINVAL : 0;
}

static int take_process(const struct lxe_json *root, const char *key,
                        struct mig_process *out)
{
    const struct lxe_json *node = lxe_json_get(root, key);
    uint64_t pid;

    *out = (struct mig_process){ 0 };
    if (!node)
        return 0;
    if (lxe_json_u64(lxe_json_get(node, "pid"), &pid) || !pid ||
        pid > INT32_MAX ||
        lxe_json_u64(lxe_json_get(node, "start_ticks"), &out->start_ticks))
        return -EINVAL;
    out->pid = (pid_t)pid;
    return 0;
}

static int take_who(const struct lxe_json *root, struct mig_journal *j,
                    const char **bad)
{
    unsigned role, state;
    uint64_t domid = UINT64_MAX;

    if (take_name(root, *bad = "role", role_names, 2, &role) ||
        take_name(root, *bad = "state", state_names, 3, &state) ||
        take_process(root, *bad = "owner", &j->owner) || !j->owner.pid ||
        take_process(root, *bad = "helper", &j->helper) ||
        take_u64(root, *bad = "domid", DOMID_MAX, &domid) ||
        domid > DOMID_MAX ||
        take_text(root, *bad = "uuid", j->uuid, sizeof(j->uuid)) ||
        take_text(root, *bad = "name", j->name, sizeof(j->name)) ||
        take_text(root, *bad = "to", j->to, sizeof(j->to)) ||
        take_text(root, *bad = "stage", j->stage, sizeof(j->stage)))
        return -EINVAL;
    j->role = (enum mig_journal_role)role;
    j->state = (enum mig_journal_state)state;
    j->domid = (uint32_t)domid;
    *bad = "domid"; /* dom0 does not migrate */
    return j->role == MIG_JOURNAL_SOURCE && !j->domid ? -EINVAL : 0;
}

static int take_changes(const struct lxe_json *root, struct mig_journal *j,
                        const char **bad)
{
    uint64_t cap = MIG_JOURNAL_NO_CAP;

    j->original_target_kib = LXE_UNKNOWN;
    if (take_u64(root, *bad = "original_target_kib", KIB_MAX,
                 &j->original_target_kib) ||
        take_u64(root, *bad = "original_cap", CAP_MAX, &cap) ||
        lxe_json_bool(lxe_json_get(root, *bad = "saving"), &j->saving) ||
        lxe_json_bool(lxe_json_get(root, *bad = "may_pause"),
                      &j->may_pause) ||
        lxe_json_bool(lxe_json_get(root, *bad = "renamed"), &j->renamed))
        return -EINVAL;
    j->original_cap = (uint32_t)cap;
    return 0;
}

int mig_journal_parse(const char *text, size_t len, struct mig_journal *out,
                      struct lxe_err *err)
{
    struct lxe_json *root = NULL;
    struct mig_journal j = { 0 };
    uint64_t version = 0;
    const char *bad = "version";
    int rc = lxe_json_parse(text, len, &root, err);

    if (rc == -ENOMEM)
        return rc;
    if (rc)
        return lxe_fail(err, -EINVAL, "not the JSON of a migration's journal");
    if (lxe_json_u64(lxe_json_get(root, bad), &version) ||
        version != MIG_JOURNAL_VERSION || take_who(root, &j, &bad) ||
        take_changes(root, &j, &bad))
        rc = lxe_fail(err, -EINVAL, "a migration's journal with a bad '%s'",
                      bad);
    else
        *out = j;
    lxe_json_free(root);
    return rc;
}

/* ---- as files ---- */

static void file_name(const struct mig_journal *j, const char *suffix,
                      char out[PATH_TEXT])
{
    snprintf(out, PATH_TEXT, "%s-%d-%" PRIu64 "%s", role_names[j->role],
             (int)j->owner.pid, j->owner.start_ticks, suffix);
}

/* Only who we are may write it: a file there is believed. */
static int open_dir(const char *path, struct lxe_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return lxe_fail(err, -errno, "cannot open %s: %m", path);
    if (fstat(fd, &st) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH))) {
        close(fd);
        return lxe_fail(err, -EACCES, "%s can be written by others; remove"
                        " it", path);
    }
    return fd;
}

static int make_dir(const char *path, struct lxe_err *err)
{
    char parent[PATH_TEXT], *slash;

    snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        mkdir(parent, 0755); /* mkdir below says what is wrong */
    }
    if (mkdir(path, 0700) && errno != EEXIST)
        return lxe_fail(err, -errno, "cannot make %s: %m", path);
    return open_dir(path, err);
}

static int replace(int dir, const char *name, const char *temporary,
                   const char *text)
{
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
                    O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return -errno;
    rc = lxe_write_all(fd, text, strlen(text));
    if (!rc && fsync(fd))
        rc = -errno;
    close(fd);
    if (!rc && renameat(dir, temporary, dir, name))
        rc = -errno;
    if (!rc && fsync(dir))
        rc = -errno;
    if (rc)
        unlinkat(dir, temporary, 0);
    return rc;
}

int mig_journal_write(const char *dir, const struct mig_journal *j,
                      struct lxe_err *err)
{
    char text[MIG_JOURNAL_MAX_FILE], name[PATH_TEXT], temporary[PATH_TEXT];
    _cleanup_close_ int fd = make_dir(dir, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = mig_journal_format(j, text);
    file_name(j, ".json", name);
    file_name(j, ".new", temporary);
    if (!rc)
        rc = replace(fd, name, temporary, text);
    return rc ? lxe_fail(err, rc, "cannot write the journal %s/%s: %s", dir,
                         name, strerror(-rc))
              : 0;
}

void mig_journal_remove(const char *dir, const struct mig_journal *j)
{
    char name[PATH_TEXT], path[2 * PATH_TEXT];

    file_name(j, ".json", name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (unlink(path) && errno != ENOENT)
        lxe_warn("cannot remove the journal %s: %m", path);
}

static int read_file(int dir, const char *name, struct mig_journal *out,
                     struct lxe_err *err)
{
    char text[MIG_JOURNAL_MAX_FILE + 1];
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW |
                                    O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return lxe_fail(err, -errno, "cannot open it: %m");
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return lxe_fail(err, -EACCES, "not a file of ours");
    n = read(fd, text, sizeof(text));
    if (n < 0)
        return lxe_fail(err, -errno, "cannot read it: %m");
    if ((size_t)n > MIG_JOURNAL_MAX_FILE)
        return lxe_fail(err, -EINVAL, "too long for a journal");
    return mig_journal_parse(text, (size_t)n, out, err);
}

static bool is_journal(const char *name)
{
    size_t len = strlen(name);

    return len > 5 && !strcmp(name + len - 5, ".json");
}

/* Returns 0, or -ENOMEM. */
static int add(struct mig_journal_list *list, const struct mig_journal *j)
{
    struct mig_journal *items = realloc(list->items, (list->count + 1) *
                                                         sizeof(*items));

    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->count++] = *j;
    return 0;
}

/* What the file is not to blame for; it says nothing of the migration. */
static bool is_shortage(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;
}

static int read_entries(const char *path, DIR *dir,
                        struct mig_journal_list *out, struct lxe_err *err)
{
    struct dirent *entry;
    int rc = 0;

    while (!rc && out->count < MIG_JOURNAL_MAX && (entry = readdir(dir))) {
        struct mig_journal j;
        struct lxe_err why = { 0 };

        if (!is_journal(entry->d_name))
            continue;
        rc = read_file(dirfd(dir), entry->d_name, &j, &why);
        if (is_shortage(rc))
            return lxe_fail(err, rc, "%s/%s: %s", path, entry->d_name,
                            why.text);
        if (rc && rc != -ENOENT)
            lxe_warn("%s/%s: %s", path, entry->d_name, why.text);
        rc = rc ? 0 : add(out, &j);
    }
    return rc ? lxe_fail(err, rc, "out of memory") : 0;
}

int mig_journal_read_all(const char *path, struct mig_journal_list *out,
                         struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    int rc, fd = open_dir(path, &why);
    DIR *dir;

    *out = (struct mig_journal_list){ 0 };
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return lxe_fail(err, fd, "%s", why.text);
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return lxe_fail(err, -ENOMEM, "out of memory");
    }
    rc = read_entries(path, dir, out, err);
    closedir(dir);
    if (rc)
        mig_journal_list_free(out);
    return rc;
}

void mig_journal_list_free(struct mig_journal_list *list)
{
    free(list->items);
    *list = (struct mig_journal_list){ 0 };
}

static bool has_number(const struct mig_journal *j, const char *what)
{
    char domid[16];

    snprintf(domid, sizeof(domid), "%" PRIu32, j->domid);
    return !strcmp(what, domid);
}

static bool is_called(const struct mig_journal *j, const char *what)
{
    return !strcmp(what, j->name) || !strcasecmp(what, j->uuid);
}

static const struct mig_journal *
find(const struct mig_journal_list *list, const char *what,
     bool (*is_it)(const struct mig_journal *j, const char *what))
{
    const struct mig_journal *found = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct mig_journal *j = &list->items[i];

        if (j->role != MIG_JOURNAL_SOURCE || !is_it(j, what))
            continue;
        if (mig_journal_alive(j))
            return j;
        found = j;
    }
    return found;
}

const struct mig_journal *mig_journal_find(const struct mig_journal_list *list,
                                           const char *what)
{
    const struct mig_journal *found = find(list, what, has_number);

    return found ? found : find(list, what, is_called);
}

/* ---- one at a time ---- */

/* Of one guest; at the source one that was started anew is another. */
static bool is_rival(const struct mig_journal *j,
                     const struct mig_journal *ours)
{
    return j->role == ours->role && !strcmp(j->uuid, ours->uuid) &&
           (j->role == MIG_JOURNAL_TARGET || j->domid == ours->domid);
}

static int refuse(const struct mig_journal *rival, struct lxe_err *err)
{
    bool comes = rival->role == MIG_JOURNAL_TARGET;
    const char *to = comes ? "this host" : rival->to;

    if (mig_journal_alive(rival))
        return lxe_fail(err, -EBUSY, "%s is being migrated to %s already, by"
                        " process %d", rival->name, to,
                        (int)rival->owner.pid);
    return lxe_fail(err, -EBUSY, "the migration of %s to %s died, and is not"
                    " undone yet; try again, or 'aerostat-migrate --repair'",
                    rival->name, to);
}

static int check_alone(const char *dir, const struct mig_journal *ours,
                       struct lxe_err *err)
{
    struct mig_journal_list list;
    int rc = mig_journal_read_all(dir, &list, err);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < list.count; i++)
        if (is_rival(&list.items[i], ours))
            rc = refuse(&list.items[i], err);
    mig_journal_list_free(&list);
    return rc;
}

/* Held from the look to the writing: no order of the two alone would do. */
static int lock_beginning(const char *dir, struct lxe_err *err)
{
    _cleanup_close_ int dir_fd = make_dir(dir, err);
    int fd, rc;

    if (dir_fd < 0)
        return dir_fd;
    fd = openat(dir_fd, "begin.lock", O_RDWR | O_CREAT | O_NOFOLLOW |
                O_CLOEXEC, 0600);
    if (fd < 0)
        return lxe_fail(err, -errno, "cannot open %s/begin.lock: %m", dir);
    do
        rc = flock(fd, LOCK_EX);
    while (rc && errno == EINTR);
    if (!rc)
        return fd;
    rc = lxe_fail(err, -errno, "cannot lock %s/begin.lock: %m", dir);
    close(fd);
    return rc;
}

int mig_journal_begin(const char *dir, const struct mig_journal *j,
                      struct lxe_err *err)
{
    _cleanup_close_ int fd = lock_beginning(dir, err);
    int rc = fd < 0 ? fd : check_alone(dir, j, err);

    if (rc)
        return rc;
    rc = mig_journal_write(dir, j, err);
    if (rc)
        mig_journal_remove(dir, j);
    return rc;
}
