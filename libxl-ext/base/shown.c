/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/shown.h"

void lxe_make_shown(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
        else if (*p < ' ' || *p == 0x7f)
            *p = '?';
    }
}
