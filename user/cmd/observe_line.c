// SPDX-License-Identifier: GPL-2.0-or-later
/* An event as a line: when, what, who, and what there is to say about it. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/display.h"
#include "base/duration.h"
#include "base/units.h"
#include "cmd/document.h"
#include "cmd/observe.h"
#include "cmd/screen.h"

#define LINE_LEN 512

/* Text that grows by phrases with a separator between them. */
struct phrases {
	char text[LINE_LEN];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) say(struct phrases *phrases, const char *format,
						      ...)
{
	va_list list;
	size_t room = sizeof(phrases->text) - phrases->len;
	int added = snprintf(phrases->text + phrases->len, room, "%s", phrases->len ? ", " : "");

	va_start(list, format);
	if ((size_t)added < room)
		added += vsnprintf(phrases->text + phrases->len + added, room - (size_t)added,
				   format, list);
	va_end(list);
	phrases->len += (size_t)added < room ? (size_t)added : room - 1;
}

/* "after 120us", where the number is known. */
static void say_number(struct phrases *phrases, const json_t *event, const char *path,
		       enum hs_unit unit, const char *word)
{
	char text[HS_UNIT_LEN];
	double number;

	if (!hs_doc_has_number(event, path, &number))
		return;
	hs_unit_format(unit, number, text);
	say(phrases, "%s %s", word, text);
}

/* "3 SYN retries", where there are any. */
static void say_count(struct phrases *phrases, const json_t *event, const char *path,
		      const char *one, const char *many)
{
	double number = hs_doc_number(event, path);

	if (number > 0)
		say(phrases, "%.0f %s", number, number == 1 ? one : many);
}

static void say_error(struct phrases *phrases, const json_t *event)
{
	if (*hs_doc_text(event, "error"))
		say(phrases, "%.64s", hs_doc_text(event, "error"));
}

static void say_connect(struct phrases *phrases, const json_t *event)
{
	say_number(phrases, event, "duration_seconds", HS_UNIT_SECONDS, "in");
}

static void say_accept(struct phrases *phrases, const json_t *event)
{
	say_number(phrases, event, "delay_seconds", HS_UNIT_SECONDS, "waited");
}

static void say_close(struct phrases *phrases, const json_t *event)
{
	say_number(phrases, event, "duration_seconds", HS_UNIT_SECONDS, "after");
	say_number(phrases, event, "sent_bytes", HS_UNIT_BYTES, "sent");
	say_number(phrases, event, "received_bytes", HS_UNIT_BYTES, "received");
	say_count(phrases, event, "retransmitted_segments", "retransmit", "retransmits");
	say_error(phrases, event);
}

static void say_failure(struct phrases *phrases, const json_t *event)
{
	char word[80];

	snprintf(word, sizeof(word), "%.64s after", hs_doc_text(event, "reason"));
	if (hs_doc_at(event, "duration_seconds"))
		say_number(phrases, event, "duration_seconds", HS_UNIT_SECONDS, word);
	else
		say(phrases, "%.64s", hs_doc_text(event, "reason"));
	say_count(phrases, event, "retransmitted_segments", "SYN retry", "SYN retries");
}

static void say_retransmit(struct phrases *phrases, const json_t *event)
{
	double attempt = hs_doc_number(event, "attempt");

	if (attempt > 0)
		say(phrases, "by %.16s: %.16s number %.0f", hs_doc_text(event, "sender"),
		    hs_doc_text(event, "retransmit_kind"), attempt);
	else
		say(phrases, "by %.16s: %.16s", hs_doc_text(event, "sender"),
		    hs_doc_text(event, "retransmit_kind"));
	say_count(phrases, event, "segments", "segment", "segments");
	say_number(phrases, event, "rto_seconds", HS_UNIT_SECONDS, "RTO");
	say_error(phrases, event);
}

static void say_reset(struct phrases *phrases, const json_t *event)
{
	double reason;

	say(phrases, "by %.16s", hs_doc_text(event, "sender"));
	if (hs_doc_has_number(event, "reset_reason", &reason))
		say(phrases, "kernel reason %.0f", reason);
}

static const struct type {
	const char *name;
	enum hs_style style;
	void (*say)(struct phrases *phrases, const json_t *event);
} types[] = {
	{ "connect", HS_GOOD, say_connect },
	{ "accept", HS_GOOD, say_accept },
	{ "close", HS_DIM, say_close },
	{ "failure", HS_BAD, say_failure },
	{ "retransmit", HS_WARNING, say_retransmit },
	{ "reset", HS_WARNING, say_reset },
	{ "error", HS_BAD, say_error },
};

/* A type that a newer agent knows is shown all the same. */
static const struct type *type_of(const json_t *event)
{
	static const struct type unknown = { "", HS_PLAIN, say_error };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(types[i].name, hs_doc_text(event, "type")))
			return &types[i];
	}
	return &unknown;
}

/* "Jan 31 12:00:00.123", local. */
static void describe_time(const json_t *event, char text[32])
{
	int64_t unix_ns;
	struct tm tm;
	time_t seconds;
	size_t len;

	if (!hs_time_parse(hs_doc_text(event, "time"), &unix_ns)) {
		strcpy(text, "-");
		return;
	}
	seconds = (time_t)(unix_ns / (int64_t)HS_NS_PER_SEC);
	len = strftime(text, 32, "%b %e %H:%M:%S", localtime_r(&seconds, &tm));
	snprintf(text + len, 32 - len, ".%03u",
		 (unsigned)(unix_ns / (int64_t)HS_NS_PER_MS % 1000));
}

/* "app.py:40312 (4711)" */
static void describe_end(const json_t *end, char text[LINE_LEN])
{
	char label[HS_LABEL_LEN];

	hs_doc_label(end, true, label);
	if (hs_doc_number(end, "pid") > 0)
		snprintf(text, LINE_LEN, "%s (%.0f)", label, hs_doc_number(end, "pid"));
	else
		snprintf(text, LINE_LEN, "%s", label);
}

static void put(FILE *out, enum hs_style style, bool color, const char *text, int width)
{
	char clean[LINE_LEN];

	hs_display_clean(text, clean, sizeof(clean));
	fprintf(out, "%s%-*s%s", hs_style_on(style, color), width, clean,
		hs_style_off(style, color));
}

void hs_observe_write(FILE *out, const json_t *event, bool color)
{
	const struct type *type = type_of(event);
	struct phrases phrases = { "", 0 };
	char when[32], what[16], client[LINE_LEN], server[LINE_LEN];

	describe_time(event, when);
	snprintf(what, sizeof(what), "%.15s", hs_doc_text(event, "type"));
	for (char *c = what; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	describe_end(hs_doc_at(event, "client"), client);
	describe_end(hs_doc_at(event, "server"), server);
	type->say(&phrases, event);

	put(out, HS_DIM, color, when, 0);
	fputs("  ", out);
	put(out, type->style, color, what, 10);
	fputs("  ", out);
	put(out, HS_PLAIN, color, client, 0);
	fputs(" > ", out);
	put(out, HS_PLAIN, color, server, 0);
	fputs(phrases.len ? "  " : "", out);
	put(out, type->style == HS_GOOD ? HS_PLAIN : type->style, color, phrases.text, 0);
	fputc('\n', out);
}
