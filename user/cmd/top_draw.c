// SPDX-License-Identifier: GPL-2.0-or-later
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/display.h"
#include "cmd/document.h"
#include "cmd/top.h"

#define LINE_LEN 512

/* Colour pairs are numbered as styles, see top.c. */
static attr_t attribute_of(enum hs_style style)
{
	static const attr_t plain[HS_STYLES] = {
		[HS_HEADING] = A_BOLD,
		[HS_BAD] = A_BOLD,
		[HS_DIM] = A_DIM,
	};

	return plain[style] | (has_colors() ? COLOR_PAIR(style) : 0);
}

/* ncurses wraps what does not fit to the next line: shorten everything that is put. */
static void put_text(int y, int x, attr_t attribute, const char *text)
{
	char clean[LINE_LEN], line[LINE_LEN + 4];

	if (y >= LINES || x >= COLS)
		return;
	hs_display_clean(text, clean, sizeof(clean));
	hs_display_shorten(clean, COLS - x, HS_CUT_END, line, sizeof(line));
	attrset(attribute);
	mvaddstr(y, x, line);
	attrset(A_NORMAL);
}

struct brush {
	int y, x;
	attr_t extra; /* the selected row */
};

static void put_piece(void *arg, enum hs_style style, const char *text)
{
	struct brush *brush = arg;

	put_text(brush->y, brush->x, attribute_of(style) | brush->extra, text);
	brush->x += hs_display_width(text);
}

static void put_row(const struct hs_table *table, long row, int y, bool selected)
{
	struct brush brush = { y, 0, selected ? A_REVERSE : 0 };

	hs_table_line(table, row, put_piece, &brush);
	if (!selected)
		return;
	attrset(A_REVERSE);
	for (; brush.x < COLS; brush.x++)
		mvaddch(y, brush.x, ' ');
	attrset(A_NORMAL);
}

static void describe_title(const struct hs_top *top, char *text, size_t size)
{
	const struct hs_top_view *view = &top->view[top->current];
	time_t now = time(NULL);
	char clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	snprintf(text, size, "hopscope %s  %zu %s by %s%s  %s%s",
		 hs_doc_text(top->document, "node"), top->rows, view->title,
		 view->listing->sorts[view->order],
		 view->reverse ? ", reversed" : "", clock, top->paused ? "  paused" : "");
}

/* Keeps the selection in the list and the window around it. */
static void scroll_to_selection(struct hs_top_view *view, size_t rows, size_t window)
{
	if (view->selected >= rows)
		view->selected = rows ? rows - 1 : 0;
	if (view->first > view->selected)
		view->first = view->selected;
	if (view->selected >= view->first + window)
		view->first = view->selected - window + 1;
	if (view->first + window > rows)
		view->first = rows > window ? rows - window : 0;
}

static void draw_table(struct hs_top *top)
{
	struct hs_top_view *view = &top->view[top->current];
	json_t *rows = hs_listing_rows(view->listing, top->document, view->order, view->reverse);
	struct hs_table *table = hs_listing_table(view->listing, rows, false);
	size_t window = LINES > 3 ? (size_t)LINES - 3 : 0;

	hs_table_layout(table, COLS, true);
	top->rows = hs_table_rows(table);
	if (!top->rows) {
		put_text(2, 0, A_NORMAL, view->listing->empty);
	} else {
		put_row(table, -1, 1, false);
		scroll_to_selection(view, top->rows, window);
		for (size_t i = 0; i < window && view->first + i < top->rows; i++)
			put_row(table, (long)(view->first + i), (int)i + 2,
				view->first + i == view->selected);
	}
	hs_table_free(table);
	json_decref(rows);
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"Tab         calls, listeners, routes",
		"s S, < >    sort by the next, the previous column",
		"r           reverse the order",
		"arrows j k  move; PgUp PgDn Home End too",
		"space       pause",
		"?           this help",
		"q           quit",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])) && i + 2 < LINES; i++)
		put_text(i + 1, 0, A_NORMAL, lines[i]);
}

static void draw_status(const struct hs_top *top)
{
	if (*top->message)
		put_text(LINES - 1, 0, attribute_of(HS_BAD), top->message);
	else
		put_text(LINES - 1, 0, attribute_of(HS_DIM),
			 COLS < 40 ? "?:help q:quit" :
				     "q:quit  Tab:view  s:sort  r:reverse  space:pause  ?:help");
}

void hs_top_draw(struct hs_top *top)
{
	char title[LINE_LEN];

	erase();
	if (LINES < HS_TOP_LEAST_LINES || COLS < HS_TOP_LEAST_COLUMNS) {
		put_text(0, 0, A_NORMAL, "too small");
		refresh();
		return;
	}
	if (top->help)
		draw_help();
	else if (top->document)
		draw_table(top);
	describe_title(top, title, sizeof(title));
	put_text(0, 0, attribute_of(HS_HEADING), title);
	draw_status(top);
	refresh();
}
