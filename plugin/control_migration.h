/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket's migration.* methods; docs/control.md describes each. */
#ifndef AERO_CONTROL_MIGRATION_H
#define AERO_CONTROL_MIGRATION_H

#include "control_call.h"

extern const struct aero_method aero_migration_methods[];

#endif
