// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/resp.h"

#include <string.h>

#define ELEMENTS_MAX (1ll << 40)

static int take_line(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *newline = memchr(*at, '\n', end - *at);

	if (!newline)
		return 0;
	if (newline == *at || newline[-1] != '\r')
		return -EBADMSG;
	*at = newline + 1;
	return 1;
}

/* An element is over; true when the whole answer is. */
static bool complete(struct hs_resp *answer)
{
	struct hs_resp_frame *frame = &answer->frame[answer->depth];

	if (frame->streamed || --frame->left)
		return false;
	if (!answer->depth)
		return true;
	if (answer->attribute == answer->depth)
		answer->attribute = 0;
	answer->depth--; /* an attribute, or in a stream: those who hold it do not count it */
	return false;
}

static int push_frame(struct hs_resp *answer, uint64_t left, bool streamed)
{
	if (answer->depth == HS_RESP_DEPTH_MAX - 1)
		return -EBADMSG;
	answer->frame[++answer->depth] = (struct hs_resp_frame){ .left = left, .streamed = streamed };
	return 0;
}

/* Codes of errors are words in capitals: anything else may be of somebody's data. */
static void take_error(struct hs_resp *answer, const uint8_t *text, size_t length)
{
	size_t i;

	answer->failed = true;
	for (i = 0; i < length && i < HS_CALL_ERROR_LEN - 1 && text[i] > ' '; i++) {
		if (!(text[i] >= 'A' && text[i] <= 'Z') && !(text[i] >= '0' && text[i] <= '9') && text[i] != '_')
			break;
		answer->word[i] = text[i];
	}
	answer->word[i] = '\0';
	if (!i || (i < length && text[i] > ' '))
		strcpy(answer->word, "_OTHER");
}

static void take_word(struct hs_resp *answer, const uint8_t *text, size_t length)
{
	hs_call_text(answer->word, sizeof(answer->word), text, length);
}

static bool is_wanted_error(const struct hs_resp *answer, char type)
{
	return (type == '-' || type == '!') && !answer->attribute && !answer->failed &&
	       (!answer->seen || answer->wants_errors);
}

static bool is_wanted_word(const struct hs_resp *answer, char type)
{
	return answer->wants_word && answer->seen == 1 && !answer->attribute && (type == '$' || type == '+');
}

static int close_element(struct hs_resp *answer)
{
	answer->seen += !answer->attribute;
	return complete(answer) ? HS_RESP_WHOLE : HS_RESP_ELEMENT;
}

/* It was counted when it began. */
static int end_stream(struct hs_resp *answer)
{
	return complete(answer) ? HS_RESP_WHOLE : HS_RESP_ELEMENT;
}

static int take_simple(struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at + 1;
	char type = **at;
	int64_t number;
	int got = take_line(at, end);

	if (got <= 0)
		return got;
	if (is_wanted_error(answer, type))
		take_error(answer, text, *at - 2 - text);
	else if (is_wanted_word(answer, type))
		take_word(answer, text, *at - 2 - text);
	else if (type == ':' && answer->seen == 3 && hs_resp_number(&text, *at, &number) > 0)
		answer->total = number;
	return close_element(answer);
}

/* Bytes of a known length; where their text is wanted, they are waited for. */
static int take_bulk(struct hs_conversation *c, struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at + 1;
	char type = **at;
	bool error = is_wanted_error(answer, type), word = is_wanted_word(answer, type);
	int64_t length, head;
	int got = hs_resp_number(&text, end, &length);

	if (got <= 0 || length > HS_RESP_BULK_MAX)
		return got <= 0 ? got : -EBADMSG;
	if (length < 0 || (type == ';' && !length)) { /* null; the end of chunks */
		*at = text;
		return type == ';' ? end_stream(answer) : close_element(answer);
	}
	head = length < HS_RESP_TEXT_MAX ? length : HS_RESP_TEXT_MAX;
	if ((error || word) && end - text < head)
		return 0;
	if (error)
		take_error(answer, text, head);
	if (word)
		take_word(answer, text, head);
	answer->in_chunk = type == ';';
	if (end - text < length + 2) {
		hs_conversation_skip(c, HS_SERVER, length + 2);
		answer->bytes += length + 2;
		*at = text;
		return 0;
	}
	if (text[length] != '\r' || text[length + 1] != '\n')
		return -EBADMSG;
	*at = text + length + 2;
	return answer->in_chunk ? HS_RESP_ELEMENT : close_element(answer);
}

/* Of what is streamed the length is "?". */
static int take_streamed(struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	char type = **at;

	if (end - *at < 4)
		return 0;
	if ((*at)[2] != '\r' || (*at)[3] != '\n' || type == '|')
		return -EBADMSG;
	*at += 4;
	answer->seen += !answer->attribute;
	return type == '$' || !push_frame(answer, 0, true) ? HS_RESP_ELEMENT : -EBADMSG;
}

static int take_aggregate(struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at + 1;
	char type = **at;
	struct hs_resp_frame *frame = &answer->frame[answer->depth];
	int64_t length;
	int got = hs_resp_number(&text, end, &length);

	if (got <= 0 || length > ELEMENTS_MAX)
		return got <= 0 ? got : -EBADMSG;
	*at = text;
	if (type == '%' || type == '|')
		length *= 2;
	if (type == '|') {
		if (length > 0 && push_frame(answer, length, false))
			return -EBADMSG;
		if (length > 0 && !answer->attribute)
			answer->attribute = answer->depth;
		return HS_RESP_ELEMENT;
	}
	if (length <= 0)
		return close_element(answer);
	answer->seen += !answer->attribute;
	if (frame->streamed)
		return push_frame(answer, length, false) ? -EBADMSG : HS_RESP_ELEMENT;
	frame->left += length - 1;
	return frame->left > (uint64_t)ELEMENTS_MAX ? -EBADMSG : HS_RESP_ELEMENT;
}

/* The end of what is streamed: an element of whoever holds it is over. */
static int take_end(struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	int got = take_line(at, end);

	if (got <= 0)
		return got;
	if (!answer->frame[answer->depth].streamed)
		return -EBADMSG;
	answer->depth--; /* the outermost frame is never streamed */
	return end_stream(answer);
}

int hs_resp_take(struct hs_conversation *c, struct hs_resp *answer, const uint8_t **at, const uint8_t *end)
{
	char type = **at;

	if (!answer->seen && !answer->attribute)
		answer->type = type;
	switch (type) {
	case '+': case '-': case ':': case ',': case '(': case '#': case '_':
		return take_simple(answer, at, end);
	case '$': case '*': case '~': case '%': case '>': case '|':
		if (*at + 1 == end)
			return 0;
		if ((*at)[1] == '?')
			return take_streamed(answer, at, end);
		return type == '$' ? take_bulk(c, answer, at, end) : take_aggregate(answer, at, end);
	case '=': case '!': case ';':
		return take_bulk(c, answer, at, end);
	case '.':
		return take_end(answer, at, end);
	default:
		return -EBADMSG;
	}
}

enum hs_resp_taken hs_resp_skipped(struct hs_resp *answer)
{
	return answer->in_chunk ? HS_RESP_ELEMENT : close_element(answer);
}

void hs_resp_begin(struct hs_resp *answer, uint64_t first_ns)
{
	answer->under_way = true;
	answer->failed = answer->in_chunk = answer->wants_word = answer->wants_errors = false;
	answer->type = answer->word[0] = '\0';
	answer->depth = answer->attribute = 0;
	answer->seen = answer->bytes = 0;
	answer->first_ns = first_ns;
	answer->total = 0;
	answer->frame[0] = (struct hs_resp_frame){ .left = 1 };
}
