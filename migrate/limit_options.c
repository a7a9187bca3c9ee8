/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "limit_options.h"

#include <string.h>

#define HELP_COLUMN 25

struct limit_option {
    const char *name;
    const char *arg;  /* what its value is called; NULL: it takes none */
    const char *help; /* lines, of which the last has no newline */
    bool unforeseen; /* a plan does not tell what comes of it */
};

static const struct limit_option all[] = {
    { "max-rate", "RATE", "send at most so much: 500Mbit, 60MB, none", false },
    { "min-rate", "RATE", "begin with so much (default 100Mbit)", false },
    { "rate-policy", "P", "clark (adapts) or fixed; default clark", false },
    { "max-downtime", "D", "stop when the rest fits (default 300ms)", false },
    { "downtime-limit-max", "D", "relax it so far, in steps, for a guest that\n"
      "does not get there", false },
    { "suspend-cost", "D", "what suspending takes of it (default 50ms)",
      false },
    { "suspend-pages", "N", "pages written meanwhile (default 300)", false },
    { "last-cost", "D", "of the last pass, beyond its pages (default 10ms)",
      false },
    { "stall-rounds", "N", "stop when N rounds brought nothing (default 5;\n"
      "0: go on)", false },
    { "max-rounds", "N", "stop after N rounds (default 30)", false },
    { "timeout", "D", "end pre-copy after so long", false },
    { "on-timeout", "WHAT", "force (stop and copy) or abort; default force",
      false },
    { "throttle", "WAY", "slow a guest that outruns the wire, by a cap or\n"
      "by short pauses: none, cap or pause; default none", true },
    { "throttle-max", "N", "by N percent at most (default 99)", true },
    { "no-skip", NULL, "send pages even if they are dirty again", false },
    { "compress", "LEVEL", "pack the guest's memory with zstd, 1 (fast) to\n"
      "19; 0: no; auto: where that pays at the rate\n"
      "allowed (default auto)", false },
    { "compress-window", "SIZE", "look back so far, up to 128M, for what a page\n"
      "held when it was sent before", false },
};

_Static_assert(sizeof(all) / sizeof(all[0]) == MIG_LIMIT_OPTIONS,
               "callers make room for so many");

static bool takes(enum mig_limit_set set, const struct limit_option *o)
{
    return set == MIG_LIMITS_ALL || !o->unforeseen;
}

void mig_limit_options_add(enum mig_limit_set set, const struct option *own,
                           size_t count, int value, struct option *out)
{
    memcpy(out, own, count * sizeof(*own));
    for (size_t i = 0; i < MIG_LIMIT_OPTIONS; i++)
        if (takes(set, &all[i]))
            out[count++] = (struct option){
                .name = all[i].name,
                .has_arg = all[i].arg ? required_argument : no_argument,
                .val = value,
            };
    out[count] = (struct option){ 0 };
}

int mig_limit_option_take(struct mig_limits *limits, const char *name,
                          const char *value, bool *is_cost,
                          struct lxe_err *err)
{
    *is_cost |= mig_limits_is_cost(name);
    if (!strcmp(name, "no-skip"))
        return mig_limits_set(limits, "skip", "no", err);
    return mig_limits_set(limits, name, value, err);
}

/* Its text begins at a column, or where the name ends beyond it. */
static void help(FILE *f, const struct limit_option *o)
{
    const char *line = o->help, *end;
    int at = fprintf(f, "      --%s%s%s", o->name, o->arg ? " " : "",
                     o->arg ? o->arg : "");

    for (; (end = strchr(line, '\n')); line = end + 1, at = 0)
        fprintf(f, "%*s%.*s\n", at < HELP_COLUMN ? HELP_COLUMN - at : 2, "",
                (int)(end - line), line);
    fprintf(f, "%*s%s\n", at < HELP_COLUMN ? HELP_COLUMN - at : 2, "", line);
}

void mig_limit_options_help(FILE *f)
{
    for (size_t i = 0; i < MIG_LIMIT_OPTIONS; i++)
        help(f, &all[i]);
}
