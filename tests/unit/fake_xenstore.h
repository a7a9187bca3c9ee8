/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstored within the test program: its functions take the place of
 * libxenstore's. It counts what it is asked, and fires watches as xenstored
 * does: once when they are set, for each write in or below them, and for what
 * goes with its directory.
 */
#ifndef AEROSTAT_TESTS_FAKE_XENSTORE_H
#define AEROSTAT_TESTS_FAKE_XENSTORE_H

#include <stdbool.h>

/* Requests since the program began; taking in events is none. */
extern unsigned fake_xs_requests;

/* So many watches can be set still. */
extern unsigned fake_xs_watches_left;

/* Writes a key as somebody else, or removes one and all below it. */
void fake_xs_set(const char *path, const char *value);
void fake_xs_remove(const char *path);

/* What a key holds; NULL where it is not there. */
const char *fake_xs_get(const char *path);

/* An event of "@introduceDomain" or "@releaseDomain". */
void fake_xs_special(const char *name);

/* It is killed, and back with all its keys: connections and watches are lost,
 * but for new ones. */
void fake_xs_restart(void);

/* Ends the connections that have watches, and no others. */
void fake_xs_cut_watchers(void);

#endif
