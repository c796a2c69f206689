// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request as a line. Lines come one by one, so columns have fixed widths: first what is short, then the
 * call and who made it, which share the rest of the screen.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/display.h"
#include "base/duration.h"
#include "cmd/calls.h"
#include "cmd/document.h"
#include "cmd/requests.h"

#define TEXT_LEN 640
#define SLOW_SECONDS 1
#define ROOMY 120 /* columns of a screen that has room for more of them */
#define CALL_WIDTH 40
#define LEAST_WIDTH 40
#define TINY 60 /* columns of one that has no room for the time */

struct cell {
	enum hs_style style;
	char text[TEXT_LEN];
};

/* Local: "12:00:00.123", wide with its day. */
static void draw_time(const json_t *request, struct cell *cell, const char *format)
{
	int64_t unix_ns;
	struct tm tm;
	time_t seconds;
	size_t len;

	cell->style = HS_DIM;
	if (!hs_time_parse(hs_doc_text(request, "time"), &unix_ns)) {
		strcpy(cell->text, "-");
		return;
	}
	seconds = (time_t)(unix_ns / (int64_t)HS_NS_PER_SEC);
	len = strftime(cell->text, TEXT_LEN, format, localtime_r(&seconds, &tm));
	snprintf(cell->text + len, TEXT_LEN - len, ".%03u", (unsigned)(unix_ns / (int64_t)HS_NS_PER_MS % 1000));
}

static void draw_clock(const json_t *request, struct cell *cell)
{
	draw_time(request, cell, "%H:%M:%S");
}

static void draw_day(const json_t *request, struct cell *cell)
{
	draw_time(request, cell, "%b %e %H:%M:%S");
}

static void draw_status(const json_t *request, struct cell *cell)
{
	const char *outcome = hs_doc_text(request, "outcome"), *status = hs_doc_text(request, "status");
	bool failed = hs_doc_true(request, "failed");

	if (!strcmp(outcome, "unanswered"))
		status = "no answer";
	else if (!strcmp(outcome, "cancelled"))
		status = outcome;
	else if (!*status)
		status = failed ? "failed" : "ok";
	snprintf(cell->text, TEXT_LEN, "%s", status);
	if (failed)
		cell->style = HS_BAD;
	else if (*status == '4' || *hs_doc_text(request, "error_type"))
		cell->style = HS_WARNING;
}

static void draw_number(const json_t *request, const char *path, enum hs_unit unit, struct cell *cell)
{
	char text[HS_UNIT_LEN] = "-";
	double number;

	if (hs_doc_has_number(request, path, &number))
		hs_unit_format(unit, number, text);
	strcpy(cell->text, text);
}

static void draw_duration(const json_t *request, struct cell *cell)
{
	draw_number(request, "duration_seconds", HS_UNIT_SECONDS, cell);
	if (hs_doc_number(request, "duration_seconds") >= SLOW_SECONDS)
		cell->style = HS_WARNING;
}

static void draw_wait(const json_t *request, struct cell *cell)
{
	draw_number(request, "wait_seconds", HS_UNIT_SECONDS, cell);
}

static void draw_sent(const json_t *request, struct cell *cell)
{
	draw_number(request, "request_bytes", HS_UNIT_BYTES, cell);
}

static void draw_received(const json_t *request, struct cell *cell)
{
	draw_number(request, "response_bytes", HS_UNIT_BYTES, cell);
}

static void draw_protocol(const json_t *request, struct cell *cell)
{
	snprintf(cell->text, TEXT_LEN, "%.24s%s%.16s", hs_doc_text(request, "protocol"),
		 *hs_doc_text(request, "version") ? "/" : "", hs_doc_text(request, "version"));
}

enum shown { ALWAYS, NARROW, NOT_TINY, WITH_ROOM, WIDE };

static const struct column {
	const char *title;
	int width;
	bool right;
	enum shown shown;
	void (*draw)(const json_t *request, struct cell *cell);
} columns[] = {
	{ "TIME", 12, false, NOT_TINY, draw_clock },
	{ "TIME", 19, false, WIDE, draw_day },
	{ "STATUS", 9, false, NARROW, draw_status },
	{ "STATUS", 19, false, WIDE, draw_status },
	{ "TOOK", 6, true, ALWAYS, draw_duration },
	{ "WAIT", 6, true, WITH_ROOM, draw_wait },
	{ "SENT", 7, true, WITH_ROOM, draw_sent },
	{ "RECV", 7, true, WITH_ROOM, draw_received },
	{ "PROTOCOL", 10, false, WIDE, draw_protocol },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static bool is_shown(const struct column *column, int width, bool wide)
{
	switch (column->shown) {
	case NARROW:
		return !wide && width;
	case NOT_TINY:
		return !wide && width >= TINY;
	case WITH_ROOM:
		return wide || !width || width >= ROOMY;
	case WIDE:
		return wide || !width;
	default:
		return true;
	}
}

/* A line under way. */
struct line {
	FILE *out;
	bool color;
	bool fits; /* its cells are cut to their widths */
};

static void put(const struct line *line, const struct cell *cell, int width, bool right)
{
	char clean[TEXT_LEN], text[TEXT_LEN + 4];
	int pad;

	hs_display_clean(cell->text, clean, sizeof(clean));
	if (line->fits)
		hs_display_shorten(clean, width, HS_CUT_MIDDLE, text, sizeof(text));
	else
		strcpy(text, clean);
	pad = width > hs_display_width(text) ? width - hs_display_width(text) : 0;
	fprintf(line->out, "%*s%s%s%s%*s", right ? pad : 0, "", hs_style_on(cell->style, line->color), text,
		hs_style_off(cell->style, line->color), (right ? 0 : pad) + 2, "");
}

/* What is left of the screen for the call and its ends; 0: no limit. */
static int rest_of(int width, bool wide)
{
	int rest = width > LEAST_WIDTH ? width : LEAST_WIDTH;

	if (!width || wide)
		return 0;
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], width, wide))
			rest -= columns[i].width + 2;
	return rest > 12 ? rest : 12;
}

/* "curl > nginx:80" in so many columns: each end gets half of them, and what the other does not need. */
static void put_ends(FILE *out, const json_t *request, int width)
{
	char label[2][HS_LABEL_LEN], clean[2][HS_LABEL_LEN], text[2][HS_LABEL_LEN + 4];
	int room = width - 3;

	hs_doc_label(hs_doc_at(request, "client"), false, label[0]);
	hs_doc_label(hs_doc_at(request, "server"), true, label[1]);
	for (int i = 0; i < 2; i++)
		hs_display_clean(label[i], clean[i], sizeof(clean[i]));
	for (int i = 0; i < 2; i++) {
		int other = hs_display_width(clean[1 - i]), half = i ? room / 2 : room - room / 2;
		int most = room - (other < half ? other : half);

		if (width)
			hs_display_shorten(clean[i], most > 1 ? most : 1, HS_CUT_MIDDLE, text[i], sizeof(text[i]));
		else
			strcpy(text[i], clean[i]);
	}
	fprintf(out, "%s > %s\n", text[0], text[1]);
}

void hs_requests_write(FILE *out, const json_t *request, const struct hs_screen *screen, bool wide)
{
	int rest = rest_of(screen->width, wide), call_width = rest ? rest / 2 : CALL_WIDTH;
	const struct line line = { out, screen->color, rest };
	struct cell call = { HS_PLAIN, "" };

	for (size_t i = 0; i < COLUMNS; i++) {
		struct cell cell = { HS_PLAIN, "" };

		if (!is_shown(&columns[i], screen->width, wide))
			continue;
		columns[i].draw(request, &cell);
		put(&line, &cell, columns[i].width, columns[i].right);
	}
	hs_calls_name(request, "target", call.text, sizeof(call.text));
	put(&line, &call, call_width, false);
	put_ends(out, request, rest ? rest - call_width - 2 : 0);
}

void hs_requests_titles(FILE *out, const struct hs_screen *screen, bool wide)
{
	int rest = rest_of(screen->width, wide), call_width = rest ? rest / 2 : CALL_WIDTH;
	const struct line line = { out, screen->color, rest };
	char ends[TEXT_LEN] = "CLIENT > SERVER";

	for (size_t i = 0; i < COLUMNS; i++) {
		struct cell cell = { HS_HEADING, "" };

		if (!is_shown(&columns[i], screen->width, wide))
			continue;
		strcpy(cell.text, columns[i].title);
		put(&line, &cell, columns[i].width, columns[i].right);
	}
	put(&line, &(struct cell){ HS_HEADING, "CALL" }, call_width, false);
	if (rest)
		hs_display_shorten("CLIENT > SERVER", rest - call_width - 2, HS_CUT_END, ends, sizeof(ends));
	fprintf(out, "%s%s%s\n", hs_style_on(HS_HEADING, screen->color), ends, hs_style_off(HS_HEADING, screen->color));
}

const struct hs_filter hs_requests_filters[] = {
	{ "status", hs_match_status },	   { "slower-than", hs_match_slower }, { "route", hs_match_route },
	{ "method", hs_match_method },	   { "protocol", hs_match_protocol },  { "name", hs_match_name },
	{ "client", hs_match_client },	   { "server", hs_match_server },      { "ip", hs_match_ip },
	{ "port", hs_match_port },	   { "pid", hs_match_pid },	       { "namespace", hs_match_namespace },
	{ NULL },
};
