/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * work: the workload of a test guest. It keeps an area of memory whose
 * content checks itself, rewrites parts of it at a given rate, and says once
 * a second how it fares. A page that was lost, torn or left behind in a
 * migration is found when it is next touched, or by "verify".
 *
 * Commands, one a line on stdin, or as arguments with ':' for the spaces:
 *
 *   grow MIB          the area becomes MIB large, page by page, as fast as
 *                     the guest has memory for it
 *   shrink MIB        the area becomes MIB large at once
 *   fill N            every Nth word of a page is written, from now on, before
 *                     the area grows (8: one a cache line, to leave time for
 *                     the guest; 2: pages that hardly pack)
 *   hot MIB RATE      rewrite the first MIB over and over, RATE MiB/s
 *   cache MIB         read MIB of /dev/xvda into the page cache, and keep it
 *                     open, since the last close would empty the cache
 *   read MIB          read pieces of the first MIB of /dev/xvda, at random
 *                     and as fast as it can, from now on; 0 ends it
 *   verify            check the whole area
 *   mem               say MemTotal, MemFree, MemAvailable, and the page cache
 *   sh COMMAND        run a shell command
 *
 * Output: "tick" lines, "grew MIB ms=N first=N waited=N" (since the command;
 * until the balloon gave the first MiB, or -1; and for how much of it there
 * was no memory), "hot MIB RATE", "cached MIB", "read KIB" once a second,
 * "mem ...", "VERIFY OK pages=N" or "VERIFY FAIL ...", and "downtime MS" after
 * a jump of the wall clock against the monotonic one, which is how long the
 * guest was suspended.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MIB_PAGES 256
#define MAX_PAGES ((size_t)1 << 20) /* 4 GiB */
#define WORDS_PER_PAGE (PAGE / sizeof(uint64_t))
#define WAKE_MS 20
#define GROW_PAGES_PER_S (16 * MIB_PAGES)
#define SWEEP_PAGES_PER_S (2 * MIB_PAGES)
#define KEEP_FREE_KIB 8192 /* growing waits below this, as malloc would not */
#define JUMP_NS 100000000ll
#define PIECE 65536 /* of the disk, read at once */

static uint64_t *area;       /* MAX_PAGES of address space */
static uint32_t *generation; /* what each page was last written with */
static size_t area_pages, wanted_pages, hot_pages, hot_pages_per_s;
static size_t next_hot, next_sweep;
static size_t fill_step = 8; /* words */
static int64_t grow_begin_ns, grow_first_ms, grow_waited_ns;
static unsigned long grow_total_kib; /* MemTotal when it began */
static size_t read_pieces;   /* of the disk, over and over; 0: none */
static uint64_t kib_read;
static uint64_t pages_written, errors;

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if (write(1, line, n) != n)
        _exit(1);
}

/* The word that belongs at @word of @page: all three go into each word. */
static uint64_t pattern(size_t page, uint32_t gen, size_t word)
{
    uint64_t x = ((uint64_t)page << 40) ^ ((uint64_t)gen << 10) ^ word;

    x *= 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

/* The first used words hold index and generation, for messages; the last the
 * sum of the others. */
static void write_page(size_t page)
{
    uint64_t *w = area + page * WORDS_PER_PAGE;
    uint32_t gen = ++generation[page];
    uint64_t sum = page + gen;
    size_t i;

    w[0] = page;
    w[1] = gen;
    for (i = fill_step; i < WORDS_PER_PAGE - 1; i += fill_step) {
        w[i] = pattern(page, gen, i);
        sum += w[i];
    }
    w[WORDS_PER_PAGE - 1] = sum;
    pages_written++;
}

static bool check_page(size_t page)
{
    const uint64_t *w = area + page * WORDS_PER_PAGE;
    uint32_t gen = generation[page];
    uint64_t sum = page + gen;
    bool good = w[0] == page && w[1] == gen;
    size_t i;

    for (i = fill_step; i < WORDS_PER_PAGE - 1; i += fill_step) {
        good &= w[i] == pattern(page, gen, i);
        sum += w[i];
    }
    good &= w[WORDS_PER_PAGE - 1] == sum;
    if (!good && ++errors <= 8)
        say("VERIFY FAIL page %zu is %llu generation %llu, expected %u", page,
            (unsigned long long)w[0], (unsigned long long)w[1], gen);
    return good;
}

static void verify(void)
{
    size_t page, bad = 0;

    for (page = 0; page < area_pages; page++)
        bad += !check_page(page);
    if (bad)
        say("VERIFY FAIL pages=%zu bad=%zu errors=%llu", area_pages, bad,
            (unsigned long long)errors);
    else
        say("VERIFY OK pages=%zu errors=%llu", area_pages,
            (unsigned long long)errors);
}

static unsigned long meminfo_kib(const char *key)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
            kib = strtoul(line + strlen(key) + 1, NULL, 10);
    }
    if (f)
        fclose(f);
    return kib;
}

static void say_mem(void)
{
    say("mem MemTotal=%lu MemFree=%lu MemAvailable=%lu Cached=%lu",
        meminfo_kib("MemTotal"), meminfo_kib("MemFree"),
        meminfo_kib("MemAvailable"),
        meminfo_kib("Cached") + meminfo_kib("Buffers"));
}

static void shrink(size_t pages)
{
    if (pages < area_pages) {
        madvise(area + pages * WORDS_PER_PAGE, (area_pages - pages) * PAGE,
                MADV_DONTNEED);
        area_pages = pages;
    }
    wanted_pages = pages;
    if (hot_pages > area_pages)
        hot_pages = area_pages;
    say("shrunk %zu", area_pages / MIB_PAGES);
}

/* Reads one piece of the disk into the page cache; returns its bytes. */
static size_t read_piece(size_t at)
{
    static char buf[PIECE];
    static int fd = -1;
    ssize_t n;

    if (fd < 0)
        fd = open("/dev/xvda", O_RDONLY | O_CLOEXEC);
    n = pread(fd, buf, sizeof(buf), at);
    return n > 0 ? (size_t)n : 0;
}

static void cache(size_t mib)
{
    size_t done = 0, n;

    while (done < mib << 20 && (n = read_piece(done)) > 0)
        done += n;
    say("cached %zu", done >> 20);
}

/*
 * At random, so that what is found in the cache is its share of the set; in
 * the order of the disk the cache would be of no use until all of it fits.
 */
static void read_for(int64_t ns)
{
    static uint64_t x = 88172645463325252ull; /* xorshift64 */
    int64_t end = clock_ns(CLOCK_MONOTONIC) + ns;

    while (read_pieces > 0 && clock_ns(CLOCK_MONOTONIC) < end) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        kib_read += read_piece(x % read_pieces * PIECE) / 1024;
    }
}

static size_t mib_arg(const char *text)
{
    unsigned long mib = text ? strtoul(text, NULL, 10) : 0;

    return mib * MIB_PAGES > MAX_PAGES ? MAX_PAGES : mib * MIB_PAGES;
}

static void grow(size_t pages)
{
    wanted_pages = pages;
    grow_begin_ns = clock_ns(CLOCK_MONOTONIC);
    grow_total_kib = meminfo_kib("MemTotal");
    grow_first_ms = -1;
    grow_waited_ns = 0;
}

/* What is there already would not check any more. */
static void fill(size_t words)
{
    if (!area_pages && words >= 2 && words < WORDS_PER_PAGE)
        fill_step = words;
    say("fill %zu", fill_step);
}

static void hot(size_t pages, size_t pages_per_s)
{
    hot_pages = pages < wanted_pages ? pages : wanted_pages;
    hot_pages_per_s = pages_per_s;
    say("hot %zu %zu", hot_pages / MIB_PAGES, pages_per_s / MIB_PAGES);
}

static void command(char *line)
{
    static const char blank[] = " :\r\n";
    char *rest, *verb = strtok_r(line, blank, &rest);
    char *one;

    if (!verb)
        return;
    if (!strcmp(verb, "sh")) {
        say("sh exit %d", system(rest));
        return;
    }
    one = strtok_r(NULL, blank, &rest);
    if (!strcmp(verb, "grow"))
        grow(mib_arg(one));
    else if (!strcmp(verb, "shrink"))
        shrink(mib_arg(one));
    else if (!strcmp(verb, "fill"))
        fill(strtoul(one ? one : "", NULL, 10));
    else if (!strcmp(verb, "hot"))
        hot(mib_arg(one), mib_arg(strtok_r(NULL, blank, &rest)));
    else if (!strcmp(verb, "cache"))
        cache(mib_arg(one) / MIB_PAGES);
    else if (!strcmp(verb, "read"))
        read_pieces = (mib_arg(one) / MIB_PAGES << 20) / PIECE;
    else if (!strcmp(verb, "verify"))
        verify();
    else if (!strcmp(verb, "mem"))
        say_mem();
    else
        say("unknown command %s", verb);
}

/* Returns false at the end of the input. */
static bool read_commands(void)
{
    static char buf[1024];
    static size_t used;
    ssize_t n = read(0, buf + used, sizeof(buf) - used);
    char *end;

    if (n <= 0)
        return false;
    used += n;
    while ((end = memchr(buf, '\n', used))) {
        size_t len = end - buf + 1;

        *end = '\0';
        command(buf);
        memmove(buf, buf + len, used - len);
        used -= len;
    }
    if (used == sizeof(buf))
        used = 0;
    return true;
}

/*
 * Pages are touched in the order of the area and checked before they are
 * written. Looking at MemAvailable once a MiB keeps the growth from the OOM
 * killer: the guest waits for its balloon as a patient program would.
 */
static void grow_some(size_t pages, int64_t ns)
{
    int64_t took_ms = (clock_ns(CLOCK_MONOTONIC) - grow_begin_ns) / 1000000;

    if (area_pages >= wanted_pages)
        return;
    if (grow_first_ms < 0 &&
        meminfo_kib("MemTotal") >= grow_total_kib + 1024)
        grow_first_ms = took_ms;
    while (pages-- > 0 && area_pages < wanted_pages) {
        if (area_pages % MIB_PAGES == 0 &&
            meminfo_kib("MemAvailable") < KEEP_FREE_KIB) {
            grow_waited_ns += ns;
            return;
        }
        generation[area_pages] = 0;
        write_page(area_pages++);
    }
    if (area_pages >= wanted_pages)
        say("grew %zu ms=%lld first=%lld waited=%lld",
            area_pages / MIB_PAGES, (long long)took_ms,
            (long long)grow_first_ms, (long long)(grow_waited_ns / 1000000));
}

static void heat_some(size_t pages)
{
    size_t end = hot_pages < area_pages ? hot_pages : area_pages;

    while (end > 0 && pages-- > 0) {
        next_hot %= end;
        check_page(next_hot);
        write_page(next_hot++);
    }
}

/* Reads the area from end to end, slowly: it is all in use. */
static void sweep_some(size_t pages)
{
    while (area_pages > 0 && pages-- > 0) {
        next_sweep %= area_pages;
        check_page(next_sweep++);
    }
}

/* How many of @per_s are due after @ns, at most a quarter second's worth. */
static size_t due(size_t per_s, int64_t ns, int64_t *carry)
{
    int64_t n;

    if (ns > 250000000)
        ns = 250000000;
    *carry += ns * (int64_t)per_s;
    n = *carry / 1000000000;
    *carry -= n * 1000000000;
    return n;
}

static void work_for(int64_t ns)
{
    static int64_t carry_grow, carry_hot, carry_sweep;

    grow_some(due(GROW_PAGES_PER_S, ns, &carry_grow), ns);
    heat_some(due(hot_pages_per_s, ns, &carry_hot));
    sweep_some(due(SWEEP_PAGES_PER_S, ns, &carry_sweep));
}

/* CLOCK_MONOTONIC stands still while the guest is suspended. */
static void watch_clocks(int64_t wall, int64_t mono)
{
    static int64_t offset;
    int64_t jump = offset ? wall - mono - offset : 0;

    offset = wall - mono;
    if (jump > JUMP_NS || jump < -JUMP_NS)
        say("downtime %lld", (long long)(jump / 1000000));
}

static void tick(int64_t wall, int64_t gap_ns)
{
    static int64_t second;
    static uint64_t written_before;
    static int64_t worst;

    if (gap_ns > worst)
        worst = gap_ns;
    if (wall / 1000000000 == second)
        return;
    second = wall / 1000000000;
    say("tick %lld.%03lld pages=%llu gap=%lld errors=%llu area=%zu",
        (long long)second, (long long)(wall / 1000000 % 1000),
        (unsigned long long)(pages_written - written_before),
        (long long)(worst / 1000000), (unsigned long long)errors,
        area_pages / MIB_PAGES);
    written_before = pages_written;
    worst = 0;
    if (read_pieces > 0)
        say("read %llu", (unsigned long long)kib_read);
    kib_read = 0;
}

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        err(1, "%zu bytes of address space", bytes);
    return p;
}

int main(int argc, char **argv)
{
    struct pollfd p = { .fd = 0, .events = POLLIN };
    int64_t last_wall = clock_ns(CLOCK_REALTIME);
    int64_t last_mono = clock_ns(CLOCK_MONOTONIC);
    int i;

    area = reserve(MAX_PAGES * PAGE);
    generation = reserve(MAX_PAGES * sizeof(*generation));
    for (i = 1; i < argc; i++)
        command(argv[i]);
    for (;;) {
        int64_t wall, mono;

        read_for(WAKE_MS * 1000000);
        if (poll(&p, 1, read_pieces ? 0 : WAKE_MS) > 0 && !read_commands())
            p.fd = -1;
        wall = clock_ns(CLOCK_REALTIME);
        mono = clock_ns(CLOCK_MONOTONIC);
        watch_clocks(wall, mono);
        tick(wall, wall - last_wall);
        work_for(mono - last_mono);
        last_wall = wall;
        last_mono = mono;
    }
}
