// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope top: calls and listeners, full-screen and live. */
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

static void move_selection(struct hs_top_view *view, long by)
{
	long selected = (long)view->selected + by;

	view->selected = selected > 0 ? (size_t)selected : 0; /* the end is kept when drawing */
}

static void turn_order(struct hs_top_view *view, long by)
{
	long count = (long)count_orders(view->listing);

	view->order = (size_t)(((long)view->order + by + count) % count);
	view->selected = 0;
}

static void next_view(struct hs_top *top, struct hs_source *source)
{
	top->current = (top->current + 1) % HS_TOP_VIEWS;
	json_decref(top->document);
	top->document = NULL;
	fetch(top, source);
}

/* False: quit. */
static bool obey(struct hs_top *top, struct hs_source *source, int key)
{
	struct hs_top_view *view = &top->view[top->current];
	long page = LINES > 4 ? LINES - 4 : 1;

	switch (key) {
	case 'q':
		return false;
	case '?':
	case 'h':
		top->help = !top->help;
		break;
	case 27: /* escape */
		top->help = false;
		break;
	case '\t':
	case KEY_BTAB:
		next_view(top, source);
		break;
	case 's':
	case '>':
	case KEY_RIGHT:
		turn_order(view, 1);
		break;
	case 'S':
	case '<':
	case KEY_LEFT:
		turn_order(view, -1);
		break;
	case 'r':
		view->reverse = !view->reverse;
		break;
	case ' ':
	case 'p':
		top->paused = !top->paused;
		break;
	case 'j':
	case KEY_DOWN:
		move_selection(view, 1);
		break;
	case 'k':
	case KEY_UP:
		move_selection(view, -1);
		break;
	case KEY_NPAGE:
		move_selection(view, page);
		break;
	case KEY_PPAGE:
		move_selection(view, -page);
		break;
	case KEY_HOME:
	case 'g':
		view->selected = 0;
		break;
	case KEY_END:
	case 'G':
		move_selection(view, (long)top->rows);
		break;
	default: /* KEY_RESIZE too: drawing is all that it needs */
		break;
	}
	return true;
}

static void loop(struct hs_top *top, struct hs_source *source, uint64_t interval_ns)
{
	uint64_t fetched_ns = 0;
	bool dirty = true;

	while (!hs_interrupted()) {
		uint64_t now_ns = hs_monotonic_ns();
		int key;

		if (!fetched_ns || (!top->paused && source->live && now_ns - fetched_ns >= interval_ns)) {
			fetch(top, source);
			fetched_ns = now_ns;
			dirty = true;
		}
		if (dirty)
			hs_top_draw(top);
		key = getch();
		dirty = key != ERR;
		if (dirty && !obey(top, source, key))
			return;
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
	int error;

	if (setupterm(NULL, STDOUT_FILENO, &error) != OK || !tigetstr("cup"))
		return NULL;
	screen = newterm(NULL, stdout, stdin);
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
			  { .listing = &hs_listeners_listing, .title = "listeners" } },
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
	{ "top", "calls and listeners, live; ? tells the keys" },
	{ NULL },
};

const struct hs_command hs_top_command = {
	.name = "top",
	.summary = "Show calls and listeners live, full-screen",
	.run = run,
	.options = options,
	.examples = examples,
};
