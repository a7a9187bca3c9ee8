/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory our save helper takes beside Xen's own, both as they were
 * built: at the suspend and at the end, when all that they need is there.
 * Their mappings of the guest do not count.
 */
#include "native.h"

#include <stdio.h>

#include "fx_migration.h"

static const struct {
    enum fx_saver saver;
    const char *name;
} savers[] = {
    { FX_SAVER_STOCK, "libxl-save-helper" },
    { FX_SAVER_BUILT, "aerostat-save-helper" },
};

static bool measure(enum fx_saver saver, unsigned mib,
                    struct fx_memory *out)
{
    static struct fx_outcome o;
    struct fx_migration m;

    bench_idle_guest(&m, mib);
    m.saver = saver;
    m.sink = true;
    m.writer_count = 1;
    m.writers[0] = (struct fx_writer_config){
        .pages_per_s = 10000, .pages = 8 * FX_PAGES_PER_MIB, .seed = 1,
    };
    if (!bench_run(&m, &o))
        return false;
    *out = o.save.memory;
    return true;
}

static bool one_row(size_t i, unsigned mib, struct lxe_jw *w)
{
    struct fx_memory memory;

    if (!measure(savers[i].saver, mib, &memory))
        return false;
    printf("%-22s %9u %12.1f %12.1f\n", savers[i].name, mib,
           (double)memory.own_kib / 1024,
           (double)memory.with_files_kib / 1024);
    lxe_jw_object(w);
    lxe_jw_str(w, "program", savers[i].name);
    lxe_jw_u64(w, "guest_mib", mib);
    lxe_jw_u64(w, "own_kib", memory.own_kib);
    lxe_jw_u64(w, "with_files_kib", memory.with_files_kib);
    lxe_jw_end_object(w);
    return true;
}

bool bench_memory(const struct bench_options *options, struct lxe_jw *w)
{
    static const unsigned sizes[] = { 64, 512 };
    bool good = true;

    if (!fx_have_stock()) {
        printf("Memory: left out, since Xen's helper or tests/libfakexen.so"
               " is not here\n\n");
        return true;
    }
    printf("Memory of the save helpers, MiB\n\n%-22s %9s %12s %12s\n", "",
           "guest", "its own", "with files");
    lxe_jw_key(w, "memory");
    lxe_jw_array(w);
    for (size_t s = 0; good && s < (options->quick ? 1u : 2u); s++)
        for (size_t i = 0; good && i < 2; i++)
            good = one_row(i, sizes[s], w);
    lxe_jw_end_array(w);
    printf("\n");
    return good;
}
