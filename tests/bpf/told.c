/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "told.h"

#include <sys/wait.h>
#include <unistd.h>

struct pair open_pair(const struct address *address)
{
	struct pair pair;
	uint16_t port;

	pair.listener = listen_on(address, &port, 4);
	pair.client = connect_to(address, port);
	pair.server = accept_from(pair.listener);
	pair.client_cookie = cookie_of(pair.client);
	pair.server_cookie = cookie_of(pair.server);
	return pair;
}

void close_pair(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
	close(pair->listener);
}

static bool advance(struct told *told, uint32_t begin, uint32_t end)
{
	if ((int32_t)(begin - told->next) > 0)
		return false;
	if ((int32_t)(end - told->next) > 0)
		told->next = end;
	return true;
}

/* The hole may have been filled. */
static void catch_up(struct told *told)
{
	for (size_t i = 0; i < told->ahead_count;) {
		if (advance(told, told->ahead[i].begin, told->ahead[i].end)) {
			told->ahead[i] = told->ahead[--told->ahead_count];
			i = 0;
		} else {
			i++;
		}
	}
}

static void add(struct told *told, const struct hs_ev_data *data)
{
	uint32_t begin = data->position - data->before_bytes, end = data->position + data->length;

	if (!told->begun)
		told->first = told->next = begin;
	told->begun = true;
	if (told->expected && data->captured)
		assert_memory_equal(data->bytes, told->expected + (uint32_t)(data->position - told->first), data->captured);
	if (!advance(told, begin, end)) {
		assert_true(told->ahead_count < TOLD_AHEAD_MAX);
		told->ahead[told->ahead_count].begin = begin;
		told->ahead[told->ahead_count++].end = end;
	}
	catch_up(told);
	told->records++;
	told->bytes = told->next - told->first;
	told->captured += data->captured;
}

static bool counts(const void *record, const void *arg)
{
	const struct hs_ev_data *data = record;
	struct told *told = (void *)arg;

	if (data->cookie == told->cookie && data->direction == told->direction)
		add(told, data);
	return false;
}

struct told tell(uint64_t cookie, enum hs_direction direction, const void *expected)
{
	struct told told = { .cookie = cookie, .direction = direction, .expected = expected };

	find_record(HS_EV_DATA, counts, &told);
	return told;
}

struct amount {
	uint64_t cookie, bytes;
	enum hs_direction direction;
};

static bool is_told(const void *arg)
{
	const struct amount *amount = arg;

	return tell(amount->cookie, amount->direction, NULL).bytes >= amount->bytes;
}

struct told await_bytes(uint64_t cookie, enum hs_direction direction, uint64_t bytes, const void *expected)
{
	struct amount amount = { cookie, bytes, direction };
	struct told told;

	wait_until(is_told, &amount);
	told = tell(cookie, direction, expected);
	assert_int_equal(told.bytes, bytes);
	assert_int_equal(told.ahead_count, 0);
	return told;
}

uint8_t *pattern(size_t size)
{
	uint8_t *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = i * 7 + (i >> 8) * 13;
	return bytes;
}

void stream(int from, int to, const uint8_t *bytes, size_t size)
{
	pid_t reader = fork();
	int status;

	if (!reader) {
		receive_all(to, size);
		_exit(0);
	}
	send_all(from, bytes, size);
	waitpid(reader, &status, 0);
	assert_int_equal(status, 0);
}
