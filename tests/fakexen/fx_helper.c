/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The save helper, whole, as a function of a test program. */
#include "fx_program.h"

#define main aerostat_save_helper_main
#include "../../migrate/helper_main.c"
