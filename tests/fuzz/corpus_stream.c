/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds that fuzz_stream starts from into a folder: whole little
 * streams and single records, each behind the three bytes that it expects.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stream.h"
#include "synth_stream.h"
#include "unit.h"

static void save(const char *folder, const char *name, const char *lead,
                 struct synth *s)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (!f || fwrite(lead, 1, 3, f) != 3 ||
        fwrite(s->data, 1, s->len, f) != s->len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    synth_free(s);
}

int main(int argc, char **argv)
{
    const uint64_t mixed[] = {
        synth_entry(MIG_PAGE_NOTAB, 1), synth_entry(MIG_PAGE_XTAB, 2),
        synth_entry(MIG_PAGE_NOTAB, 3), synth_entry(MIG_PAGE_BROKEN, 4)};
    const uint64_t holes[] = {synth_entry(MIG_PAGE_XTAB, 2),
                              synth_entry(MIG_PAGE_XTAB, 3)};
    struct synth s = {0};
    uint64_t random = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    synth_hvm(&s, &random, 2);
    save(argv[1], "hvm", "\x0c\xaa\xff", &s);
    synth_hvm(&s, &random, 0);
    save(argv[1], "no-pages", "\x00\x00\x00", &s);
    synth_pages(&s, mixed, 4, 7);
    save(argv[1], "mixed", "\x0d\x0f\xff", &s);
    synth_pages(&s, holes, 2, 7);
    synth_record(&s, MIG_REC_END, NULL, 0);
    save(argv[1], "holes", "\x0d\x00\x01", &s);
    synth_record(&s, MIG_REC_X86_PV_INFO, "\x08\x04\0\0\0\0\0", 8);
    synth_pages(&s, (uint64_t[]){synth_entry(0x9, 1)}, 1, 7);
    save(argv[1], "pv", "\x0b\xff\xff", &s);
    return 0;
}
