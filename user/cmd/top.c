// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope top: calls, listeners and routes, full-screen and live. */
#include "cmd/top.h"

#include <curses.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/graph.h"
#include "cmd/interrupt.h"
#include "cmd/listeners.h"
#include "cmd/reading.h"
#include "cmd/routes.h"
#include "cmd/screen.h"

#define KEY_WAIT_MS 100 /* how late Ctrl-C or a resize may be noticed */

/* Fetches the current view. An agent that is away for a while is waited for. */
static void fetch(struct hs_top *top, struct hs_source *source)
{
	json_t *document = source->get(source, top->view[top->current].listing->document);

	if (!document) {
		snprintf(top->message, sizeof(top->message), "%.250s", source->message);
		return;
	}
	json_decref(top->document);
	top->document = document;
	*top->message = '\0';
}

static size_t count_orders(const struct hs_listing *listing)
{
	size_t count = 0;

	while (listing->sorts[count])
		count++;
	return count;
}

static long page(void)
{
	return LINES > 4 ? LINES - 4 : 1;
}

/* Actions on a key. by is what the table below says. */

static void move_selection(struct hs_top *top, long by)
{
	struct hs_top_view *view = &top->view[top->current];
	long selected = (long)view->selected + by;

	view->selected = selected > 0 ? (size_t)selected : 0; /* the end is kept when drawing */
}

static void move_page(struct hs_top *top, long by)
{
	move_selection(top, by * page());
}

static void move_to_end(struct hs_top *top, long by)
{
	move_selection(top, by * (long)top->rows);
}

static void turn_order(struct hs_top *top, long by)
{
	struct hs_top_view *view = &top->view[top->current];
	long count = (long)count_orders(view->listing);

	view->order = (size_t)(((long)view->order + by + count) % count);
	view->selected = 0;
}

static void reverse_order(struct hs_top *top, long by)
{
	(void)by;
	top->view[top->current].reverse = !top->view[top->current].reverse;
}

/* What was fetched is of the other view: loop() fetches again. */
static void turn_view(struct hs_top *top, long by)
{
	top->current = (size_t)((long)top->current + by + HS_TOP_VIEWS) % HS_TOP_VIEWS;
	json_decref(top->document);
	top->document = NULL;
}

static void pause_or_go_on(struct hs_top *top, long by)
{
	(void)by;
	top->paused = !top->paused;
}

static void show_help(struct hs_top *top, long by)
{
	top->help = by && !top->help;
}

static void quit(struct hs_top *top, long by)
{
	(void)by;
	top->done = true;
}

#define KEY_ESCAPE 27

static const struct binding {
	int key;
	void (*act)(struct hs_top *top, long by);
	long by;
} bindings[] = {
	{ 'q', quit, 0 },	    { '?', show_help, 1 },	   { 'h', show_help, 1 },
	{ KEY_ESCAPE, show_help, 0 }, { '\t', turn_view, 1 },	   { KEY_BTAB, turn_view, -1 },
	{ 's', turn_order, 1 },	    { '>', turn_order, 1 },	   { KEY_RIGHT, turn_order, 1 },
	{ 'S', turn_order, -1 },    { '<', turn_order, -1 },	   { KEY_LEFT, turn_order, -1 },
	{ 'r', reverse_order, 0 },  { ' ', pause_or_go_on, 0 },	   { 'p', pause_or_go_on, 0 },
	{ 'j', move_selection, 1 }, { KEY_DOWN, move_selection, 1 }, { KEY_NPAGE, move_page, 1 },
	{ 'k', move_selection, -1 }, { KEY_UP, move_selection, -1 }, { KEY_PPAGE, move_page, -1 },
	{ 'G', move_to_end, 1 },    { KEY_END, move_to_end, 1 },
	{ 'g', move_to_end, -1 },   { KEY_HOME, move_to_end, -1 },
};

/* Keys that are not bound do nothing; for KEY_RESIZE, drawing is all that is needed. */
static void obey(struct hs_top *top, int key)
{
	for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
		if (bindings[i].key == key)
			bindings[i].act(top, bindings[i].by);
	}
}

static bool is_due(const struct hs_top *top, const struct hs_source *source, uint64_t age_ns,
		   uint64_t interval_ns)
{
	if (!top->document && !*top->message)
		return true;
	return source->live && !top->paused && age_ns >= interval_ns;
}

static void loop(struct hs_top *top, struct hs_source *source, uint64_t interval_ns)
{
	uint64_t fetched_ns = 0;
	bool dirty = true;

	while (!top->done && !hs_interrupted()) {
		int key;

		if (is_due(top, source, hs_monotonic_ns() - fetched_ns, interval_ns)) {
			fetch(top, source);
			fetched_ns = hs_monotonic_ns();
			dirty = true;
		}
		if (dirty)
			hs_top_draw(top);
		key = getch();
		dirty = key != ERR;
		if (dirty)
			obey(top, key);
	}
}

static void start_colors(void)
{
	static const short colors[HS_STYLES] = {
		[HS_PLAIN] = -1,	   [HS_HEADING] = -1,		[HS_DIM] = -1,
		[HS_GOOD] = COLOR_GREEN, [HS_WARNING] = COLOR_YELLOW, [HS_BAD] = COLOR_RED,
	};

	start_color();
	use_default_colors();
	for (short style = 1; style < HS_STYLES; style++)
		init_pair(style, colors[style], -1);
}

/* NULL: a terminal that is not known, or cannot place its cursor. */
static SCREEN *open_screen(bool color)
{
	SCREEN *screen;
	bool able;
	int error;

	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return NULL;
	able = tigetstr("cup");
	del_curterm(cur_term);
	screen = able ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return NULL;
	if (color && has_colors())
		start_colors();
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	timeout(KEY_WAIT_MS);
	return screen;
}

static int show(const struct hs_args *args, struct hs_source *source)
{
	struct hs_top top = {
		.view = { { .listing = &hs_graph_listing, .title = "calls" },
			  { .listing = &hs_listeners_listing, .title = "listeners" },
			  { .listing = &hs_routes_listing, .title = "routes" } },
	};
	SCREEN *screen;

	hs_interrupt_catch();
	screen = open_screen(hs_screen_now(args).color);
	if (!screen) {
		hs_complain("%s: this terminal cannot do it (TERM); hopscope graph --watch may",
			    args->program);
		return HS_EXIT_FAILURE;
	}
	loop(&top, source, hs_args_duration_ns(args, "interval"));
	endwin();
	delscreen(screen);
	json_decref(top.document);
	return hs_interrupted() ? HS_EXIT_INTERRUPTED : HS_EXIT_OK;
}

static int run(const struct hs_args *args)
{
	struct hs_source *source;
	int status;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		hs_complain("%s: needs a terminal; hopscope graph --watch does without one",
			    args->program);
		return HS_EXIT_FAILURE;
	}
	source = hs_reading_open(args, &status);
	if (!source)
		return status;
	status = show(args, source);
	source->close(source);
	return status;
}

static const struct hs_option options[] = {
	{ .name = "interval", .kind = HS_OPTION_DURATION, .value = "TIME", .preset = "1s",
	  .help = "how often it looks again" },
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "top", "calls, listeners and routes, live; ? tells the keys" },
	{ NULL },
};

const struct hs_command hs_top_command = {
	.name = "top",
	.summary = "Show calls, listeners and routes live, full-screen",
	.run = run,
	.options = options,
	.examples = examples,
};
