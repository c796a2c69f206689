// SPDX-License-Identifier: GPL-2.0-or-later
/* A finding on a terminal or in a file, fitted to its width; every text is made harmless. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/display.h"
#include "base/duration.h"
#include "base/units.h"
#include "cmd/document.h"
#include "cmd/explain.h"

#define PLAIN_WIDTH 80 /* of prose where there is no terminal */
#define ENTRY_INDENT 10
#define DETAIL_INDENT 12
#define OFFSET_WIDTH 13
#define SIDE_WIDTH 8
#define SIGNAL_WIDTH 40 /* at most */

struct page {
	FILE *out;
	bool color;
	int width; /* 0: no limit */
};

static struct page page_of(FILE *out, const struct hs_screen *screen)
{
	return (struct page){ out, screen->color, screen->width };
}

static void put(const struct page *page, enum hs_style style, const char *text)
{
	char clean[HS_EXPLAIN_LEN];

	hs_display_clean(text, clean, sizeof(clean));
	fprintf(page->out, "%s%s%s", hs_style_on(style, page->color), clean,
		hs_style_off(style, page->color));
}

/* The same, cut to what is left of the line when column columns of it are taken. */
static void put_rest(const struct page *page, enum hs_style style, int column, const char *text)
{
	char clean[HS_EXPLAIN_LEN], cut[HS_EXPLAIN_LEN + 4];
	int room = page->width - column;

	hs_display_clean(text, clean, sizeof(clean));
	if (page->width)
		hs_display_shorten(clean, room > 1 ? room : 1, HS_CUT_END, cut, sizeof(cut));
	put(page, style, page->width ? cut : clean);
}

/* The same, in exactly so many columns. */
static void put_padded(const struct page *page, enum hs_style style, int columns, const char *text)
{
	char clean[HS_EXPLAIN_LEN], cut[HS_EXPLAIN_LEN + 4];

	hs_display_clean(text, clean, sizeof(clean));
	hs_display_shorten(clean, columns, HS_CUT_END, cut, sizeof(cut));
	put(page, style, cut);
	fprintf(page->out, "%*s", columns - hs_display_width(cut), "");
}

/*
 * Words, broken between them; the first line goes on at column, the others begin at indent.
 * '\n' is put behind the last.
 */
static void put_prose(const struct page *page, enum hs_style style, int indent, int column,
		      const char *text)
{
	int width = page->width ? page->width : PLAIN_WIDTH;
	char clean[HS_EXPLAIN_LEN], *rest = clean, *word;
	bool begins = true;

	hs_display_clean(text, clean, sizeof(clean));
	fputs(hs_style_on(style, page->color), page->out);
	while ((word = strsep(&rest, " "))) {
		int columns = hs_display_width(word);

		if (!*word)
			continue;
		if (!begins && column + 1 + columns > width) {
			fprintf(page->out, "\n%*s", indent, "");
			column = indent;
		} else if (!begins) {
			fputc(' ', page->out);
			column++;
		}
		fputs(word, page->out);
		column += columns;
		begins = false;
	}
	fprintf(page->out, "%s\n", hs_style_off(style, page->color));
}

/* Appends what is not empty. */
static void add(char text[HS_EXPLAIN_LEN], const char *before, const char *value, const char *after)
{
	size_t len = strlen(text);

	if (*value)
		snprintf(text + len, HS_EXPLAIN_LEN - len, "%s%.128s%s", before, value, after);
}

static bool time_at(const json_t *json, const char *path, int64_t *unix_ns)
{
	return hs_time_parse(hs_doc_text(json, path), unix_ns);
}

/* "4s ago"; "?" when it is not known. */
static void describe_ago(const json_t *finding, int64_t now, char text[HS_UNIT_LEN + 8])
{
	char age[HS_UNIT_LEN];
	int64_t seen;

	if (!time_at(finding, "last_seen", &seen)) {
		strcpy(text, "?");
		return;
	}
	hs_unit_format(HS_UNIT_AGE, (double)(now - seen) / 1e9, age);
	snprintf(text, HS_UNIT_LEN + 8, "%s ago", age);
}

/* "STUCK NOW 3", or "" for what is over. */
static void describe_stuck(const json_t *finding, char text[HS_UNIT_LEN + 16])
{
	char count[HS_UNIT_LEN];

	*text = '\0';
	if (hs_doc_number(finding, "stuck") <= 0)
		return;
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(finding, "stuck"), count);
	snprintf(text, HS_UNIT_LEN + 16, "STUCK NOW %s", count);
}

/*
 * "orders.py > payments.py:8002" within room columns (0: no limit). The longer name gives way
 * first; its middle does, so that the port stays.
 */
static void describe_call(const json_t *finding, int room, char text[HS_EXPLAIN_LEN])
{
	char label[2][HS_LABEL_LEN], clean[2][HS_LABEL_LEN], cut[2][HS_LABEL_LEN + 4];
	int width[2];

	hs_doc_label(hs_doc_at(finding, "client"), false, label[0]);
	hs_doc_label(hs_doc_at(finding, "server"), true, label[1]);
	for (int i = 0; i < 2; i++) {
		hs_display_clean(label[i], clean[i], sizeof(clean[i]));
		width[i] = hs_display_width(clean[i]);
	}
	while (room && width[0] + 3 + width[1] > room && (width[0] > 3 || width[1] > 3))
		width[width[1] >= width[0]]--;
	for (int i = 0; i < 2; i++)
		hs_display_shorten(clean[i], width[i] > 0 ? width[i] : 1, HS_CUT_MIDDLE, cut[i],
				   sizeof(cut[i]));
	snprintf(text, HS_EXPLAIN_LEN, "%s > %s", cut[0], cut[1]);
}

/* "timed_out with ETIMEDOUT, ended by syn_retries" */
static void describe_end(const json_t *finding, char text[HS_EXPLAIN_LEN])
{
	const char *by = hs_doc_text(finding, "ended_by");

	snprintf(text, HS_EXPLAIN_LEN, "%.64s", hs_doc_text(finding, "reason"));
	add(text, " with ", hs_doc_text(finding, "error"), "");
	if (!strcmp(by, "pending"))
		add(text, ", ", "nobody has ended it yet", "");
	else
		add(text, ", ended by ", by, "");
}

/* The first clause of the summary, with a small letter: it goes on after the cause's name. */
static void describe_cause(const json_t *finding, char text[HS_EXPLAIN_LEN])
{
	const char *summary = hs_doc_text(finding, "summary"), *colon = strstr(summary, ": ");
	const char *confidence = hs_doc_text(finding, "confidence");
	size_t clause = colon ? (size_t)(colon - summary) : strlen(summary), len;

	snprintf(text, HS_EXPLAIN_LEN, "%.64s", hs_doc_text(finding, "cause"));
	if (strcmp(confidence, "unknown") != 0)
		add(text, " (", confidence, ")");
	len = strlen(text);
	if (clause && summary[clause - 1] == '.')
		clause--;
	if (clause)
		snprintf(text + len, HS_EXPLAIN_LEN - len, ": %c%.*s",
			 isupper((unsigned char)summary[1]) ? *summary : tolower((unsigned char)*summary),
			 (int)clause - 1, summary + 1);
}

/* "7c01a2f4    x12     4s ago  orders.py > payments.py:8002         STUCK NOW 3" */
static void put_headline(const struct page *page, const json_t *finding, const char *between)
{
	char stuck[HS_UNIT_LEN + 16], call[HS_EXPLAIN_LEN], head[128];
	int column, tag, room;

	describe_stuck(finding, stuck);
	tag = *stuck ? hs_display_width(stuck) + 2 : 0;
	snprintf(head, sizeof(head), "%-8.16s", hs_doc_text(finding, "id"));
	put(page, HS_HEADING, head);
	column = hs_display_width(head) + hs_display_width(between);
	put(page, HS_DIM, between);
	room = page->width ? page->width - column - tag : 0;
	describe_call(finding, page->width && room < 7 ? 7 : room, call);
	put(page, HS_PLAIN, call);
	if (*stuck) {
		room = (page->width ? page->width : PLAIN_WIDTH) - column - hs_display_width(call);
		fprintf(page->out, "%*s", room > tag ? room - tag + 2 : 2, "");
		put(page, HS_BAD, stuck);
	}
	fputc('\n', page->out);
}

void hs_explain_entry(FILE *out, const json_t *finding, int64_t now,
		      const struct hs_screen *screen)
{
	const struct page page = page_of(out, screen);
	char ago[HS_UNIT_LEN + 8], between[128], text[HS_EXPLAIN_LEN];
	char count[HS_UNIT_LEN + 1] = "x";

	describe_ago(finding, now, ago);
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(finding, "count"), count + 1);
	snprintf(between, sizeof(between), " %6s %10s  ", count, ago);
	put_headline(&page, finding, between);
	describe_cause(finding, text);
	fprintf(out, "%*s", ENTRY_INDENT, "");
	put_rest(&page, HS_PLAIN, ENTRY_INDENT, text);
	describe_end(finding, text);
	fprintf(out, "\n%*s", ENTRY_INDENT, "");
	put_rest(&page, HS_DIM, ENTRY_INDENT, text);
	fputc('\n', out);
}

static void put_title(const struct page *page, const char *title)
{
	fputc('\n', page->out);
	put(page, HS_HEADING, title);
	fputc('\n', page->out);
}

/* "  cause     accept_queue_full …" */
static void __attribute__((format(printf, 4, 5)))
put_line(const struct page *page, enum hs_style style, const char *word, const char *format, ...)
{
	char text[HS_EXPLAIN_LEN];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	fprintf(page->out, "  %-10s", word);
	put_prose(page, style, DETAIL_INDENT, DETAIL_INDENT, text);
}

/* "orders.py  10.0.0.7:40312, pid 4711 (python3), namespace shop" */
static void put_party(const struct page *page, const json_t *finding, const char *side)
{
	const json_t *end = hs_doc_at(finding, side);
	char text[HS_EXPLAIN_LEN], label[HS_LABEL_LEN], address[HS_LABEL_LEN], number[HS_UNIT_LEN];

	hs_doc_label(end, false, label);
	hs_doc_address(end, address);
	*text = '\0';
	if (!*address || strcmp(label, hs_doc_text(end, "address")) != 0)
		add(text, "", label, *address ? ", " : "");
	add(text, "", address, "");
	if (hs_doc_number(end, "pid") > 0) {
		hs_unit_format(HS_UNIT_PLAIN, hs_doc_number(end, "pid"), number);
		add(text, ", pid ", number, "");
		add(text, " (", hs_doc_text(end, "comm"), ")");
	}
	add(text, ", pod ", hs_doc_text(end, "pod"), "");
	add(text, ", namespace ", hs_doc_text(end, "namespace"), "");
	put_line(page, HS_PLAIN, side, "%s", text);
}

/* "12 times in 3m05s, last 4s ago, 3 of them hang now" */
static void put_seen(const struct page *page, const json_t *finding, int64_t now)
{
	double count = hs_doc_number(finding, "count"), stuck = hs_doc_number(finding, "stuck");
	char text[HS_EXPLAIN_LEN], ago[HS_UNIT_LEN + 8], span[HS_UNIT_LEN], number[HS_UNIT_LEN];
	int64_t first, last;

	describe_ago(finding, now, ago);
	hs_unit_format(HS_UNIT_PLAIN, count, number);
	snprintf(text, sizeof(text), "%s %s", number, count == 1 ? "connection" : "connections");
	if (count > 1 && time_at(finding, "first_seen", &first) &&
	    time_at(finding, "last_seen", &last)) {
		hs_unit_format(HS_UNIT_AGE, (double)(last - first) / 1e9, span);
		add(text, " in ", span, "");
	}
	add(text, ", the last ", ago, "");
	hs_unit_format(HS_UNIT_PLAIN, stuck, number);
	if (stuck > 0)
		add(text, "; ", number, stuck == 1 ? " hangs now" : " hang now");
	put_line(page, stuck > 0 ? HS_BAD : HS_PLAIN, "seen", "%s", text);
}

static const struct word {
	const char *name, *words;
} confidences[] = {
	{ "proved", ", proved: the deciding signal itself was seen" },
	{ "inferred", ", inferred: the best explanation of what was seen" },
	{ "unknown", "" },
}, stages[] = {
	{ "connect", "connect, from SYN to SYN-ACK" },
	{ "accept", "accept, from the handshake to accept()" },
	{ "transfer", "transfer, after the handshake" },
};

/* name itself where a newer agent has one that is not in the table. */
static const char *words_of(const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(words[i].name, name))
			return words[i].words;
	}
	return name;
}

static void put_verdict(const struct page *page, const json_t *finding)
{
	const char *stage = hs_doc_text(finding, "stage"), *error = hs_doc_text(finding, "error");
	const char *by = hs_doc_text(finding, "ended_by");
	char after[HS_UNIT_LEN] = "";
	double seconds;
	bool pending = !strcmp(by, "pending");

	if (hs_doc_has_number(finding, "duration_seconds", &seconds))
		hs_unit_format(HS_UNIT_SECONDS, seconds, after);
	put_line(page, HS_PLAIN, "reason", "%.64s%s%.32s", hs_doc_text(finding, "reason"),
		 *error ? ": the application got " : "", error);
	put_line(page, HS_PLAIN, "ended by", "%.64s%s%s", pending ? "nobody yet" : by,
		 !*after ? "" : pending ? ", for " : ", after ", after);
	put_line(page, HS_HEADING, "cause", "%.64s%.64s", hs_doc_text(finding, "cause"),
		 words_of(confidences, 3, hs_doc_text(finding, "confidence")));
	if (*stage)
		put_line(page, HS_PLAIN, "stage", "%.64s", words_of(stages, 3, stage));
}

/* Microseconds, up to a quarter of an hour, in the unit that keeps them short. */
static void describe_offset(const json_t *moment, char text[HS_UNIT_LEN])
{
	double offset;

	if (!hs_doc_has_number(moment, "offset_seconds", &offset))
		strcpy(text, "?");
	else if (offset < 0.0000005)
		strcpy(text, "0");
	else if (offset < 0.0009995)
		snprintf(text, HS_UNIT_LEN, "+%.0fus", offset * 1e6);
	else if (offset < 0.9999995)
		snprintf(text, HS_UNIT_LEN, "+%.3fms", offset * 1e3);
	else if (offset < 999.9999995)
		snprintf(text, HS_UNIT_LEN, "+%.6fs", offset);
	else if (offset < 1e7)
		snprintf(text, HS_UNIT_LEN, "+%.3fs", offset);
	else
		hs_unit_format(HS_UNIT_AGE, offset, text);
}

static enum hs_style style_of_moment(const json_t *moment)
{
	static const char *const bad[] = { "dropped", "reset_sent", "reset_received", "error", "ended",
					   "now" };
	const char *event = hs_doc_text(moment, "event");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!strcmp(bad[i], event))
			return HS_BAD;
	}
	return strstr(event, "again") ? HS_WARNING : HS_PLAIN;
}

static void put_moment(const struct page *page, const json_t *finding, const json_t *moment)
{
	char offset[HS_UNIT_LEN], words[HS_EXPLAIN_LEN];
	int column = OFFSET_WIDTH + 2 + SIDE_WIDTH;

	describe_offset(moment, offset);
	hs_explain_moment(finding, moment, words);
	fprintf(page->out, "%*s  ", OFFSET_WIDTH, offset);
	put_padded(page, HS_PLAIN, SIDE_WIDTH, hs_doc_text(moment, "end"));
	put_prose(page, style_of_moment(moment), column, column, words);
}

/* "Timeline of the last connection, from Jan 31 12:00:00.000123", local. */
static void put_timeline_title(const struct page *page, const json_t *first)
{
	char title[96] = "Timeline of the last connection";
	size_t len = strlen(title);
	int64_t unix_ns;
	time_t seconds;
	struct tm tm;

	if (time_at(first, "time", &unix_ns)) {
		seconds = (time_t)(unix_ns / (int64_t)HS_NS_PER_SEC);
		len += strftime(title + len, sizeof(title) - len, ", from %b %e %H:%M:%S",
				localtime_r(&seconds, &tm));
		snprintf(title + len, sizeof(title) - len, ".%06u",
			 (unsigned)(unix_ns / 1000 % 1000000));
	}
	put_title(page, title);
}

static void put_timeline(const struct page *page, const json_t *finding)
{
	const json_t *timeline = hs_doc_at(finding, "timeline"), *moment;
	char timer[HS_EXPLAIN_LEN];
	size_t i;

	if (!json_array_size(timeline))
		return;
	put_timeline_title(page, json_array_get(timeline, 0));
	json_array_foreach(timeline, i, moment)
		put_moment(page, finding, moment);
	hs_explain_timer(finding, timer);
	if (*timer) {
		fputs("\n  ", page->out);
		put_prose(page, HS_PLAIN, 2, 2, timer);
	}
}

/* In ss(8)'s words; what is 0 or not known is left out where ss does. */
static const struct figure {
	const char *word, *path;
	enum hs_unit unit;
	bool zero; /* tell it then, too */
} figures[] = {
	{ "Recv-Q ", "unread_bytes", HS_UNIT_PLAIN, true },
	{ "Send-Q ", "unacked_bytes", HS_UNIT_PLAIN, true },
	{ "notsent:", "unsent_bytes", HS_UNIT_PLAIN, false },
	{ "cwnd:", "cwnd", HS_UNIT_PLAIN, true },
	{ "ssthresh:", "ssthresh", HS_UNIT_PLAIN, false },
	{ "rto:", "rto_seconds", HS_UNIT_SECONDS, false },
	{ "rtt:", "srtt_seconds", HS_UNIT_SECONDS, false },
	{ "rttvar:", "rttvar_seconds", HS_UNIT_SECONDS, false },
	{ "minrtt:", "min_rtt_seconds", HS_UNIT_SECONDS, false },
	{ "snd_wnd:", "snd_wnd_bytes", HS_UNIT_PLAIN, true },
	{ "rcv_wnd:", "rcv_wnd_bytes", HS_UNIT_PLAIN, true },
	{ "mss:", "mss_bytes", HS_UNIT_PLAIN, false },
	{ "bytes_acked:", "bytes_acked", HS_UNIT_PLAIN, true },
	{ "bytes_received:", "bytes_received", HS_UNIT_PLAIN, true },
	{ "segs_out:", "segs_out", HS_UNIT_PLAIN, true },
	{ "segs_in:", "segs_in", HS_UNIT_PLAIN, true },
	{ "lastsnd:", "last_sent_seconds", HS_UNIT_SECONDS, false },
	{ "lastrcv:", "last_received_seconds", HS_UNIT_SECONDS, false },
	{ "lastack:", "last_ack_seconds", HS_UNIT_SECONDS, false },
	{ "rwnd_limited:", "rwnd_limited_seconds", HS_UNIT_SECONDS, false },
	{ "sndbuf_limited:", "sndbuf_limited_seconds", HS_UNIT_SECONDS, false },
	{ "user_timeout:", "user_timeout_seconds", HS_UNIT_SECONDS, false },
	{ "probes:", "probes", HS_UNIT_PLAIN, false },
	{ "backoff:", "backoff", HS_UNIT_PLAIN, false },
};

/* In ss's spelling: "SYN-SENT". */
static void describe_state(const json_t *tcp, char text[HS_EXPLAIN_LEN])
{
	const char *state = hs_doc_text(tcp, "state");

	snprintf(text, HS_EXPLAIN_LEN, "%.32s", strcmp(state, "established") ? state : "estab");
	for (char *c = text; *c; c++)
		*c = *c == '_' ? '-' : (char)toupper((unsigned char)*c);
}

/* "retrans:2/7": of what waits now, and over its life. */
static void add_retransmits(const json_t *tcp, char text[HS_EXPLAIN_LEN])
{
	const json_t *kinds = hs_doc_at(tcp, "retransmits"), *count;
	char now[HS_UNIT_LEN], all[HS_UNIT_LEN];
	const char *kind;
	double total = 0;

	json_object_foreach((json_t *)kinds, kind, count)
		total += json_number_value(count);
	if (total <= 0)
		return;
	hs_unit_format(HS_UNIT_PLAIN, hs_doc_number(tcp, "retransmit_attempts"), now);
	hs_unit_format(HS_UNIT_PLAIN, total, all);
	add(text, " retrans:", now, "/");
	add(text, "", all, "");
}

/* Of a socket that has never sent or got any data, the kernel says that it was at its own boot. */
static bool is_older(const json_t *finding, const struct figure *figure, double value)
{
	double duration;

	return !strncmp(figure->path, "last_", 5) &&
	       hs_doc_has_number(finding, "duration_seconds", &duration) && value > duration + 1;
}

static void put_socket(const struct page *page, const json_t *finding, const char *side)
{
	const json_t *tcp = hs_doc_at(hs_doc_at(finding, "tcp"), side);
	char text[HS_EXPLAIN_LEN], number[HS_UNIT_LEN];
	const char *timer = hs_doc_text(tcp, "timer");
	double value;

	if (!json_is_object(tcp))
		return;
	describe_state(tcp, text);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		if (!hs_doc_has_number(tcp, figures[i].path, &value) ||
		    (!figures[i].zero && value <= 0) || is_older(finding, &figures[i], value))
			continue;
		hs_unit_format(figures[i].unit, value, number);
		add(text, *text ? " " : "", figures[i].word, "");
		add(text, "", number, "");
	}
	add_retransmits(tcp, text);
	add(text, " timer:(", strcmp(timer, "none") ? timer : "", ")");
	put_line(page, HS_PLAIN, side, "%s", text);
}

static void put_sockets(const struct page *page, const json_t *finding)
{
	if (!json_object_size(hs_doc_at(finding, "tcp")))
		return;
	put_title(page, "Sockets, as ss(8) has it");
	put_socket(page, finding, "client");
	put_socket(page, finding, "server");
}

static void describe_value(const json_t *evidence, char text[HS_EXPLAIN_LEN])
{
	const char *unit = hs_doc_text(evidence, "unit");
	char number[HS_UNIT_LEN] = "?";
	double value;

	if (json_is_string(hs_doc_at(evidence, "value"))) {
		snprintf(text, HS_EXPLAIN_LEN, "%.256s", hs_doc_text(evidence, "value"));
		return;
	}
	if (hs_doc_has_number(evidence, "value", &value))
		hs_unit_format(strcmp(unit, "seconds") ? HS_UNIT_PLAIN : HS_UNIT_SECONDS, value, number);
	snprintf(text, HS_EXPLAIN_LEN, "%s%s", number, strcmp(unit, "bytes") ? "" : " bytes");
}

static void put_evidence(const struct page *page, const json_t *finding)
{
	const json_t *list = hs_doc_at(finding, "evidence"), *evidence;
	char value[HS_EXPLAIN_LEN], signal[HS_EXPLAIN_LEN];
	int widest = 0, column;
	size_t i;

	if (!json_array_size(list))
		return;
	put_title(page, "Evidence");
	json_array_foreach(list, i, evidence) {
		hs_display_clean(hs_doc_text(evidence, "signal"), signal, sizeof(signal));
		if (hs_display_width(signal) > widest)
			widest = hs_display_width(signal);
	}
	widest = widest < SIGNAL_WIDTH ? widest : SIGNAL_WIDTH;
	column = 2 + SIDE_WIDTH + widest + 2;
	json_array_foreach(list, i, evidence) {
		fputs("  ", page->out);
		put_padded(page, HS_PLAIN, SIDE_WIDTH, hs_doc_text(evidence, "end"));
		put_padded(page, HS_PLAIN, widest + 2, hs_doc_text(evidence, "signal"));
		describe_value(evidence, value);
		put_prose(page, HS_PLAIN, column, column, value);
	}
}

void hs_explain_detail(FILE *out, const json_t *finding, int64_t now,
		       const struct hs_screen *screen)
{
	const struct page page = page_of(out, screen);
	char remedy[HS_EXPLAIN_LEN];

	put_headline(&page, finding, "  ");
	put_prose(&page, HS_PLAIN, 0, 0, hs_doc_text(finding, "summary"));
	fputc('\n', out);
	put_party(&page, finding, "client");
	put_party(&page, finding, "server");
	put_verdict(&page, finding);
	put_seen(&page, finding, now);
	put_timeline(&page, finding);
	put_sockets(&page, finding);
	put_evidence(&page, finding);
	hs_explain_remedy(finding, remedy);
	if (*remedy) {
		put_title(&page, "What to do");
		fputs("  ", out);
		put_prose(&page, HS_PLAIN, 2, 2, remedy);
	}
}
