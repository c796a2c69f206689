// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope explain: what failed or hangs, why, how that is known, and what to do. */
#include "cmd/explain.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/command.h"
#include "cmd/document.h"
#include "cmd/listing.h"
#include "cmd/reading.h"

#define ID_LEN 8
#define FOLLOW_MS 500

/* -o table: one line each, for grep and awk. */

static void draw_client(const json_t *finding, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(finding, "client"), false, cell->text);
}

static void draw_server(const json_t *finding, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(finding, "server"), true, cell->text);
}

static void draw_text(const json_t *finding, const char *key, struct hs_cell *cell)
{
	const char *text = hs_doc_text(finding, key);

	snprintf(cell->text, sizeof(cell->text), "%.64s", *text ? text : "-");
}

static void draw_id(const json_t *finding, struct hs_cell *cell)
{
	draw_text(finding, "id", cell);
}

static void draw_last(const json_t *finding, struct hs_cell *cell)
{
	snprintf(cell->text, sizeof(cell->text), "%.19sZ", hs_doc_text(finding, "last_seen"));
}

static void draw_stuck(const json_t *finding, struct hs_cell *cell)
{
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(finding, "stuck"), cell->text);
	if (hs_doc_number(finding, "stuck") > 0)
		cell->style = HS_BAD;
}

static void draw_cause(const json_t *finding, struct hs_cell *cell)
{
	draw_text(finding, "cause", cell);
}

static void draw_confidence(const json_t *finding, struct hs_cell *cell)
{
	draw_text(finding, "confidence", cell);
}

static void draw_reason(const json_t *finding, struct hs_cell *cell)
{
	draw_text(finding, "reason", cell);
}

static void draw_ended_by(const json_t *finding, struct hs_cell *cell)
{
	draw_text(finding, "ended_by", cell);
}

static const struct hs_field fields[] = {
	{ .column = { .title = "ID" }, .draw = draw_id },
	HS_FIELD_NUMBER("COUNT", 0, "count", HS_UNIT_COUNT),
	{ .column = { .title = "STUCK", .right = true }, .draw = draw_stuck },
	HS_FIELD_NAME("CLIENT", 8, draw_client),
	HS_FIELD_NAME("SERVER", 12, draw_server),
	{ .column = { .title = "CAUSE" }, .draw = draw_cause },
	{ .column = { .title = "SURE", .drop = 2 }, .draw = draw_confidence },
	{ .column = { .title = "REASON", .drop = 1 }, .draw = draw_reason },
	{ .column = { .title = "ENDED BY", .drop = 3 }, .draw = draw_ended_by },
	{ .column = { .title = "LAST SEEN", .drop = 4 }, .draw = draw_last },
};

static const struct hs_listing listing = {
	.document = "findings",
	.noun = "findings",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.filters = hs_explain_filters,
	.empty = "Nothing has failed and nothing hangs.",
};

static const char *id_of(const json_t *finding)
{
	return hs_doc_text(finding, "id");
}

/* Of the document: what was recorded is as old as it was when the recording ended. */
static int64_t now_of(const json_t *document)
{
	int64_t unix_ns = 0;

	hs_time_parse(hs_doc_text(document, "time"), &unix_ns);
	return unix_ns;
}

/* Whether --since leaves it. A duration counts back from now. */
static bool is_recent(const struct hs_args *args, const json_t *finding, int64_t now)
{
	const char *since = hs_args_text(args, "since");
	int64_t seen, from;
	uint64_t ago;

	if (!since)
		return true;
	if (hs_duration_parse(since, &ago))
		from = (uint64_t)now > ago ? now - (int64_t)ago : 0;
	else if (!hs_time_parse(since, &from))
		return true;
	return hs_time_parse(hs_doc_text(finding, "last_seen"), &seen) && seen >= from;
}

/* The beginning of an ID will do, as long as only one begins so. */
static bool begins(const json_t *finding, const char *id)
{
	return !id || !strncasecmp(id_of(finding), id, strlen(id));
}

static bool is_id(const char *text)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF");

	return len && len <= ID_LEN && !text[len];
}

/* How many figures of two IDs are the same, from the first on. */
static size_t alike(const char *a, const char *b)
{
	size_t count = 0;

	while (a[count] && a[count] == b[count])
		count++;
	return count;
}

static int complain_id(const json_t *items, const char *id, char *message, size_t size)
{
	const char *near = NULL;
	const json_t *finding;
	size_t i;

	json_array_foreach(items, i, finding) {
		if (begins(finding, id)) {
			snprintf(message, size, "%.32s does not match these filters", id_of(finding));
			return HS_EXIT_FAILURE;
		}
		if (!near || alike(id_of(finding), id) > alike(near, id))
			near = id_of(finding);
	}
	if (near)
		snprintf(message, size, "no finding %s; the nearest is %.32s, hopscope explain lists all",
			 id, near);
	else
		snprintf(message, size, "no finding %s: there are no findings", id);
	return HS_EXIT_FAILURE;
}

static int complain_ambiguous(const json_t *kept, const char *id, char *message, size_t size)
{
	snprintf(message, size, "%zu findings begin with %s, such as %.32s and %.32s",
		 json_array_size(kept), id, id_of(json_array_get(kept, 0)),
		 id_of(json_array_get(kept, 1)));
	return HS_EXIT_USAGE;
}

int hs_explain_select(const struct hs_args *args, json_t *document, char *message, size_t size)
{
	json_t *items = json_object_get(document, "items"), *kept = json_array();
	const char *id = args->operand;
	const json_t *finding;
	int status = 0;
	size_t i;

	json_array_foreach(items, i, finding) {
		if (json_is_object(finding) && begins(finding, id) &&
		    is_recent(args, finding, now_of(document)) &&
		    hs_filters_keep(hs_explain_filters, args, finding))
			json_array_append(kept, (json_t *)finding);
	}
	if (id && !json_array_size(kept))
		status = complain_id(items, id, message, size);
	else if (id && json_array_size(kept) > 1)
		status = complain_ambiguous(kept, id, message, size);
	json_object_set_new(document, "items", kept);
	return status;
}

static void write_list(FILE *out, const json_t *document, const struct hs_screen *screen)
{
	const json_t *items = json_object_get(document, "items"), *finding;
	size_t i;

	json_array_foreach(items, i, finding)
		hs_explain_entry(out, finding, now_of(document), screen);
	if (screen->tty)
		fprintf(out, "%shopscope explain ID shows one in full.%s\n",
			hs_style_on(HS_DIM, screen->color), hs_style_off(HS_DIM, screen->color));
}

static void write_table(FILE *out, const json_t *document, const struct hs_screen *screen)
{
	struct hs_table *table = hs_listing_table(&listing, json_object_get(document, "items"), false);

	if (hs_table_rows(table))
		hs_table_print(table, out, screen, true);
	hs_table_free(table);
}

void hs_explain_write(const struct hs_args *args, FILE *out, const json_t *document,
		      const struct hs_screen *screen)
{
	const json_t *items = json_object_get(document, "items");
	const char *output = hs_args_text(args, "output");

	if (!strcmp(output, "json")) {
		json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		fputc('\n', out);
	} else if (!strcmp(output, "table")) {
		write_table(out, document, screen);
	} else if (json_array_size(items) == 1) {
		hs_explain_detail(out, json_array_get(items, 0), now_of(document), screen);
	} else {
		write_list(out, document, screen);
	}
}

static bool is_news(const json_t *finding, const json_t *seen)
{
	const json_t *before = json_object_get(seen, id_of(finding));

	return !before || hs_doc_number(finding, "count") > json_number_value(before);
}

/* Counts go down, too: what hung and then failed is taken from one finding to another. */
static void note(const json_t *items, json_t *seen)
{
	const json_t *finding;
	size_t i;

	json_object_clear(seen);
	json_array_foreach(items, i, finding)
		json_object_set_new(seen, id_of(finding), json_real(hs_doc_number(finding, "count")));
}

/* A finding as a document of its own, on one line. */
static void write_line(FILE *out, const json_t *finding)
{
	json_t *line = json_pack("{s:s, s:s}", "apiVersion", "hopscope/v1", "kind", "Finding");

	json_object_update(line, (json_t *)finding);
	json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(15));
	fputc('\n', out);
	json_decref(line);
}

static void write_again(FILE *out, const json_t *document, const json_t *finding,
			const struct hs_screen *screen)
{
	hs_explain_detail(out, finding, now_of(document), screen);
	fputc('\n', out);
}

size_t hs_explain_write_news(const struct hs_args *args, FILE *out, const json_t *document,
			     json_t *seen, const struct hs_screen *screen)
{
	const json_t *items = json_object_get(document, "items");
	bool json = !strcmp(hs_args_text(args, "output"), "json");
	size_t written = 0;

	for (size_t i = json_array_size(items); i-- > 0;) {
		const json_t *finding = json_array_get(items, i);

		if (!is_news(finding, seen))
			continue;
		written++;
		if (json)
			write_line(out, finding);
		else if (args->operand)
			write_again(out, document, finding, screen);
		else
			hs_explain_entry(out, finding, now_of(document), screen);
	}
	note(items, seen);
	return written;
}

struct run {
	const struct hs_args *args;
	struct hs_source *source;
	size_t before; /* the filters, of the last document */
	bool any;
};

/* The document with what the user asked for; NULL: why is on stderr, *status is set. */
static json_t *look(struct run *run, int *status)
{
	json_t *document = run->source->get(run->source, listing.document);
	char message[256];

	if (!document) {
		*status = hs_reading_failed(run->args, run->source);
		return NULL;
	}
	run->before = json_array_size(json_object_get(document, "items"));
	*status = hs_explain_select(run->args, document, message, sizeof(message));
	if (*status) {
		hs_complain("%s: %s", run->args->program, message);
		json_decref(document);
		return NULL;
	}
	run->any = run->any || json_array_size(json_object_get(document, "items"));
	return document;
}

/* Silence looks like a fault: say that there is none. */
static void describe_nothing(const struct run *run)
{
	if (run->before)
		hs_complain("No findings match these filters (%zu without them).", run->before);
	else if (!strcmp(run->source->kind, "local"))
		hs_complain("%s So far: this was a short look; -f goes on, an agent remembers.",
			    listing.empty);
	else
		hs_complain("%s", listing.empty);
}

static int explain_once(struct run *run)
{
	const struct hs_screen screen = hs_screen_now(run->args);
	bool json = !strcmp(hs_args_text(run->args, "output"), "json");
	int status;
	json_t *document = look(run, &status);

	if (!document)
		return status;
	if (json || run->any)
		hs_explain_write(run->args, stdout, document, &screen);
	if (!run->any && !json)
		describe_nothing(run);
	json_decref(document);
	return hs_output_end(run->any ? HS_EXIT_FINDINGS : HS_EXIT_OK);
}

/* Until the agent ends, or nobody reads any more. */
static int follow(struct run *run)
{
	const struct timespec pause = { .tv_nsec = FOLLOW_MS * HS_NS_PER_MS };
	json_t *seen = json_object(), *document;
	int status = HS_EXIT_OK;

	while ((document = look(run, &status))) {
		const struct hs_screen screen = hs_screen_now(run->args);

		hs_explain_write_news(run->args, stdout, document, seen, &screen);
		json_decref(document);
		if (!hs_output_alive())
			break;
		nanosleep(&pause, NULL);
	}
	json_decref(seen);
	return hs_output_end(status ? status : run->any ? HS_EXIT_FINDINGS : HS_EXIT_OK);
}

static int run_explain(const struct hs_args *args)
{
	struct run run = { .args = args };
	int status;

	if (args->operand && !is_id(args->operand)) {
		hs_complain("%s: an ID is eight figures such as 7c01a2f4, not \"%.64s\"", args->program,
			    args->operand);
		return HS_EXIT_USAGE;
	}
	if (hs_args_flag(args, "follow") && !strcmp(hs_args_text(args, "output"), "table")) {
		hs_complain("%s: -f goes with -o text or json, not with table", args->program);
		return HS_EXIT_USAGE;
	}
	run.source = hs_reading_open(args, &status);
	if (!run.source)
		return status;
	status = hs_args_flag(args, "follow") && run.source->live ? follow(&run) : explain_once(&run);
	run.source->close(run.source);
	return status;
}

static const char *const outputs[] = { "text", "table", "json", NULL };

static const struct hs_option options[] = {
	{ .name = "output", .letter = 'o', .kind = HS_OPTION_CHOICE, .value = "FORMAT",
	  .preset = "text", .choices = outputs, .group = "Output", .help = "how to write it" },
	{ .name = "follow", .letter = 'f', .kind = HS_OPTION_FLAG,
	  .help = "go on with what fails, and with what fails again" },
	{ .name = "since", .kind = HS_OPTION_SINCE, .value = "TIME", .group = "Filters",
	  .help = "seen since then: 5m, or 2026-01-31T12:00:00Z" },
	{ .name = "cause", .kind = HS_OPTION_CHOICE, .filter = true, .value = "CAUSE",
	  .choices = hs_explain_causes, .help = "for this cause" },
	{ .name = "reason", .kind = HS_OPTION_CHOICE, .filter = true, .value = "REASON",
	  .choices = hs_explain_reasons, .help = "the application got this" },
	{ .name = "stuck", .kind = HS_OPTION_FLAG, .filter = true, .help = "hangs now" },
	HS_END_FILTERS,
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "explain", "what failed or hangs, the latest first; exits 79 when there is any" },
	{ "explain 7c01", "one in full; the beginning of its ID will do" },
	{ "explain --server payments.py --since 10m", "what callers of one service met" },
	{ "explain -f --stuck", "what hangs, as it shows" },
	{ NULL },
};

const struct hs_command hs_explain_command = {
	.name = "explain",
	.summary = "Explain failed and stuck connections: cause, evidence, what to do",
	.details = "A finding is all connections between two programs that failed the same way.\n"
		   "One that is left alone by ID and filters is shown in full: what happened in\n"
		   "which order, the sockets, the evidence, and what to do.",
	.run = run_explain,
	.options = options,
	.operand = { "ID", false, NULL, true },
	.examples = examples,
};
