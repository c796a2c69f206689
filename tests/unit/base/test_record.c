/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/record.h"

static const size_t sizes[HS_EV_MAX] = {
	[HS_EV_PROCESS] = sizeof(struct hs_ev_process),
	[HS_EV_CONNECTION] = sizeof(struct hs_ev_connection),
	[HS_EV_ACCEPT] = sizeof(struct hs_ev_socket),
	[HS_EV_LISTENER] = sizeof(struct hs_ev_listener),
	[HS_EV_RETRANSMIT] = sizeof(struct hs_ev_retransmit),
	[HS_EV_RESET] = sizeof(struct hs_ev_reset),
	[HS_EV_SOCKET_ERROR] = sizeof(struct hs_ev_error),
	[HS_EV_CONNECT_ERROR] = sizeof(struct hs_ev_error),
	[HS_EV_PASS] = sizeof(struct hs_ev_pass),
	[HS_EV_LOSS] = sizeof(struct hs_ev_loss),
	[HS_EV_DROP] = sizeof(struct hs_ev_drop),
	[HS_EV_COUNTERS] = HS_EV_COUNTERS_SIZE,
	[HS_EV_STATUS] = sizeof(struct hs_ev_status),
	[HS_EV_ADDRESS] = sizeof(struct hs_ev_address),
	[HS_EV_DATA] = sizeof(struct hs_ev_data),
	[HS_EV_CALL] = sizeof(struct hs_ev_call),
	[HS_EV_COUNTED] = sizeof(struct hs_ev_counted),
	[HS_EV_LATENCIES] = sizeof(struct hs_ev_latencies),
	[HS_EV_DATAGRAM] = sizeof(struct hs_ev_datagram),
};

/* Checks a record of which so many bytes are there, and no byte more can be read. */
static int check(unsigned kind, size_t says, size_t there)
{
	struct hs_event *event = calloc(1, there ? there : 1);
	struct hs_event header = { .kind = kind, .size = says };
	int error;

	memcpy(event, &header, there < sizeof(header) ? there : sizeof(header));
	error = hs_record_check(event, there);
	free(event);
	return error;
}

static void sizes_of_every_kind(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < HS_EV_MAX; kind++) {
		size_t size = sizes[kind];

		if (!size)
			fail_msg("kind %u has no size here", kind);
		assert_int_equal(size % 8, 0);
		assert_int_equal(check(kind, size, size), 0);
		assert_int_equal(check(kind, size, size + 100), 0);
		assert_int_equal(check(kind, size + 8, size + 8), 0); /* of a later version */
		assert_int_equal(check(kind, size - 8, size), -EBADMSG);
		assert_int_equal(check(kind, size, size - 1), -EBADMSG);
		assert_int_equal(check(kind, size + 4, size + 8), -EBADMSG); /* no multiple of eight */
		assert_int_equal(check(kind, UINT16_MAX & ~7, size), -EBADMSG);
		assert_int_equal(check(kind, 0, size), -EBADMSG);
	}
}

/* As many bins as it says have to be inside. */
static void bins_are_inside(void **state)
{
	struct {
		struct hs_ev_latencies head;
		struct hs_bin bins[2];
	} record = {
		.head.event = { .kind = HS_EV_LATENCIES, .size = sizeof(record) }, .head.count = 2,
	};

	(void)state;
	assert_int_equal(hs_record_check(&record.head.event, sizeof(record)), 0);
	record.head.count = 3;
	assert_int_equal(hs_record_check(&record.head.event, sizeof(record)), -EBADMSG);
	record.head.count = UINT32_MAX;
	assert_int_equal(hs_record_check(&record.head.event, sizeof(record)), -EBADMSG);
}

/* An opening has nothing to tell of its tcp_sock yet, and ends before that part. */
static void an_opening_is_shorter(void **state)
{
	struct hs_ev_connection record = {
		.socket.event = { .kind = HS_EV_CONNECTION, .size = HS_EV_CONNECTION_OPEN_SIZE },
		.socket.phase = HS_PHASE_OPEN,
	};

	(void)state;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_OPEN_SIZE), 0);
	record.socket.event.size -= 8;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_OPEN_SIZE), -EBADMSG);
	record.socket.event.size += 8;
	record.socket.phase = HS_PHASE_CLOSE;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_OPEN_SIZE), -EBADMSG);
	record.socket.phase = HS_PHASE_SAMPLE;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_OPEN_SIZE), -EBADMSG);
}

static void a_close_may_be_brief(void **state)
{
	struct hs_ev_connection record = {
		.socket.event = { .kind = HS_EV_CONNECTION, .size = HS_EV_CONNECTION_BRIEF_SIZE },
		.socket.phase = HS_PHASE_CLOSE,
	};

	(void)state;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_BRIEF_SIZE), 0);
	record.socket.phase = HS_PHASE_ABANDONED;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_BRIEF_SIZE), -EBADMSG);
	record.socket.phase = HS_PHASE_CLOSE;
	record.socket.event.size -= 8;
	assert_int_equal(hs_record_check(&record.socket.event, HS_EV_CONNECTION_BRIEF_SIZE), -EBADMSG);
}

/* What is said to be captured is in the record, and no more than the segment had. */
static void payload_is_inside(void **state)
{
	static const struct {
		uint32_t length;
		uint16_t captured, room;
		int error;
	} cases[] = {
		{ 0, 0, 0, 0 }, { 5, 5, 8, 0 }, { 8, 8, 8, 0 }, { 70000, 8, 8, 0 }, { 5, 0, 0, 0 },
		{ 9, 9, 8, -EBADMSG }, { 5, 6, 8, -EBADMSG }, { 5, 5, 0, -EBADMSG }, { UINT32_MAX, UINT16_MAX, 8, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t size = sizeof(struct hs_ev_data) + cases[i].room;
		struct hs_ev_data *data = calloc(1, size);

		data->event = (struct hs_event){ .kind = HS_EV_DATA, .size = size };
		data->length = cases[i].length;
		data->captured = cases[i].captured;
		assert_int_equal(hs_record_check(&data->event, size), cases[i].error);
		free(data);
	}
}

static void every_size(void **state)
{
	(void)state;
	for (size_t size = 0; size < 2048; size++) {
		bool good = size >= sizeof(struct hs_ev_connection) && size % 8 == 0;

		assert_int_equal(check(HS_EV_CONNECTION, size, size), good ? 0 : -EBADMSG);
	}
}

static void kinds(void **state)
{
	(void)state;
	assert_int_equal(check(0, 16, 16), -EBADMSG);
	assert_int_equal(check(HS_EV_MAX, 1024, 1024), -EBADMSG);
	assert_int_equal(check(UINT16_MAX, 1024, 1024), -EBADMSG);
}

/* Less than a header is not looked into at all. */
static void headers(void **state)
{
	(void)state;
	for (size_t there = 0; there < sizeof(struct hs_event); there++)
		assert_int_equal(check(HS_EV_PASS, sizeof(struct hs_ev_pass), there), -EBADMSG);
}

/* No more may be said to be captured than there is, in the datagram and in the record. */
static void captured_bytes(void **state)
{
	static _Alignas(8) char buffer[sizeof(struct hs_ev_datagram) + 16];
	struct hs_ev_datagram *datagram = (void *)buffer;

	(void)state;
	datagram->event = (struct hs_event){ .kind = HS_EV_DATAGRAM, .size = sizeof(buffer) };
	datagram->length = 100;
	datagram->captured = 16;
	assert_int_equal(hs_record_check(&datagram->event, sizeof(buffer)), 0);
	datagram->captured = 17;
	assert_int_equal(hs_record_check(&datagram->event, sizeof(buffer)), -EBADMSG);
	datagram->captured = 16;
	datagram->length = 15;
	assert_int_equal(hs_record_check(&datagram->event, sizeof(buffer)), -EBADMSG);
}

/* They are label values: each one there, and no two alike. */
static void losses_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < HS_LOSS_MAX; i++) {
		const char *name = hs_loss_name(i);

		assert_non_null(name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_string_not_equal(name, "unknown");
		assert_true(*name);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(name, hs_loss_name(j));
	}
	assert_string_equal(hs_loss_name(HS_LOSS_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_every_kind),
		cmocka_unit_test(bins_are_inside),
		cmocka_unit_test(an_opening_is_shorter),
		cmocka_unit_test(a_close_may_be_brief),
		cmocka_unit_test(payload_is_inside),
		cmocka_unit_test(every_size),
		cmocka_unit_test(kinds),
		cmocka_unit_test(headers),
		cmocka_unit_test(captured_bytes),
		cmocka_unit_test(losses_have_names),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
