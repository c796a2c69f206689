// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope check: what works on this machine, what the kernel refused, and what that costs. */
#include "cmd/check.h"

#include <string.h>

#include "base/display.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/document.h"
#include "cmd/listing.h"
#include "cmd/reading.h"
#include "cmd/screen.h"

#define TEXT_LEN 512

struct pen {
	FILE *out;
	bool color;
};

static void put(const struct pen *pen, enum hs_style style, int width, const char *text)
{
	char clean[TEXT_LEN];

	hs_display_clean(text, clean, sizeof(clean));
	fprintf(pen->out, "%s%-*s%s", hs_style_on(style, pen->color), width, clean,
		hs_style_off(style, pen->color));
}

static void put_heading(const struct pen *pen, const char *text)
{
	fputc('\n', pen->out);
	put(pen, HS_HEADING, 0, text);
	fputc('\n', pen->out);
}

/* "  WORD      name                  text" */
static void put_line(const struct pen *pen, enum hs_style style, const char *word, const char *name,
		     const char *text)
{
	fputs("  ", pen->out);
	put(pen, style, 10, word);
	put(pen, HS_PLAIN, *text ? 20 : 0, name);
	fputs(*text ? "  " : "", pen->out);
	put(pen, HS_PLAIN, 0, text);
	fputc('\n', pen->out);
}

static void put_title(const struct pen *pen, const json_t *status)
{
	char line[TEXT_LEN], up[HS_UNIT_LEN];

	hs_unit_format(HS_UNIT_AGE, hs_doc_number(status, "uptime_seconds"), up);
	snprintf(line, sizeof(line), "hopscope %.40s on %.100s, Linux %.100s %.40s, %s, up %s",
		 hs_doc_text(status, "version"), hs_doc_text(status, "node"),
		 hs_doc_text(status, "kernel"), hs_doc_text(status, "machine"),
		 hs_doc_true(status, "ready") ? "ready" : "not ready yet", up);
	put(pen, HS_PLAIN, 0, line);
	fputc('\n', pen->out);
}

static void put_more(const struct pen *pen, const char *line)
{
	fprintf(pen->out, "%12s", "");
	put(pen, HS_DIM, 0, line);
	fputc('\n', pen->out);
}

/* The kernel's own words, on a line of their own however long they are. */
static void put_refusal(const struct pen *pen, const json_t *rung)
{
	const char *error = hs_doc_text(rung, "error"), *words = hs_doc_text(rung, "refusal");
	char line[TEXT_LEN];

	if (!*error && !*words)
		return;
	snprintf(line, sizeof(line), "%.40s refused: %.40s%s%.380s", hs_doc_text(rung, "rung"),
		 error, *error && *words ? ": " : "", words);
	put_more(pen, line);
}

/* Attached by less than the best rung: what that costs. */
static void put_misses(const struct pen *pen, const json_t *rung)
{
	const char *misses = hs_doc_text(rung, "misses");
	char line[TEXT_LEN];

	if (!*misses)
		return;
	snprintf(line, sizeof(line), "%.40s does not see: %.400s", hs_doc_text(rung, "rung"), misses);
	put_more(pen, line);
}

static void put_hook(const struct pen *pen, const json_t *hook)
{
	const json_t *ladder = hs_doc_at(hook, "ladder"), *rung;
	bool attached = hs_doc_true(hook, "attached");
	char what[TEXT_LEN];
	size_t i;

	snprintf(what, sizeof(what), attached ? "%-10.40s  %.400s" : "%-10.40s  lost: %.400s",
		 attached ? hs_doc_text(hook, "rung") : "-",
		 hs_doc_text(hook, attached ? "gives" : "lost"));
	put_line(pen, attached ? HS_GOOD : HS_BAD, attached ? "attached" : "missing",
		 hs_doc_text(hook, "hook"), what);
	json_array_foreach(ladder, i, rung) {
		put_refusal(pen, rung);
		if (attached && !strcmp(hs_doc_text(rung, "rung"), hs_doc_text(hook, "rung")))
			put_misses(pen, rung);
	}
}

static void put_capability(const struct pen *pen, const json_t *capability)
{
	bool present = hs_doc_true(capability, "present");

	put_line(pen, present ? HS_GOOD : HS_BAD, present ? "present" : "missing",
		 hs_doc_text(capability, "capability"), hs_doc_text(capability, "why"));
}

static void put_place(const struct pen *pen, const json_t *status, const char *key,
		      const char *name)
{
	const char *place = hs_doc_text(status, key);

	put_line(pen, *place ? HS_GOOD : HS_WARNING, *place ? "found" : "none", name, place);
}

static void put_losses(const struct pen *pen, const json_t *status)
{
	json_t *dropped = (json_t *)hs_doc_at(status, "dropped"), *count;
	const char *stage;
	bool any = false;

	json_object_foreach(dropped, stage, count) {
		char text[HS_UNIT_LEN];

		if (json_number_value(count) <= 0)
			continue;
		hs_unit_format(HS_UNIT_PLAIN, json_number_value(count), text);
		put_line(pen, HS_BAD, "lost", stage, text);
		any = true;
	}
	if (!any)
		put_line(pen, HS_GOOD, "none", "nothing was dropped", "");
}

static void add_count(const json_t *protocol, const char *path, enum hs_unit unit, const char *words, char *line)
{
	double count = hs_doc_number(protocol, path);
	char number[HS_UNIT_LEN];
	size_t len = strlen(line);

	if (count <= 0)
		return;
	hs_unit_format(unit, count, number);
	snprintf(line + len, TEXT_LEN - len, "%s%s %s", len ? ", " : "", number, words);
}

/* What of the payload was read, and what was not. Nobody reads all protocols: what is not known is no fault. */
static void put_protocol(const struct pen *pen, const json_t *protocol)
{
	const char *name = hs_doc_text(protocol, "protocol");
	bool known = strcmp(name, "unknown") != 0;
	char line[TEXT_LEN] = "";
	size_t calls;

	add_count(protocol, "calls", HS_UNIT_COUNT, "calls", line);
	calls = strlen(line);
	add_count(protocol, "undecoded_messages", HS_UNIT_COUNT, "messages skipped", line);
	add_count(protocol, "undecoded_bytes", HS_UNIT_BYTES, "not understood", line);
	add_count(protocol, "lost_calls", HS_UNIT_COUNT, "calls given up", line);
	add_count(protocol, "lost_segments", HS_UNIT_COUNT, "holes in streams", line);
	if (!*line)
		return;
	if (!line[calls])
		put_line(pen, HS_GOOD, "read", name, line);
	else
		put_line(pen, known ? HS_WARNING : HS_PLAIN, calls ? "in part" : "unread", name, line);
}

static void put_protocols(const struct pen *pen, const json_t *status)
{
	const json_t *protocols = hs_doc_at(status, "protocols"), *protocol;
	size_t i;

	if (!json_array_size(protocols))
		return;
	put_heading(pen, "Payload");
	json_array_foreach(protocols, i, protocol)
		put_protocol(pen, protocol);
}

static void put_cost(const struct pen *pen, const json_t *status)
{
	char maps[HS_UNIT_LEN], passes[HS_UNIT_LEN], last[HS_UNIT_LEN], line[TEXT_LEN];

	hs_unit_format(HS_UNIT_BYTES, hs_doc_number(status, "map_bytes"), maps);
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(status, "snapshot.passes"), passes);
	hs_unit_format(HS_UNIT_SECONDS, hs_doc_number(status, "snapshot.last_seconds"), last);
	snprintf(line, sizeof(line), "  BPF maps %s; %s snapshot passes, the last took %s\n", maps,
		 passes, last);
	put_heading(pen, "Cost");
	fputs(line, pen->out);
}

static void put_verdict(const struct pen *pen, const json_t *status)
{
	const json_t *hooks = hs_doc_at(status, "hooks"), *hook;
	size_t count = json_array_size(hooks), missing = 0, i;
	char line[TEXT_LEN];

	json_array_foreach(hooks, i, hook)
		missing += !hs_doc_true(hook, "attached");
	if (!count)
		snprintf(line, sizeof(line), "No hooks are known.");
	else if (missing)
		snprintf(line, sizeof(line), "%zu of %zu hooks are not attached.", missing, count);
	else
		snprintf(line, sizeof(line), "All %zu hooks are attached.", count);
	fputc('\n', pen->out);
	put(pen, missing || !count ? HS_BAD : HS_GOOD, 0, line);
	fputc('\n', pen->out);
}

void hs_check_write(FILE *out, const json_t *status, bool color)
{
	const struct pen pen = { out, color };
	const json_t *hooks = hs_doc_at(status, "hooks"), *item;
	const json_t *capabilities = hs_doc_at(status, "capabilities");
	size_t i;

	put_title(&pen, status);
	put_heading(&pen, "Hooks");
	json_array_foreach(hooks, i, item)
		put_hook(&pen, item);
	put_heading(&pen, "Capabilities");
	json_array_foreach(capabilities, i, item)
		put_capability(&pen, item);
	put_heading(&pen, "System");
	put_place(&pen, status, "btf", "kernel BTF");
	put_place(&pen, status, "cgroup_root", "cgroup v2");
	put_place(&pen, status, "tracefs", "tracefs");
	put_heading(&pen, "Losses");
	put_losses(&pen, status);
	put_protocols(&pen, status);
	put_cost(&pen, status);
	put_verdict(&pen, status);
}

bool hs_check_all_attached(const json_t *status)
{
	const json_t *hooks = hs_doc_at(status, "hooks"), *hook;
	size_t i;

	json_array_foreach(hooks, i, hook) {
		if (!hs_doc_true(hook, "attached"))
			return false;
	}
	return json_array_size(hooks);
}

static int run(const struct hs_args *args)
{
	struct hs_source *source;
	json_t *status;
	int result;

	source = hs_reading_open(args, &result);
	if (!source)
		return result;
	status = source->get(source, "status");
	if (!status) {
		result = hs_reading_failed(args, source);
	} else {
		if (!strcmp(hs_args_text(args, "output"), "json")) {
			json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
			putchar('\n');
		} else {
			hs_check_write(stdout, status, hs_screen_now(args).color);
		}
		result = hs_check_all_attached(status) ? HS_EXIT_OK : HS_EXIT_FAILURE;
		result = hs_output_end(result);
	}
	json_decref(status);
	source->close(source);
	return result;
}

static const char *const outputs[] = { "table", "json", NULL };

static const struct hs_option options[] = {
	HS_OPTION_OUTPUT(outputs),
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "check", "what works here; exits 0 when all hooks are attached, else 1" },
	{ NULL },
};

const struct hs_command hs_check_command = {
	.name = "check",
	.summary = "Show what works here, what the kernel refused, what that costs",
	.details = "Asks the running agent, so it tells what that one got; else tries it out here.",
	.run = run,
	.options = options,
	.examples = examples,
};
