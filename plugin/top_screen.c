/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "top_screen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before the headers that call macros by common names. */
#include "cli_text.h"
#include "host.h"

#define NCURSES_NOMACROS
#include <curses.h>
#include <term.h>

#define LEAST_COLUMNS 40
#define LEAST_LINES   8
#define BAR_MAX       400
#define NAME_MIN      12
#define NAME_MAX      28

/* Lines above and below the rows. */
#define TOP_LINES    4
#define BOTTOM_LINES 3

static SCREEN *terminal;
static bool coloured;

/* Apart for those who do not tell red from green: blue, yellow, and bold. */
enum { PAIR_USED = 1, PAIR_HAS, PAIR_WARN };

static const struct {
    const char *title;
    int width;
    char key;
} fields[AERO_TOP_ORDERS] = {
    [AERO_TOP_ID] = { "ID", 5, 'i' },
    [AERO_TOP_NAME] = { "DOMAIN", NAME_MIN, 'n' },
    [AERO_TOP_STATE] = { "STATE", 9, 's' },
    [AERO_TOP_HAS] = { "HAS", 7, 'm' },
    [AERO_TOP_TARGET] = { "TARGET", 7, 't' },
    [AERO_TOP_DEMAND] = { "DEMAND", 7, 'd' },
    [AERO_TOP_USED] = { "USED", 7, 'u' },
};

/* In which order they stand on the screen. */
static const enum aero_top_order shown[] = {
    AERO_TOP_NAME, AERO_TOP_ID,     AERO_TOP_STATE, AERO_TOP_HAS,
    AERO_TOP_TARGET, AERO_TOP_DEMAND, AERO_TOP_USED,
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* ---- the terminal ---- */

static int can_draw(struct lxe_err *err)
{
    const char *name = getenv("TERM");
    const char *cup;
    bool movable;
    int found;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return lxe_fail(err, -ENOTTY, "mem-top needs a terminal; --batch"
                        " prints to anything");
    if (setupterm(NULL, STDOUT_FILENO, &found) != OK)
        return lxe_fail(err, -ENOTTY, "the terminal '%.40s' is not known"
                        " here (TERM); --batch needs none",
                        name ? name : "");
    cup = tigetstr("cup");
    movable = cup && cup != (char *)-1;
    del_curterm(cur_term); /* newterm() makes its own */
    if (!movable)
        return lxe_fail(err, -ENOTTY, "the terminal '%.40s' cannot move its"
                        " cursor; --batch does not need that",
                        name ? name : "");
    return 0;
}

static void set_colours(void)
{
    const char *none = getenv("NO_COLOR");

    coloured = has_colors() && !(none && *none);
    if (!coloured)
        return;
    start_color();
    use_default_colors();
    init_pair(PAIR_USED, COLOR_BLUE, -1);
    init_pair(PAIR_HAS, COLOR_CYAN, -1);
    init_pair(PAIR_WARN, COLOR_YELLOW, -1);
}

int aero_screen_open(struct lxe_err *err)
{
    int rc = can_draw(err);

    if (rc)
        return rc;
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return lxe_fail(err, -ENOTTY, "cannot use this terminal; --batch"
                        " needs none");
    set_term(terminal);
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    set_colours();
    return 0;
}

void aero_screen_close(void)
{
    if (!terminal)
        return;
    endwin();
    delscreen(terminal);
    terminal = NULL;
}

/* ---- drawing ---- */

static void colour(int pair, bool on)
{
    attr_t attributes = pair == PAIR_HAS ? A_NORMAL : A_BOLD;

    if (coloured)
        attributes |= (attr_t)COLOR_PAIR(pair);
    if (on)
        attron((int)attributes);
    else
        attroff((int)attributes);
}

/* Writes an escaped text into that many columns, at most to the edge. */
static void put(int y, int x, int width, const char *text)
{
    size_t room = x + width <= COLS ? (size_t)width
                                    : (size_t)(x < COLS ? COLS - x : 0);
    size_t fit = aero_text_fit(text, room);
    const char *mark = text[fit] ? aero_text_ellipsis() : "";
    size_t mark_width = aero_text_width(mark);

    if (!room)
        return;
    /* A size of which one digit is left would be read as another size. */
    if (*mark)
        fit = room > mark_width ? aero_text_fit(text, room - mark_width) : 0;
    mvaddnstr(y, x, text, (int)fit);
    addnstr(mark, (int)aero_text_fit(mark, room));
}

static void put_right(int y, int x, int width, const char *text)
{
    int len = (int)aero_text_width(text);

    put(y, len < width ? x + width - len : x, width, text);
}

static const char *size(uint64_t kib, char buf[AERO_SIZE_TEXT])
{
    return kib == LXE_UNKNOWN ? "-" : aero_text_size(buf, kib);
}

static int name_width(void)
{
    int spare = COLS - 80;

    if (spare <= 0)
        return NAME_MIN;
    return NAME_MIN + spare / 3 < NAME_MAX ? NAME_MIN + spare / 3 : NAME_MAX;
}

static int width_of(enum aero_top_order column)
{
    return column == AERO_TOP_NAME ? name_width() : fields[column].width;
}

static void draw_bar(int y, int x, const char *bar)
{
    for (; *bar; bar++, x++) {
        int pair = *bar == AERO_CELL_USED  ? PAIR_USED
                   : *bar == AERO_CELL_HAS ? PAIR_HAS
                                           : 0;
        bool strong = *bar == AERO_CELL_TARGET || *bar == AERO_CELL_MIN;

        if (pair)
            colour(pair, true);
        if (strong)
            attron(A_BOLD);
        mvaddch(y, x, (chtype)(unsigned char)*bar);
        attroff(A_BOLD);
        if (pair)
            colour(pair, false);
    }
}

static size_t bar_cells(int x)
{
    int cells = COLS - x;

    return cells < 4 ? 0 : cells < BAR_MAX ? (size_t)cells : BAR_MAX;
}

static void draw_host(const struct aero_top *top)
{
    char n[4][AERO_SIZE_TEXT], line[256], bar[BAR_MAX + 1];

    snprintf(line, sizeof(line), "Host %s: %s of %s free, %s to spare, %s"
             " reserved, %zu guests", top->state ? top->state : "-",
             size(top->free_kib, n[0]), size(top->total_kib, n[1]),
             size(top->spare_kib, n[2]), size(top->reserved_kib, n[3]),
             top->count);
    put(0, 0, COLS, line);
    aero_top_host_bar(top, bar_cells(0), bar);
    draw_bar(1, 0, bar);
}

/* What is wrong goes before what the daemon warns of. */
static void draw_warning(const struct aero_top *top, const char *trouble)
{
    const char *text = trouble;

    if (!text && top->warning_count)
        text = top->warnings[0];
    if (!text)
        return;
    colour(PAIR_WARN, true);
    put(2, 0, 2, "! ");
    put(2, 2, COLS - 2, text);
    colour(PAIR_WARN, false);
}

static void draw_titles(const struct aero_screen *s)
{
    int x = 0;

    attron(A_REVERSE);
    mvhline(3, 0, ' ', COLS);
    for (size_t i = 0; i < SHOWN; i++) {
        enum aero_top_order c = shown[i];
        bool left = c == AERO_TOP_NAME || c == AERO_TOP_STATE;

        if (c == s->order)
            attron(A_BOLD | A_UNDERLINE);
        if (left)
            put(3, x, width_of(c), fields[c].title);
        else
            put_right(3, x, width_of(c), fields[c].title);
        attroff(A_BOLD | A_UNDERLINE);
        attron(A_REVERSE);
        x += width_of(c) + 1;
    }
    put(3, x, COLS - x, "0 .. MAX");
    attroff(A_REVERSE);
}

static const char *cell_text(const struct aero_top_guest *g,
                             enum aero_top_order column,
                             char buf[AERO_SIZE_TEXT])
{
    switch (column) {
    case AERO_TOP_NAME:
        return g->name;
    case AERO_TOP_STATE:
        return g->state;
    case AERO_TOP_HAS:
        return size(g->current_kib, buf);
    case AERO_TOP_TARGET:
        return size(g->target_kib, buf);
    case AERO_TOP_DEMAND:
        return size(g->demand_kib, buf);
    case AERO_TOP_USED:
        return size(g->used_kib, buf);
    case AERO_TOP_ID:
    case AERO_TOP_ORDERS:
        break;
    }
    if (g->domid == LXE_UNKNOWN)
        return "-";
    snprintf(buf, AERO_SIZE_TEXT, "%" PRIu64, g->domid);
    return buf;
}

static bool needs_looking_at(const struct aero_top_guest *g)
{
    return !strcmp(g->state, "stuck") || !strcmp(g->state, "slow") ||
           !strcmp(g->state, "foreign");
}

static void draw_guest(const struct aero_screen *s, int y,
                       const struct aero_top_guest *g)
{
    char bar[BAR_MAX + 1], buf[AERO_SIZE_TEXT];
    int x = 0;

    if (g->domid == s->selected)
        attron(A_REVERSE);
    for (size_t i = 0; i < SHOWN; i++) {
        enum aero_top_order c = shown[i];
        bool warn = c == AERO_TOP_STATE && needs_looking_at(g);
        const char *text = cell_text(g, c, buf);

        if (warn)
            colour(PAIR_WARN, true);
        if (c == AERO_TOP_NAME || c == AERO_TOP_STATE)
            put(y, x, width_of(c), text);
        else
            put_right(y, x, width_of(c), text);
        if (warn)
            colour(PAIR_WARN, false);
        x += width_of(c) + 1;
    }
    attroff(A_REVERSE);
    aero_top_bar(g, bar_cells(x), bar);
    draw_bar(y, x, bar);
}

static size_t index_of(const struct aero_top *top, uint64_t domid)
{
    for (size_t i = 0; i < top->count; i++)
        if (top->guests[i].domid == domid)
            return i;
    return 0;
}

/* Keeps the selected row on the screen. */
static void scroll_to(struct aero_screen *s, const struct aero_top *top)
{
    size_t at = index_of(top, s->selected);

    s->rows = (size_t)(LINES - TOP_LINES - BOTTOM_LINES);
    if (top->count)
        s->selected = top->guests[at].domid;
    if (at < s->first)
        s->first = at;
    if (at >= s->first + s->rows)
        s->first = at - s->rows + 1;
    if (s->first + s->rows > top->count)
        s->first = top->count > s->rows ? top->count - s->rows : 0;
}

static void draw_bottom(const struct aero_screen *s,
                        const struct aero_top *top)
{
    const struct aero_top_guest *g =
        top->count ? &top->guests[index_of(top, s->selected)] : NULL;
    int width = g ? (int)aero_text_width(g->name) : 0;

    if (width > COLS / 2)
        width = COLS / 2;
    if (g) {
        attron(A_BOLD);
        put(LINES - 3, 0, width, g->name);
        attroff(A_BOLD);
        put(LINES - 3, width, 2, ": ");
        put(LINES - 3, width + 2, COLS - width - 2, g->reason);
    }
    put(LINES - 2, 0, COLS, "# used  = has  . may have  [ min  | target");
    put(LINES - 1, 0, COLS, "q quit  r reverse  sort by: i(d) n(ame) s(tate)"
                            " m(emory) t(arget) d(emand) u(sed)");
}

void aero_screen_draw(struct aero_screen *s, struct aero_top *top,
                      const char *trouble)
{
    erase();
    if (COLS < LEAST_COLUMNS || LINES < LEAST_LINES) {
        put(0, 0, COLS, "too small: 40x8 at least");
        refresh();
        return;
    }
    aero_top_sort(top, s->order, s->reversed);
    scroll_to(s, top);
    draw_host(top);
    draw_warning(top, trouble);
    draw_titles(s);
    for (size_t i = 0; i < s->rows && s->first + i < top->count; i++)
        draw_guest(s, TOP_LINES + (int)i, &top->guests[s->first + i]);
    draw_bottom(s, top);
    refresh();
}

/* ---- keys ---- */

static void move_by(struct aero_screen *s, const struct aero_top *top,
                    long by)
{
    long at = (long)index_of(top, s->selected) + by;

    if (!top->count)
        return;
    if (at < 0)
        at = 0;
    if (at >= (long)top->count)
        at = (long)top->count - 1;
    s->selected = top->guests[at].domid;
}

static bool obey_letter(struct aero_screen *s, int key)
{
    for (int i = 0; i < AERO_TOP_ORDERS; i++) {
        if (fields[i].key != key)
            continue;
        s->reversed = false;
        s->order = (enum aero_top_order)i;
    }
    if (key == 'r')
        s->reversed = !s->reversed;
    return key != 'q' && key != 'Q';
}

static bool obey(struct aero_screen *s, const struct aero_top *top, int key)
{
    switch (key) {
    case KEY_UP:
    case 'k':
        move_by(s, top, -1);
        return true;
    case KEY_DOWN:
    case 'j':
        move_by(s, top, 1);
        return true;
    case KEY_PPAGE:
        move_by(s, top, -(long)s->rows);
        return true;
    case KEY_NPAGE:
        move_by(s, top, (long)s->rows);
        return true;
    case KEY_HOME:
        move_by(s, top, -(long)top->count);
        return true;
    case KEY_END:
        move_by(s, top, (long)top->count);
        return true;
    case 12: /* ^L */
        clearok(stdscr, TRUE);
        return true;
    default:
        return obey_letter(s, key);
    }
}

bool aero_screen_keys(struct aero_screen *s, const struct aero_top *top)
{
    int key;

    while ((key = getch()) != ERR)
        if (!obey(s, top, key))
            return false;
    return true;
}
