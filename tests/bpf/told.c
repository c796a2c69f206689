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

static void add(struct told *told, const struct hs_ev_data *data)
{
	uint32_t begin = data->position - data->before_bytes;

	if (told->begun && begin != told->next)
		told->holes = true;
	if (told->expected && data->captured)
		assert_memory_equal(data->bytes, told->expected + told->bytes + data->before_bytes, data->captured);
	told->begun = true;
	told->next = data->position + data->length;
	told->records++;
	told->bytes += data->before_bytes + data->length;
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
	assert_false(told.holes);
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
