/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's memory files, parsed for the agent. */
#include "agent_stats.h"

#include <errno.h>
#include <string.h>

#include "base/u64.h"
#include "guest_keys.h"

/* The number behind a word at a line's start and blanks, or LXE_UNKNOWN. */
static uint64_t number_after(const char *text, const char *word)
{
    size_t len = strlen(word);
    uint64_t value;

    while (text && strncmp(text, word, len)) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return LXE_UNKNOWN;
    text += len;
    text += strspn(text, " ");
    if (lxe_keys_parse_number(text, strspn(text, "0123456789"),
                              UINT64_MAX - 1, &value))
        return LXE_UNKNOWN;
    return value;
}

int aero_stats_meminfo(const char *text, struct lxe_guest_report *report)
{
    uint64_t total = number_after(text, "MemTotal:");
    uint64_t available = number_after(text, "MemAvailable:");
    uint64_t swap = number_after(text, "SwapTotal:");
    uint64_t swap_free = number_after(text, "SwapFree:");

    if (total == LXE_UNKNOWN || available == LXE_UNKNOWN || total == 0)
        return -EINVAL;
    /*
     * Where the balloon is shrinking the two are not of one instant, and the
     * kernel's estimate may pass the total.
     */
    if (available > total)
        available = total;
    report->total_kib = total;
    report->available_kib = available;
    report->used_kib = total - available;
    report->swap_used_kib = report->swap_free_kib = LXE_UNKNOWN;
    if (swap != LXE_UNKNOWN && swap_free <= swap) {
        report->swap_used_kib = swap - swap_free;
        report->swap_free_kib = swap_free;
    }
    return 0;
}

void aero_stats_vmstat(const char *text, struct lxe_guest_report *report)
{
    uint64_t anon = number_after(text, "workingset_refault_anon ");
    uint64_t file = number_after(text, "workingset_refault_file ");

    if (anon == LXE_UNKNOWN || file == LXE_UNKNOWN) /* before Linux 5.9 */
        report->refaults = number_after(text, "workingset_refault ");
    else
        report->refaults = anon + file;
    report->swapins = number_after(text, "pswpin ");
}

/* "some avg10=1.05 avg60=...": the kernel prints two decimals, always. */
void aero_stats_pressure(const char *text, struct lxe_guest_report *report)
{
    static const char some[] = "some avg10=";
    uint64_t whole, hundredths;
    size_t digits;

    report->psi_some_x100 = LXE_UNKNOWN;
    if (strncmp(text, some, sizeof(some) - 1))
        return;
    text += sizeof(some) - 1;
    digits = strspn(text, "0123456789");
    if (lxe_keys_parse_number(text, digits, 100, &whole) ||
        text[digits] != '.' ||
        strspn(text + digits + 1, "0123456789") != 2 ||
        lxe_keys_parse_number(text + digits + 1, 2, 99, &hundredths))
        return;
    whole = whole * 100 + hundredths;
    report->psi_some_x100 = whole > LXE_KEYS_MAX_PSI ? LXE_KEYS_MAX_PSI : whole;
}

static bool apart(uint64_t a, uint64_t b, uint64_t step)
{
    return (a == LXE_UNKNOWN) != (b == LXE_UNKNOWN) ||
           (a > b ? a - b : b - a) >= step;
}

bool aero_stats_differ(const struct lxe_guest_report *last,
                       const struct lxe_guest_report *now)
{
    uint64_t left = lxe_min(now->available_kib, last->available_kib);
    uint64_t step = lxe_min(AERO_STATS_MEMORY_STEP_KIB,
                            left / AERO_STATS_MEMORY_PART);

    return apart(last->total_kib, now->total_kib, step + 1) ||
           apart(last->available_kib, now->available_kib, step + 1) ||
           apart(last->psi_some_x100, now->psi_some_x100,
                 AERO_STATS_PSI_STEP_X100);
}
