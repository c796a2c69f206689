// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redis: RESP2 and RESP3 (redis.io/docs/reference/protocol-spec). Answers come in the order of the
 * requests, however many are under way. Both sides are read element by element in one loop, since
 * a server may answer a million commands in a second: nothing is kept of an element but what names a
 * command or an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "l7/protocols.h"
#include "l7/redis_commands.h"
#include "l7/redis_match.h"
#include "l7/resp.h"

#define CALLS_AT_ONCE 4096
#define WAITING_MAX (1u << 17) /* commands behind those */

enum { CHANNELS, PATTERNS, SHARDS, KINDS };

/* A command that is under way, behind so many others that it is no call yet. */
struct waiting {
	const struct hs_redis_command *command;
	uint64_t first_ns, last_ns, bytes, answers;
};

enum reply_mode { REPLY_NONE, REPLY_ON, REPLY_OFF, REPLY_SKIP };

/* A command, while its arguments are read. */
struct asking {
	const struct hs_redis_command *command; /* NULL until its name has come */
	uint32_t args, seen; /* arguments to come; those that have, the name among them */
	uint64_t first_ns, bytes;
	enum reply_mode mode;
};

struct recent {
	const struct hs_redis_command *command;
	size_t length;
	uint8_t name[16];
};

struct redis {
	struct asking asking;
	struct recent recent;
	struct hs_resp answer;
	uint64_t subscribed[KINDS];
	bool muted, skips_next;  /* CLIENT REPLY OFF, SKIP */
	bool broken;             /* more commands are under way than can be kept */
	uint32_t calls;          /* under way; behind them, those that wait to be calls */
	struct waiting *waiting; /* a ring */
	uint32_t waiting_first, waiting_count, waiting_size;
};

/* ---- commands under way ---- */

static int push_waiting(struct redis *redis, const struct waiting *waiting)
{
	if (redis->waiting_count == redis->waiting_size) {
		uint32_t size = redis->waiting_size ? 2 * redis->waiting_size : 256;
		struct waiting *grown = size <= WAITING_MAX ? malloc(size * sizeof(*grown)) : NULL;

		if (!grown)
			return -ENOMEM;
		for (uint32_t i = 0; i < redis->waiting_count; i++)
			grown[i] = redis->waiting[(redis->waiting_first + i) % redis->waiting_size];
		free(redis->waiting);
		redis->waiting = grown;
		redis->waiting_size = size;
		redis->waiting_first = 0;
	}
	redis->waiting[(redis->waiting_first + redis->waiting_count++) % redis->waiting_size] = *waiting;
	return 0;
}

static struct waiting pop_waiting(struct redis *redis)
{
	struct waiting first = redis->waiting[redis->waiting_first];

	redis->waiting_first = (redis->waiting_first + 1) % redis->waiting_size;
	if (!--redis->waiting_count) {
		free(redis->waiting);
		redis->waiting = NULL;
		redis->waiting_size = redis->waiting_first = 0;
	}
	return first;
}

static const struct hs_redis_command *command_of(const struct hs_call *call)
{
	return (const struct hs_redis_command *)(uintptr_t)call->parser[0];
}

static bool has_role(const struct hs_call *call, enum hs_redis_role role)
{
	return call && command_of(call)->role == role;
}

static struct hs_call *begin_call(struct hs_conversation *c, const struct waiting *waiting)
{
	struct redis *redis = hs_conversation_state(c);
	struct hs_call *call = hs_call_begin(c, 0, waiting->first_ns);

	if (!call) {
		redis->broken = true; /* answers would go to the wrong requests */
		return NULL;
	}
	call->request_end_ns = waiting->last_ns;
	call->request_bytes = waiting->bytes;
	call->parser[0] = (uintptr_t)waiting->command;
	call->parser[1] = waiting->answers;
	memcpy(call->operation, waiting->command->name, sizeof(call->operation));
	redis->calls++;
	return call;
}

static void finish_call(struct hs_conversation *c, struct redis *redis, struct hs_call *call, uint64_t time_ns)
{
	call->response_end_ns = time_ns;
	hs_call_done(c, call);
	redis->calls--;
	while (redis->waiting_count && redis->calls < CALLS_AT_ONCE && !redis->broken) {
		struct waiting next = pop_waiting(redis);

		begin_call(c, &next);
	}
}

/* ---- requests ---- */

/* CLIENT REPLY takes effect with itself; what it says of the next command is over with that. */
static bool is_answered(struct redis *redis, const struct asking *asking)
{
	bool skipped = redis->skips_next;

	redis->skips_next = false;
	if (asking->command->role == HS_REDIS_RESET || asking->mode == REPLY_ON)
		redis->muted = false;
	if (asking->mode == REPLY_OFF)
		redis->muted = true;
	if (asking->mode == REPLY_SKIP)
		redis->skips_next = !redis->muted;
	return asking->mode == REPLY_ON || (!skipped && !redis->muted && asking->mode != REPLY_SKIP);
}

static void add_request(struct hs_conversation *c, struct redis *redis, const struct waiting *waiting)
{
	if (redis->waiting_count || redis->calls >= CALLS_AT_ONCE)
		redis->broken |= push_waiting(redis, waiting) < 0;
	else
		begin_call(c, waiting);
}

/* Its last argument has come. */
static void end_request(struct hs_conversation *c, struct redis *redis, uint64_t last_ns)
{
	const struct asking *asking = &redis->asking;
	struct waiting waiting = {
		.command = asking->command, .first_ns = asking->first_ns, .last_ns = last_ns,
		.bytes = asking->bytes, .answers = 1,
	};

	if (waiting.command->role == HS_REDIS_SUBSCRIBE || waiting.command->role == HS_REDIS_UNSUBSCRIBE)
		waiting.answers = asking->seen - 1; /* 0: as many as there are channels */
	if (!is_answered(redis, asking))
		hs_conversation_undecoded(c); /* nobody can tell how it went */
	else
		add_request(c, redis, &waiting);
	redis->asking = (struct asking){};
}

static bool is_telling(const struct asking *asking)
{
	switch (asking->seen) {
	case 0:
		return true;
	case 1:
		return asking->command->role == HS_REDIS_CONTAINER;
	case 2:
		return asking->command->role == HS_REDIS_REPLY;
	default:
		return false;
	}
}

/* Of CLIENT REPLY; an error is answered. */
static enum reply_mode mode_of(const uint8_t *text, size_t length)
{
	static const char *const words[] = { [REPLY_ON] = "ON", [REPLY_OFF] = "OFF", [REPLY_SKIP] = "SKIP" };

	for (int mode = REPLY_ON; mode <= REPLY_SKIP; mode++)
		if (length == strlen(words[mode]) && !strncasecmp((const char *)text, words[mode], length))
			return mode;
	return REPLY_NONE;
}

/* The same commands come again and again. */
static const struct hs_redis_command *find_command(struct redis *redis, const uint8_t *name, size_t length)
{
	struct recent *recent = &redis->recent;

	if (length && length == recent->length && !memcmp(name, recent->name, length))
		return recent->command;
	recent->command = hs_redis_command(name, length);
	recent->length = length <= sizeof(recent->name) ? length : 0;
	memcpy(recent->name, name, recent->length);
	return recent->command;
}

static void take_name(struct redis *redis, const uint8_t *text, size_t length)
{
	struct asking *asking = &redis->asking;

	if (!asking->seen)
		asking->command = find_command(redis, text, length);
	else if (asking->seen == 1)
		asking->command = hs_redis_subcommand(asking->command, text, length);
	else
		asking->mode = mode_of(text, length);
}

/* An argument. 1; 0: no further for now; -EBADMSG. */
static int take_argument(struct hs_conversation *c, struct redis *redis, const uint8_t **at, const uint8_t *end)
{
	struct asking *asking = &redis->asking;
	const uint8_t *text = *at + 1;
	int64_t length;
	int got;

	if (**at != '$')
		return -EBADMSG;
	got = hs_resp_number(&text, end, &length);
	if (got <= 0)
		return got;
	if (length < 0 || length > HS_RESP_BULK_MAX)
		return -EBADMSG;
	if (is_telling(asking)) {
		if (length <= HS_RESP_TEXT_MAX && end - text < length + 2)
			return 0;
		take_name(redis, text, length <= HS_RESP_TEXT_MAX ? length : 0);
	}
	if (end - text < length + 2) {
		hs_conversation_skip(c, HS_CLIENT, length + 2);
		asking->bytes += length + 2;
		*at = text;
		return 0;
	}
	if (text[length] != '\r' || text[length + 1] != '\n')
		return -EBADMSG;
	*at = text + length + 2;
	asking->seen++;
	asking->args--;
	return 1;
}

/* A command as people type it: words in a line. */
static int take_inline(struct redis *redis, const uint8_t **at, const uint8_t *end)
{
	struct asking *asking = &redis->asking;
	const uint8_t *word = *at, *newline = memchr(*at, '\n', end - *at);

	if ((*word < 'A' || *word > 'z') && *word != '\r' && *word != '\n')
		return -EBADMSG;
	if (!newline)
		return 0;
	*at = newline + 1;
	for (;;) {
		const uint8_t *behind;

		while (word < newline && (*word == ' ' || *word == '\t' || *word == '\r'))
			word++;
		for (behind = word; behind < newline && *behind != ' ' && *behind != '\t' && *behind != '\r';)
			behind++;
		if (behind == word)
			return 1;
		if (is_telling(asking))
			take_name(redis, word, behind - word);
		asking->seen++;
		word = behind;
	}
}

/* What a command begins with: how many arguments it has, or all of it in a line. */
static int take_request(struct redis *redis, const uint8_t **at, const uint8_t *end, uint64_t first_ns)
{
	struct asking *asking = &redis->asking;
	const uint8_t *text = *at + 1;
	int64_t args;
	int got;

	*asking = (struct asking){ .first_ns = first_ns };
	if (**at != '*')
		return take_inline(redis, at, end);
	got = hs_resp_number(&text, end, &args);
	if (got <= 0)
		return got;
	if (args > HS_REDIS_ARGS_MAX)
		return -EBADMSG;
	asking->args = args > 0 ? args : 0; /* without any it is none, and has no answer */
	*at = text;
	return 1;
}

static ssize_t feed_requests(struct hs_conversation *c, struct redis *redis, const struct hs_slice *slice)
{
	const uint8_t *at = slice->bytes, *end = at + slice->length;
	struct asking *asking = &redis->asking;
	uint64_t first_ns = slice->first_ns;

	while (at < end) {
		const uint8_t *begin = at;
		int got = asking->args ? take_argument(c, redis, &at, end) : take_request(redis, &at, end, first_ns);

		if (got < 0 || redis->broken)
			return -EBADMSG;
		asking->bytes += at - begin;
		if (!got)
			break;
		if (!asking->args && asking->command) {
			end_request(c, redis, slice->last_ns);
			first_ns = slice->last_ns;
		}
	}
	return at - slice->bytes;
}

/* ---- subscriptions ---- */

static bool is_subscribed(const struct redis *redis)
{
	return redis->subscribed[CHANNELS] || redis->subscribed[PATTERNS] || redis->subscribed[SHARDS];
}

static unsigned kind_of(const struct hs_redis_command *command)
{
	if (command->name[0] == 'P')
		return PATTERNS;
	return !strcmp(command->name, "SSUBSCRIBE") || !strcmp(command->name, "SUNSUBSCRIBE") ? SHARDS : CHANNELS;
}

/* The list says that a subscription began or ended, and how many there are: of shards, or of the other two kinds. */
static void note_subscription(struct redis *redis, const struct hs_resp *answer)
{
	const struct hs_redis_command *command = hs_redis_command((const uint8_t *)answer->word, strlen(answer->word));
	uint64_t *subscribed, before, total = answer->total > 0 ? answer->total : 0;
	unsigned kind;

	if (command->role != HS_REDIS_SUBSCRIBE && command->role != HS_REDIS_UNSUBSCRIBE)
		return;
	kind = kind_of(command);
	subscribed = &redis->subscribed[kind];
	before = kind == SHARDS ? *subscribed : redis->subscribed[CHANNELS] + redis->subscribed[PATTERNS];
	if (command->role == HS_REDIS_SUBSCRIBE)
		*subscribed += total > before;
	else
		*subscribed -= total < before && *subscribed;
}

static bool is_message(const char *word)
{
	return !strcmp(word, "message") || !strcmp(word, "pmessage") || !strcmp(word, "smessage");
}

/* ---- answers ---- */

static void begin_answer(struct hs_conversation *c, struct redis *redis, uint64_t first_ns)
{
	const struct hs_call *call = hs_call_oldest(c);
	struct hs_resp *answer = &redis->answer;

	hs_resp_begin(answer, first_ns);
	answer->wants_word = !call || has_role(call, HS_REDIS_SUBSCRIBE) || has_role(call, HS_REDIS_UNSUBSCRIBE) ||
			     is_subscribed(redis);
	answer->wants_errors = has_role(call, HS_REDIS_EXEC);
}

/* Without being asked: RESP3 has a type for that, RESP2 lists of a kind, to those who have subscribed. */
static bool is_pushed(const struct redis *redis, const struct hs_call *call, bool confirms)
{
	const struct hs_resp *answer = &redis->answer;

	if (answer->type == '>')
		return !confirms;
	return answer->type == '*' && is_message(answer->word) && (is_subscribed(redis) || !call);
}

/* One answer of several: those before the last do not end the call. */
static bool is_last(const struct redis *redis, struct hs_call *call)
{
	if (!call->parser[1]) /* of all channels that there were, or of none */
		call->parser[1] = redis->subscribed[kind_of(command_of(call))];
	return call->parser[1] <= 1 || !--call->parser[1];
}

static void answer_call(struct hs_conversation *c, struct redis *redis, struct hs_call *call, uint64_t last_ns)
{
	const struct hs_resp *answer = &redis->answer;
	bool ends = has_role(call, HS_REDIS_STREAM) && !answer->failed;

	if (answer->failed)
		strcpy(call->error, answer->word);
	call->failed = answer->failed;
	if (has_role(call, HS_REDIS_RESET) && !answer->failed)
		memset(redis->subscribed, 0, sizeof(redis->subscribed));
	finish_call(c, redis, call, last_ns);
	if (ends)
		hs_conversation_ignore(c);
}

static void end_answer(struct hs_conversation *c, struct redis *redis, uint64_t last_ns)
{
	struct hs_resp *answer = &redis->answer;
	struct hs_call *call = hs_call_oldest(c);
	bool list = answer->type == '*' || answer->type == '>';
	bool confirms = list && call && *answer->word && !strcasecmp(answer->word, call->operation);
	bool last;

	answer->under_way = false;
	if (is_pushed(redis, call, confirms)) {
		note_subscription(redis, answer); /* a shard moved away */
		return;
	}
	if (!call) {
		hs_conversation_undecoded(c); /* nobody asked: too many clients; or its request went by unseen */
		return;
	}
	if (!call->response_ns)
		call->response_ns = answer->first_ns;
	call->response_bytes += answer->bytes;
	last = !confirms || is_last(redis, call);
	if (confirms)
		note_subscription(redis, answer);
	if (last)
		answer_call(c, redis, call, last_ns);
}

/* MONITOR, PSYNC: what comes now is no answer any more. */
static bool begins_stream(struct hs_conversation *c, struct redis *redis, uint8_t type, const struct hs_slice *slice)
{
	struct hs_call *call = hs_call_oldest(c);

	if (!has_role(call, HS_REDIS_STREAM) || type == '-' || type == '>')
		return false;
	begin_answer(c, redis, slice->last_ns);
	call->response_ns = slice->last_ns;
	answer_call(c, redis, call, slice->last_ns);
	return true;
}

static ssize_t feed_answers(struct hs_conversation *c, struct redis *redis, const struct hs_slice *slice)
{
	const uint8_t *at = slice->bytes, *end = at + slice->length;
	struct hs_resp *answer = &redis->answer;
	uint64_t first_ns = slice->first_ns;

	while (at < end) {
		const uint8_t *begin = at;
		int got;

		if (!answer->under_way) {
			if (begins_stream(c, redis, *at, slice))
				return slice->length;
			begin_answer(c, redis, first_ns);
		}
		got = hs_resp_take(c, answer, &at, end);
		if (got < 0)
			return got;
		answer->bytes += at - begin;
		if (!got)
			break;
		if (got == HS_RESP_WHOLE) {
			end_answer(c, redis, slice->last_ns);
			first_ns = slice->last_ns;
		}
	}
	return at - slice->bytes;
}

/* ---- the protocol ---- */

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct redis *redis = hs_conversation_state(c);

	return from == HS_CLIENT ? feed_requests(c, redis, slice) : feed_answers(c, redis, slice);
}

/* A value that was not looked at. */
static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	struct redis *redis = hs_conversation_state(c);
	struct asking *asking = &redis->asking;

	if (from == HS_SERVER) {
		if (hs_resp_skipped(&redis->answer) == HS_RESP_WHOLE)
			end_answer(c, redis, last_ns);
		return;
	}
	asking->seen++;
	if (!--asking->args)
		end_request(c, redis, last_ns);
}

/* What waits to be a call has no answer either. */
static void end(struct hs_conversation *c, uint64_t time_ns)
{
	struct redis *redis = hs_conversation_state(c);

	(void)time_ns;
	while (redis->waiting_count) {
		struct waiting next = pop_waiting(redis);
		struct hs_call *call = begin_call(c, &next);

		if (!call)
			continue;
		call->end = HS_CALL_UNANSWERED;
		hs_call_done(c, call);
	}
}

/* ---- followed by somebody else ---- */

static bool is_at_rest(struct hs_conversation *c)
{
	const struct redis *redis = hs_conversation_state(c);

	return !redis->asking.args && !redis->answer.under_way && !redis->calls && !redis->waiting_count &&
	       !is_subscribed(redis) && !redis->muted && !redis->skips_next && !redis->broken;
}

static bool is_plain(const struct hs_call *call)
{
	const char *name = call->operation;
	const struct hs_redis_command *command = hs_redis_command((const uint8_t *)name, strlen(name));

	return command->role == HS_REDIS_PLAIN && command->name[0] != '_' && !call->failed;
}

static void take_over(struct hs_conversation *c, const struct hs_call *call)
{
	struct redis *redis = hs_conversation_state(c);
	const char *name = call->operation;
	struct waiting waiting = {
		.command = hs_redis_command((const uint8_t *)name, strlen(name)), .first_ns = call->request_ns,
		.last_ns = call->request_end_ns, .bytes = call->request_bytes, .answers = 1,
	};

	add_request(c, redis, &waiting);
}

static void free_state(void *state)
{
	struct redis *redis = state;

	free(redis->waiting);
}

const struct hs_protocol hs_protocol_redis = {
	.name = "redis",
	.kind = HS_PROTOCOL_DB,
	.state_size = sizeof(struct redis),
	.needs = HS_NEEDS_ALL, /* a pipeline is longer than a head */
	.match = hs_redis_match,
	.boundary = hs_redis_boundary,
	.feed = feed,
	.skipped = skipped,
	.end = end,
	.is_at_rest = is_at_rest,
	.is_plain = is_plain,
	.take_over = take_over,
	.free = free_state,
};
