/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migration has changed and would have to undo, written down before it
 * changes it, so that somebody else can undo it if the migration is killed.
 *
 * One file a migration, AEROSTAT_RUNDIR/migrations/ROLE-PID-START.json, in a
 * directory that only root may write. It is replaced whole (write, fsync,
 * rename), removed at the end, and believed only while its process is dead:
 * repair.h says what is done then. Files are checked as any input is.
 */
#ifndef MIG_JOURNAL_H
#define MIG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "host.h"

#define MIG_JOURNAL_DIR      AEROSTAT_RUNDIR "/migrations"
#define MIG_JOURNAL_VERSION  1
#define MIG_JOURNAL_MAX_FILE 4096 /* bytes */
#define MIG_JOURNAL_MAX      256  /* files that are looked at */
#define MIG_JOURNAL_NO_CAP   UINT32_MAX

enum mig_journal_role {
    MIG_JOURNAL_SOURCE,
    MIG_JOURNAL_TARGET,
};

/* Who has the guest if the migration ends now. */
enum mig_journal_state {
    MIG_JOURNAL_OPEN,      /* the source: all can be undone */
    MIG_JOURNAL_COMMITTED, /* perhaps the target: it may run there */
    MIG_JOURNAL_MOVED,     /* the target said that it runs there */
};

/* A process, told from a later one with its number. pid 0: none. */
struct mig_process {
    pid_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat */
};

struct mig_journal {
    enum mig_journal_role role;
    enum mig_journal_state state;
    struct mig_process owner;  /* aerostat-migrate or aerostat-receive */
    struct mig_process helper; /* source: the save helper; target: xl */
    uint32_t domid;            /* target: 0 until it is known */
    char uuid[LXE_UUID_TEXT];
    char name[LXE_DOM_NAME];
    char to[256];              /* source: as the user named the target */
    char stage[32];            /* for people */

    /* Source: what may have been changed, and how it was. */
    uint64_t original_target_kib; /* LXE_UNKNOWN: it was not touched */
    uint32_t original_cap;        /* percent; MIG_JOURNAL_NO_CAP likewise */
    bool saving;    /* may be log-dirty or suspended */
    bool may_pause; /* we may have paused it, to slow it down */
    bool renamed;   /* may be called NAME--migratedaway */
};

struct mig_journal_list {
    struct mig_journal *items;
    size_t count;
};

/* A journal in which nothing has been changed, and whose owner we are. */
void mig_journal_init(struct mig_journal *j, enum mig_journal_role role);

/* Fills in the start of a process. Returns 0 or -ESRCH. */
int mig_process_find(pid_t pid, struct mig_process *out);

/* Whether that very process is there and no zombie. */
bool mig_process_alive(const struct mig_process *p);

/* Whether the migration goes on: its owner lives, or xl at the target does. */
bool mig_journal_alive(const struct mig_journal *j);

/* Pure: whether both are of one migration, whatever they say of it. */
bool mig_journal_same(const struct mig_journal *a,
                      const struct mig_journal *b);

/* Pure. Returns 0 or -ENOMEM. */
int mig_journal_format(const struct mig_journal *j,
                       char text[MIG_JOURNAL_MAX_FILE]);

/* Pure. Returns 0; -EINVAL with a message that names the member; -ENOMEM. */
int mig_journal_parse(const char *text, size_t len, struct mig_journal *out,
                      struct lxe_err *err);

/*
 * Writes its file, whole or not at all; makes the directory.
 * @dir  MIG_JOURNAL_DIR, or another in tests
 * Returns 0 or a negative errno.
 */
int mig_journal_write(const char *dir, const struct mig_journal *j,
                      struct lxe_err *err);

/* Removes its file; one that is not there is no error. */
void mig_journal_remove(const char *dir, const struct mig_journal *j);

/*
 * Reads all files. One that cannot be read or believed is logged and left out
 * (and left there). No directory is an empty list.
 * Returns 0; -EACCES where others could write the directory; -ENOMEM, -EMFILE
 * or -ENFILE, since a list that lacks a journal for that would be wrong.
 */
int mig_journal_read_all(const char *dir, struct mig_journal_list *out,
                         struct lxe_err *err);
void mig_journal_list_free(struct mig_journal_list *list);

/*
 * The journal at the source for what a person typed (domid, name or UUID), or
 * NULL. A number is a domid where a journal has it, as for xl. One whose
 * migration goes on is preferred.
 */
const struct mig_journal *mig_journal_find(const struct mig_journal_list *list,
                                           const char *what);

/*
 * Writes the first journal of a migration from here, or to here, unless there
 * is one of the same guest already: one that goes on, or one that died and is
 * not undone yet, whose repair would turn our log-dirty mode off, or destroy
 * what we receive. Of two that begin at once one is refused.
 * Returns 0; -EBUSY with a message that says whose it is; or as
 * mig_journal_write() and mig_journal_read_all(). Nothing is left then.
 */
int mig_journal_begin(const char *dir, const struct mig_journal *j,
                      struct lxe_err *err);

#endif
