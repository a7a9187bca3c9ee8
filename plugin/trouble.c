/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

void aero_trouble_note(struct aero_trouble *t, const char *text)
{
    t->count++;
    if (t->text[0])
        return;
    snprintf(t->text, sizeof(t->text), "%s", text);
    if (strcmp(t->text, t->before))
        lxe_warn("%s; will try again", t->text);
}
