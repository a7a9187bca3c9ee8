/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a test program of fakexen is besides itself: started again with other
 * arguments it is the save helper, a bare xc_domain_save(), or a restorer.
 */
#ifndef FX_PROGRAM_H
#define FX_PROGRAM_H

/* To be called first in main(). Returns where it is the test itself. */
void fx_program_role(int argc, char **argv);

/* Where this program is. */
const char *fx_program_path(void);

/* The roles' arguments; the save helper's are libxl's own. */
#define FX_ROLE_PLAIN   "--fx-plain-save"
#define FX_ROLE_RESTORE "--fx-restore"

/* The exit status of a helper that left descriptors or threads behind. */
#define FX_EXIT_LEAK 97

/* migrate/helper_main.c's main(). */
int aerostat_save_helper_main(int argc, char **argv);

#endif
