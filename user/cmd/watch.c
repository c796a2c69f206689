// SPDX-License-Identifier: GPL-2.0-or-later
/* Running a listing: once, or with --watch until the user has seen enough. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/document.h"
#include "cmd/interrupt.h"
#include "cmd/listing.h"
#include "cmd/reading.h"

#define FRAME_BUFFER (64 << 10)

struct run {
	const struct hs_listing *listing;
	const struct hs_args *args;
	struct hs_source *source;
	bool human;  /* a table: messages and headings may stand beside it */
	size_t drawn;
};

/* All that one look prints, in memory: a terminal gets it in one piece, so nothing flickers. */
static char *draw(struct run *run, json_t *document, const struct hs_screen *screen)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	hs_listing_write(run->listing, run->args, out, document, screen);
	fclose(out);
	return text;
}

/* The line for when there is nothing to show. before: items in front of the filters. */
static void describe_nothing(const struct run *run, size_t before, FILE *out)
{
	if (before)
		fprintf(out, "No %s match these filters (%zu without them).\n", run->listing->noun,
			before);
	else
		fprintf(out, "%s\n", run->listing->empty);
}

static void local_time(char text[16])
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(text, 16, "%H:%M:%S", localtime_r(&now, &tm));
}

/* Prints lines up to one less than the terminal has, and says how many are left. */
static void put_lines(const char *text, const struct hs_screen *screen)
{
	int room = screen->height - 3;

	while (*text && room-- > 0) {
		const char *end = strchrnul(text, '\n');

		printf("%.*s\033[K\n", (int)(end - text), text);
		text = *end ? end + 1 : end;
	}
	if (*text) {
		size_t rest = 0;

		for (; *text; text++)
			rest += *text == '\n';
		printf("%s+ %zu more%s\033[K", hs_style_on(HS_DIM, screen->color), rest,
		       hs_style_off(HS_DIM, screen->color));
	}
}

/*
 * A frame overwrites the last one line by line instead of clearing the screen; the terminal does
 * not wrap meanwhile, or a line that is too long would push the rest down.
 */
static void put_frame(struct run *run, const json_t *document, const char *text,
		      const struct hs_screen *screen)
{
	char now[16], node[HS_LABEL_LEN];

	local_time(now);
	hs_display_clean(hs_doc_text(document, "node"), node, sizeof(node));
	printf("%s\033[?7l\033[H", run->drawn ? "" : "\033[2J");
	printf("%s%s%s  %s  %s\033[K\n\033[K\n", hs_style_on(HS_HEADING, screen->color),
	       run->args->program, hs_style_off(HS_HEADING, screen->color), node, now);
	put_lines(text, screen);
	fputs("\033[J\033[?7h", stdout);
}

static void put_appended(const struct run *run, const json_t *document, const char *text)
{
	if (run->human)
		printf("%s# %.19sZ\n", run->drawn ? "\n" : "", hs_doc_text(document, "time"));
	fputs(text, stdout);
}

static void show(struct run *run, json_t *document)
{
	struct hs_screen screen = hs_screen_now(run->args);
	size_t before = json_array_size(json_object_get(document, "items"));
	bool watch = hs_args_flag(run->args, "watch") && run->source->live, nothing;
	char *text = draw(run, document, &screen), hint[256];

	nothing = run->human && (!text || !*text);
	if (nothing) {
		FILE *out = fmemopen(hint, sizeof(hint), "w");

		describe_nothing(run, before, out);
		fclose(out);
	}
	if (watch && screen.tty && run->human)
		put_frame(run, document, nothing ? hint : text, &screen);
	else if (watch)
		put_appended(run, document, nothing ? hint : text);
	else if (nothing)
		fputs(hint, stderr);
	else
		fputs(text, stdout);
	run->drawn++;
	free(text);
}

/* A change of the terminal's size ends the sleep early: draw anew at once. */
static void wait_interval(const struct hs_args *args)
{
	uint64_t ns = hs_args_duration_ns(args, "interval");
	struct timespec time = { (time_t)(ns / HS_NS_PER_SEC), (long)(ns % HS_NS_PER_SEC) };

	nanosleep(&time, NULL);
}

static int run_until_done(struct run *run)
{
	bool again;

	do {
		json_t *document = run->source->get(run->source, run->listing->document);

		if (!document)
			return hs_reading_failed(run->args, run->source);
		show(run, document);
		json_decref(document);
		again = hs_args_flag(run->args, "watch") && run->source->live && hs_output_alive();
		if (again)
			wait_interval(run->args);
	} while (again);
	return hs_output_end(HS_EXIT_OK);
}

int hs_listing_run(const struct hs_listing *listing, const struct hs_args *args)
{
	const char *output = hs_args_text(args, "output");
	bool human = !strcmp(output, "table") || !strcmp(output, "wide");
	struct run run = { .listing = listing, .args = args, .human = human };
	int status;

	if (hs_args_flag(args, "watch") && !human && strcmp(output, "json") != 0) {
		hs_complain("%s: --watch goes with -o table, wide or json, not with %s",
			    args->program, output);
		return HS_EXIT_USAGE;
	}
	run.source = hs_reading_open(args, &status);
	if (!run.source)
		return status;
	hs_interrupt_resize();
	setvbuf(stdout, NULL, _IOFBF, FRAME_BUFFER); /* by lines a terminal would flicker */
	status = run_until_done(&run);
	run.source->close(run.source);
	return status;
}
