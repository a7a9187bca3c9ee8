/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket's mem.* methods; docs/control.md describes each. */
#ifndef AERO_CONTROL_MEM_H
#define AERO_CONTROL_MEM_H

#include "control_call.h"

extern const struct aero_method aero_mem_methods[];

#endif
