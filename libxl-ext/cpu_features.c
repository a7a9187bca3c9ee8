/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu_features.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Xen's header is a list for whoever includes it. */
struct feature {
    const char *name;
    unsigned bit;
};

#define XEN_CPUFEATURE(name, bit) { #name, bit },
static const struct feature features[] = {
#include <xen/arch-x86/cpufeatureset.h>
};
#undef XEN_CPUFEATURE

/* Not the host's to have: the guest's own, or about vCPUs. */
static const char *const passed_over[] = {
    "APIC", "HTT", "OSXSAVE", "HYPERVISOR", "X2APIC", "CMP_LEGACY", "OSPKE",
};

/*
 * AMD repeats bits of word 0 in word 2; a guest's leaves show them, and Xen
 * takes them out of a host's featureset.
 */
#define REPEATED_WORD 2
#define REPEATED_BITS 0x0183f3ffu

static const char *name_of(unsigned bit)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        if (features[i].bit == bit)
            return features[i].name;
    return NULL;
}

static bool is_passed_over(const char *name)
{
    for (size_t i = 0; name && i < sizeof(passed_over) / sizeof(char *); i++)
        if (!strcmp(name, passed_over[i]))
            return true;
    return false;
}

#define NAME_TEXT  40
#define SHOWN      8 /* names, at most */

/* Lower case, as the kernel and xl write it. */
static void write_name(unsigned bit, const char *name, char out[NAME_TEXT])
{
    if (!name)
        snprintf(out, NAME_TEXT, "word %u bit %u", bit / 32, bit % 32);
    else
        snprintf(out, NAME_TEXT, "%s", name);
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

static void append(char *text, size_t size, const char *name)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s%s", used ? " " : "", name);
}

unsigned lxe_cpu_missing(const struct lxe_cpu_features *guest,
                         const struct lxe_cpu_features *host, char *text,
                         size_t size)
{
    unsigned words = guest->count < host->count ? guest->count : host->count;
    unsigned missing = 0;
    char name[NAME_TEXT];

    text[0] = '\0';
    for (unsigned bit = 0; bit < 32 * words && words <= LXE_CPU_WORDS; bit++) {
        uint32_t lost = guest->words[bit / 32] & ~host->words[bit / 32];

        if (bit / 32 == REPEATED_WORD)
            lost &= ~REPEATED_BITS;
        if (!(lost >> bit % 32 & 1) || is_passed_over(name_of(bit)))
            continue;
        write_name(bit, name_of(bit), name);
        if (missing++ < SHOWN)
            append(text, size, name);
    }
    if (missing > SHOWN) {
        snprintf(name, sizeof(name), "+%u more", missing - SHOWN);
        append(text, size, name);
    }
    return missing;
}
