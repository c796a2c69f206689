// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope observe: the stream of events. */
#include "cmd/observe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/command.h"
#include "cmd/document.h"
#include "cmd/listing.h"
#include "cmd/reading.h"
#include "cmd/screen.h"

/*
 * More than any agent keeps: all of them. Filters are applied here, so --last cannot be left to
 * the agent.
 */
#define ALL_EVENTS "last=999999999"
#define MAX_KEPT 1000000

struct observer {
	const struct hs_args *args;
	struct hs_source *source;
	bool color, json;
	/* The last events of the past that passed the filters: a ring, printed when it is whole. */
	char **kept;
	size_t keep, count;
	bool at_once; /* print what comes instead */
	/* Where to go on following: after the newest that was seen of the past. */
	double number;
	char time[64];
	bool follows;
	size_t printed;
};

static void print_lost(const struct observer *observer, const json_t *lost, const char *text)
{
	if (observer->json)
		printf("%s\n", text);
	else
		hs_complain("%s: %.0f events were missed: they came faster than they were read",
			    observer->args->program, hs_doc_number(lost, "events"));
}

/* Non-zero: nobody reads the output any more. */
static int print_event(struct observer *observer, const char *text)
{
	json_t *event;

	observer->printed++;
	if (observer->json) {
		printf("%s\n", text);
	} else {
		event = json_loads(text, 0, NULL);
		hs_observe_write(stdout, event, observer->color);
		json_decref(event);
	}
	return !hs_output_alive();
}

static int keep_or_print(struct observer *observer, const char *text)
{
	char **slot;

	if (observer->at_once)
		return print_event(observer, text);
	if (!observer->keep)
		return 0;
	slot = &observer->kept[observer->count++ % observer->keep];
	free(*slot);
	*slot = strdup(text);
	return 0;
}

/*
 * Streams overlap where following begins: an event that was seen is not taken again. The past
 * comes by time, and its numbers are in no order.
 */
static bool is_new(struct observer *observer, const json_t *event)
{
	double number;

	if (!hs_doc_has_number(event, "number", &number))
		return true;
	if (observer->follows)
		return number > observer->number;
	if (number > observer->number) {
		observer->number = number;
		snprintf(observer->time, sizeof(observer->time), "%.63s", hs_doc_text(event, "time"));
	}
	return true;
}

static int take_line(void *arg, const char *text, size_t length)
{
	struct observer *observer = arg;
	char *line = strndup(text, length);
	json_t *event = line ? json_loads(line, 0, NULL) : NULL;
	int stop = 0;

	if (!strcmp(hs_doc_text(event, "kind"), "Lost"))
		print_lost(observer, event, line);
	else if (event && is_new(observer, event) &&
		 hs_filters_keep(hs_observe_filters, observer->args, event))
		stop = keep_or_print(observer, line);
	json_decref(event);
	free(line);
	return stop;
}

static int is_unread(void *arg)
{
	(void)arg;
	return !hs_output_alive();
}

static void format_time(int64_t unix_ns, char *text, size_t size)
{
	time_t seconds = (time_t)(unix_ns / (int64_t)HS_NS_PER_SEC);
	struct tm tm;
	size_t len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));

	snprintf(text + len, size - len, ".%09uZ", (unsigned)(unix_ns % (int64_t)HS_NS_PER_SEC));
}

/*
 * --since for the source. A duration counts from now where there is a now, and is left to the
 * recording otherwise, which counts from its end.
 */
static void describe_since(const struct observer *observer, char *text, size_t size)
{
	const char *since = hs_args_text(observer->args, "since");
	struct timespec now;
	int64_t unix_ns;
	uint64_t ago_ns;

	if (hs_duration_parse(since, &ago_ns)) {
		if (!observer->source->live) {
			snprintf(text, size, "%llums", (unsigned long long)(ago_ns / HS_NS_PER_MS));
			return;
		}
		clock_gettime(CLOCK_REALTIME, &now);
		unix_ns = now.tv_sec * (int64_t)HS_NS_PER_SEC + now.tv_nsec - (int64_t)ago_ns;
		format_time(unix_ns > 0 ? unix_ns : 0, text, size);
	} else if (hs_time_parse(since, &unix_ns)) {
		format_time(unix_ns, text, size);
	}
}

static void describe_past(struct observer *observer, char *query, size_t size)
{
	if (hs_args_given(observer->args, "since")) {
		/* Following begins there, too, when the past has nothing. */
		describe_since(observer, observer->time, sizeof(observer->time));
		snprintf(query, size, ALL_EVENTS "&since=%s", observer->time);
	} else if (hs_filters_given(hs_observe_filters, observer->args)) {
		snprintf(query, size, ALL_EVENTS);
	} else {
		/* One at least: following goes on from there. */
		snprintf(query, size, "last=%zu", observer->keep ? observer->keep : 1);
	}
}

/* Negative: the source failed. Positive: the output is not read any more. */
static int observe_past(struct observer *observer)
{
	char query[160];
	int result;

	describe_past(observer, query, sizeof(query));
	result = observer->source->stream(observer->source, "events", query, take_line, is_unread, observer);
	for (size_t i = 0; !result && i < observer->keep; i++) {
		const char *text = observer->kept[(observer->count + i) % observer->keep];

		if (text)
			result = print_event(observer, text);
	}
	observer->at_once = true;
	return result;
}

static int follow(struct observer *observer)
{
	char query[160] = "follow=1&" ALL_EVENTS;

	observer->follows = true;
	if (*observer->time)
		snprintf(query, sizeof(query), "follow=1&" ALL_EVENTS "&since=%s", observer->time);
	return observer->source->stream(observer->source, "events", query, take_line, is_unread, observer);
}

/* Silence looks like a fault: say that there is none. */
static void explain_nothing(const struct observer *observer)
{
	const char *program = observer->args->program;

	if (observer->printed)
		return;
	if (hs_filters_given(hs_observe_filters, observer->args))
		hs_complain("%s: no event of the past matches", program);
	else
		hs_complain("%s: nothing has happened yet; -f waits for it", program);
}

static int observe(struct observer *observer)
{
	bool goes_on = hs_args_flag(observer->args, "follow") && observer->source->live;
	int result = observe_past(observer);

	if (!result && !goes_on) {
		explain_nothing(observer);
	} else if (!result) {
		result = follow(observer);
		if (!result) {
			hs_complain("%s: the agent ended", observer->args->program);
			return HS_EXIT_UNAVAILABLE;
		}
	}
	return result < 0 ? hs_reading_failed(observer->args, observer->source) :
			    hs_output_end(HS_EXIT_OK);
}

/* How many of the past to print: with --since all, unless --last says otherwise too. */
static void plan(struct observer *observer)
{
	const struct hs_args *args = observer->args;
	size_t last = hs_args_count(args, "last");

	observer->at_once = hs_args_given(args, "since") && !hs_args_given(args, "last");
	observer->keep = observer->at_once ? 0 : last < MAX_KEPT ? last : MAX_KEPT;
	observer->json = !strcmp(hs_args_text(args, "output"), "json");
	observer->color = hs_screen_now(args).color;
}

static int run(const struct hs_args *args)
{
	struct observer observer = { .args = args };
	int status = HS_EXIT_SOFTWARE;

	plan(&observer);
	observer.kept = calloc(observer.keep + 1, sizeof(*observer.kept));
	observer.source = observer.kept ? hs_reading_open(args, &status) : NULL;
	if (observer.source) {
		status = observe(&observer);
		observer.source->close(observer.source);
	}
	for (size_t i = 0; observer.kept && i < observer.keep; i++)
		free(observer.kept[i]);
	free(observer.kept);
	return status;
}

static const char *const outputs[] = { "table", "json", NULL };

static const struct hs_option options[] = {
	HS_OPTION_OUTPUT(outputs),
	{ .name = "follow", .letter = 'f', .kind = HS_OPTION_FLAG,
	  .help = "go on with what happens" },
	{ .name = "last", .kind = HS_OPTION_COUNT, .value = "N", .preset = "20",
	  .help = "how many events of the past, counted after the filters" },
	{ .name = "since", .kind = HS_OPTION_SINCE, .value = "TIME",
	  .help = "events since then: 5m, or 2026-01-31T12:00:00Z" },
	{ .name = "type", .kind = HS_OPTION_CHOICE, .filter = true, .value = "TYPE",
	  .choices = hs_observe_types, .group = "Filters", .help = "events of this type" },
	{ .name = "reason", .kind = HS_OPTION_CHOICE, .filter = true, .value = "REASON",
	  .choices = hs_observe_reasons, .help = "failures for this reason" },
	HS_OPTION_EITHER_NAME,
	HS_OPTION_FILTER("from-name", HS_OPTION_TEXT, "NAME", "the client is called so"),
	HS_OPTION_FILTER("to-name", HS_OPTION_TEXT, "NAME", "the server is called so"),
	HS_OPTION_IP,
	HS_OPTION_FILTER("from-ip", HS_OPTION_NETWORK, "CIDR", "the client has such an address"),
	HS_OPTION_FILTER("to-ip", HS_OPTION_NETWORK, "CIDR", "the server has such an address"),
	HS_OPTION_EITHER_PORT,
	HS_OPTION_FILTER("from-port", HS_OPTION_PORT, "PORT", "the client has this port"),
	HS_OPTION_FILTER("to-port", HS_OPTION_PORT, "PORT", "the server has this port"),
	HS_OPTION_PID,
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "observe -f", "the last 20 events, then what happens" },
	{ "observe --type failure --since 10m", "what failed in the last ten minutes" },
	{ "observe -f --to-port 5432 --not --name backup", "who calls PostgreSQL, but the backup" },
	{ "observe --from-ip 10.0.0.0/8 -o json", "as JSON lines" },
	{ NULL },
};

const struct hs_command hs_observe_command = {
	.name = "observe",
	.summary = "Show events: connect, accept, close, failure, retransmit, reset",
	.details = "Filters that are given twice are alternatives; different filters must all\n"
		   "match; --not turns the next one around.",
	.run = run,
	.options = options,
	.examples = examples,
};
