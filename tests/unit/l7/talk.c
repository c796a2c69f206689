// SPDX-License-Identifier: GPL-2.0-or-later
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>

static void on_call(void *arg, const struct hs_protocol *protocol, const struct hs_call *call)
{
	struct talk *talk = arg;

	talk->protocol = protocol;
	if (talk->call_count < TALK_CALLS_MAX)
		talk->calls[talk->call_count] = *call;
	talk->call_count++;
}

static void on_loss(void *arg, const struct hs_protocol *protocol, enum hs_l7_loss loss, uint64_t count)
{
	struct talk *talk = arg;

	(void)protocol;
	talk->losses[loss] += count;
}

static const struct hs_conversation_events events = { on_call, on_loss };

void talk_begin(struct talk *talk, bool late)
{
	*talk = (struct talk){ .now_ns = TALK_START_NS, .position = { 0xfffffff0, 77 } }; /* one wraps */
	talk->conversation = hs_conversation_new(late, &events, talk);
}

void talk_segment(struct talk *talk, enum hs_side from, const void *bytes, size_t length, size_t captured)
{
	/* In memory of its own size: a read beyond it is seen. */
	uint8_t *copy = malloc(captured ? captured : 1);
	struct hs_segment segment = {
		.from = from, .position = talk->position[from], .length = length,
		.captured = captured, .bytes = captured ? copy : NULL, .time_ns = talk->now_ns,
	};

	memcpy(copy, bytes, captured);
	hs_conversation_feed(talk->conversation, &segment);
	free(copy);
	talk->position[from] += length;
	talk->now_ns += TALK_STEP_NS;
}

void talk_lose(struct talk *talk, enum hs_side from, size_t length)
{
	talk->position[from] += length;
}

void talk_end(struct talk *talk)
{
	hs_conversation_end(talk->conversation, talk->now_ns);
	hs_conversation_free(talk->conversation);
	talk->conversation = NULL;
}

static const char *const ends[] = {
	[HS_CALL_ANSWERED] = "answered", [HS_CALL_CANCELLED] = "cancelled", [HS_CALL_UNANSWERED] = "unanswered",
};

void talk_write(const struct talk *talk, char *text, size_t size)
{
	size_t at = 0;

	*text = '\0';
	for (size_t i = 0; i < talk->call_count && i < TALK_CALLS_MAX && at < size; i++) {
		const struct hs_call *call = &talk->calls[i];

		at += snprintf(text + at, size - at, "%s %s %d %s %llu %llu %s%s\n",
			       *call->operation ? call->operation : "-", *call->target ? call->target : "-",
			       call->status, *call->error ? call->error : "-",
			       (unsigned long long)call->request_bytes, (unsigned long long)call->response_bytes,
			       ends[call->end], call->failed ? " failed" : "");
	}
}

static size_t length_of(const struct turn *turn)
{
	return turn->length ? turn->length : strlen(turn->bytes);
}

/* In pieces of `step` bytes each, with another border at `cut` of the whole; ends before `stop`. */
static void say(struct talk *talk, const struct turn *turns, size_t count, size_t step, size_t cut, size_t stop)
{
	size_t whole = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = length_of(&turns[i]), at = 0;

		while (at < length && whole < stop) {
			size_t piece = length - at < step ? length - at : step;

			if (whole < cut && whole + piece > cut)
				piece = cut - whole;
			if (whole + piece > stop)
				piece = stop - whole;
			talk_segment(talk, turns[i].from, turns[i].bytes + at, piece, piece);
			at += piece;
			whole += piece;
		}
	}
}

static void expect(const struct turn *turns, size_t count, size_t step, size_t cut, const char *expected)
{
	struct talk talk;
	char text[TALK_CALLS_MAX * 400];

	talk_begin(&talk, false);
	say(&talk, turns, count, step, cut, SIZE_MAX);
	talk_end(&talk);
	talk_write(&talk, text, sizeof(text));
	if (strcmp(text, expected))
		print_error("in pieces of %zu, cut at %zu\n", step, cut);
	assert_string_equal(text, expected);
	for (int i = 0; i < HS_L7_LOSS_MAX; i++)
		assert_int_equal(talk.losses[i], 0);
}

void talk_check(const struct turn *turns, size_t count, const char *expected)
{
	size_t whole = 0;

	for (size_t i = 0; i < count; i++)
		whole += length_of(&turns[i]);
	expect(turns, count, SIZE_MAX, 0, expected);
	expect(turns, count, 1, 0, expected);
	for (size_t cut = 1; cut < whole; cut++)
		expect(turns, count, SIZE_MAX, cut, expected);
	for (size_t stop = 0; stop < whole; stop++) {
		struct talk talk;

		talk_begin(&talk, false);
		say(&talk, turns, count, SIZE_MAX, 0, stop);
		talk_end(&talk);
	}
}
