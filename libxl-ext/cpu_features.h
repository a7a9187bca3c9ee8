/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPU features a guest was given, and whether a host has them. A
 * featureset is Xen's: words of 32 bits, in the order that
 * xen/arch-x86/cpufeatureset.h gives, as xen-cpuid(8) shows them.
 */
#ifndef LXE_CPU_FEATURES_H
#define LXE_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"

#define LXE_CPU_WORDS 32 /* Xen 4.17 has 19 */

struct lxe_cpu_features {
    uint32_t words[LXE_CPU_WORDS];
    unsigned count; /* words that are known; 0: none */
};

/*
 * What a guest has and a host does not. Left out: bits that the guest sets
 * itself or that tell where a vCPU sits (OSXSAVE, OSPKE, APIC, HTT...), and
 * words that one of the two does not have.
 * @text  gets the names, "avx2 fma +3 more" where they are too many; "" if
 *        there are none
 * Returns how many. Pure.
 */
unsigned lxe_cpu_missing(const struct lxe_cpu_features *guest,
                         const struct lxe_cpu_features *host, char *text,
                         size_t size);

/* What guests of this type can be given here at most. Returns 0 or -EIO. */
int lxe_cpu_host(enum lxe_dom_type type, struct lxe_cpu_features *out,
                 struct lxe_err *err);

/* What a guest was given. Returns 0, -ESRCH or -EIO. */
int lxe_cpu_guest(uint32_t domid, struct lxe_cpu_features *out,
                  struct lxe_err *err);

#define LXE_XEN_VERSION 64

/* "4.17.3-pre" and such. Returns 0 or -EIO. */
int lxe_xen_version(char text[LXE_XEN_VERSION], struct lxe_err *err);

#endif
