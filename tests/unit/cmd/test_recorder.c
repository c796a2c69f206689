/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings come back as they were written; anything else is one clear line, never a crash. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "cmd/recorder.h"

#define RECORDS 40

static char path[64];
static char message[256];

/* What was played. */
static struct {
	unsigned begun, records;
	struct hs_recording_header header;
	char bytes[RECORDS * 300];
	size_t length;
} played;

static void on_begin(void *arg, const struct hs_recording_header *header)
{
	assert_ptr_equal(arg, &played);
	assert_int_equal(played.records, 0);
	played.begun++;
	played.header = *header;
}

static void on_record(void *arg, const struct hs_event *event)
{
	assert_ptr_equal(arg, &played);
	assert_int_equal(played.begun, 1);
	assert_int_equal((uintptr_t)event % 8, 0);
	if (played.length + event->size <= sizeof(played.bytes)) {
		memcpy(played.bytes + played.length, event, event->size);
		played.length += event->size;
	}
	played.records++;
}

static int play(void)
{
	struct hs_recording_header header;

	memset(&played, 0, sizeof(played));
	memset(message, 0, sizeof(message));
	return hs_recording_play(path, &header, on_begin, on_record, &played, message, sizeof(message));
}

static int make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/hopscope-test-recording-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* Records of many kinds and sizes; their bytes, one after another, are in *want. */
static size_t record_some(char *want)
{
	struct hs_recorder *recorder;
	size_t length = 0;

	assert_int_equal(hs_recorder_open(path, &recorder), 0);
	for (int i = 0; i < RECORDS; i++) {
		union {
			struct hs_ev_connection connection;
			struct hs_ev_pass pass;
			char bytes[300];
		} record;
		size_t size = i % 3 ? sizeof(struct hs_ev_connection) : sizeof(struct hs_ev_pass);

		for (size_t j = 0; j < sizeof(record.bytes); j++)
			record.bytes[j] = (char)(i * 31 + j * 7);
		record.pass.event.kind = i % 3 ? HS_EV_CONNECTION : HS_EV_PASS;
		record.pass.event.size = size;
		hs_recorder_write(recorder, &record.pass.event);
		memcpy(want + length, &record, size);
		length += size;
	}
	assert_int_equal(hs_recorder_close(recorder), 0);
	return length;
}

static void comes_back_as_it_was(void **state)
{
	static char want[RECORDS * 300];
	size_t length = record_some(want);
	struct utsname uts;

	(void)state;
	uname(&uts);
	assert_int_equal(play(), 0);
	assert_int_equal(played.records, RECORDS);
	assert_int_equal(played.length, length);
	assert_memory_equal(played.bytes, want, length);
	assert_int_equal(played.header.self_pid, getpid());
	assert_string_equal(played.header.node, uts.nodename);
	assert_string_equal(played.header.kernel, uts.release);
	assert_true(played.header.realtime_offset_ns != 0);
}

static void nothing_recorded_is_a_recording(void **state)
{
	struct hs_recorder *recorder;

	(void)state;
	assert_int_equal(hs_recorder_open(path, &recorder), 0);
	assert_int_equal(hs_recorder_close(recorder), 0);
	assert_int_equal(play(), 0);
	assert_int_equal(played.begun, 1);
	assert_int_equal(played.records, 0);
}

static size_t load(unsigned char *bytes, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(bytes, 1, size, file);
	fclose(file);
	return length;
}

static void store(const void *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static bool one_line(const char *text)
{
	return *text && !strchr(text, '\n');
}

static void cut_off_anywhere(void **state)
{
	static char want[RECORDS * 300];
	static unsigned char bytes[65536];
	unsigned most = 0;
	size_t length;

	(void)state;
	record_some(want);
	length = load(bytes, sizeof(bytes));
	for (size_t at = 0; at < length; at++) {
		char expected[64];

		store(bytes, at);
		assert_int_equal(play(), -EBADMSG);
		assert_true(one_line(message));
		assert_true(played.records >= most); /* what is whole is played */
		most = played.records;
		snprintf(expected, sizeof(expected), "damaged or cut off after %u records", played.records);
		if (played.begun)
			assert_string_equal(message, expected);
		else
			assert_non_null(strstr(message, "not a recording of hopscope"));
		assert_memory_equal(played.bytes, want, played.length);
	}
	assert_true(most >= RECORDS - 1);
}

/* The same in an uncompressed file, where every cut inside a record is seen for itself. */
static size_t make_plain(unsigned char *bytes)
{
	struct hs_recording_header header = {
		.magic = HS_RECORDING_MAGIC, .version = HS_RECORDING_VERSION, .size = sizeof(header),
	};
	struct hs_ev_pass pass = { .event = { .kind = HS_EV_PASS, .size = sizeof(pass) } };

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &pass, sizeof(pass));
	memcpy(bytes + sizeof(header) + sizeof(pass), &pass, sizeof(pass));
	return sizeof(header) + 2 * sizeof(pass);
}

static void cut_off_inside_a_record(void **state)
{
	unsigned char bytes[512];
	size_t length = make_plain(bytes);

	(void)state;
	for (size_t at = 0; at <= length; at++) {
		size_t body = at - sizeof(struct hs_recording_header);
		bool whole = at >= sizeof(struct hs_recording_header) && body % sizeof(struct hs_ev_pass) == 0;

		store(bytes, at);
		assert_int_equal(play(), whole ? 0 : -EBADMSG);
		if (whole)
			assert_int_equal(played.records, body / sizeof(struct hs_ev_pass));
		else
			assert_true(one_line(message));
	}
}

static void records_that_make_no_sense(void **state)
{
	static const struct {
		uint16_t kind, size;
	} headers[] = {
		{ 0, 24 }, { HS_EV_MAX, 24 }, { HS_EV_PASS, 0 }, { HS_EV_PASS, 15 }, { HS_EV_PASS, 16 },
		{ HS_EV_PASS, 20 }, { HS_EV_PASS, UINT16_MAX }, { HS_EV_CONNECTION, 24 },
	};
	unsigned char bytes[512];
	size_t length = make_plain(bytes);

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		unsigned char *second = bytes + sizeof(struct hs_recording_header) + sizeof(struct hs_ev_pass);

		memcpy(second, &headers[i], sizeof(headers[i]));
		store(bytes, length);
		assert_int_equal(play(), -EBADMSG);
		assert_int_equal(played.records, 1);
		assert_string_equal(message, "damaged or cut off after 1 records");
	}
}

static void flipped_anywhere(void **state)
{
	static char want[RECORDS * 300];
	static unsigned char bytes[65536];
	size_t length;

	(void)state;
	record_some(want);
	length = load(bytes, sizeof(bytes));
	for (size_t at = 0; at < length; at++) {
		bytes[at] ^= 0x41;
		store(bytes, length);
		if (play()) /* some bytes of gzip's own header mean nothing */
			assert_true(one_line(message));
		else
			assert_memory_equal(played.bytes, want, played.length);
		bytes[at] ^= 0x41;
	}
}

static void foreign(const void *bytes, size_t length)
{
	store(bytes, length);
	assert_int_equal(play(), -EBADMSG);
	assert_int_equal(played.begun, 0);
	assert_string_equal(message, "not a recording of hopscope (made by `hopscope record FILE`)");
}

static void foreign_files(void **state)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";
	unsigned char zeroes[4096] = { 0 };
	gzFile file;

	(void)state;
	foreign("", 0);
	foreign(text, sizeof(text));
	foreign(zeroes, sizeof(zeroes));
	file = gzopen(path, "wb");
	assert_int_equal(gzwrite(file, zeroes, sizeof(zeroes)), sizeof(zeroes));
	gzclose(file);
	assert_int_equal(play(), -EBADMSG);
	assert_non_null(strstr(message, "not a recording of hopscope"));
}

static void random_bytes(void **state)
{
	uint64_t seed = 7;
	unsigned char bytes[1024];

	(void)state;
	for (int run = 0; run < 500; run++) {
		size_t length = run * 2;

		for (size_t i = 0; i < length; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			bytes[i] = seed >> 56;
		}
		if (run % 2 && length > 2)
			memcpy(bytes, "\x1f\x8b\x08", 3); /* as gzip begins */
		store(bytes, length);
		assert_int_equal(play(), -EBADMSG);
		assert_true(one_line(message));
	}
}

/* Behind the header, anything: sizes and kinds at random. */
static void random_records(void **state)
{
	unsigned char bytes[4096];
	uint64_t seed = 11;

	(void)state;
	for (int run = 0; run < 500; run++) {
		make_plain(bytes);
		for (size_t i = sizeof(struct hs_recording_header); i < sizeof(bytes); i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			bytes[i] = (seed >> 60) ? (seed >> 56) % 12 : seed >> 48;
		}
		store(bytes, sizeof(bytes));
		if (play())
			assert_true(one_line(message));
	}
}

static void another_version(void **state)
{
	unsigned char bytes[512];
	size_t length = make_plain(bytes);
	struct hs_recording_header header;

	(void)state;
	memcpy(&header, bytes, sizeof(header));
	header.version = 7;
	memcpy(bytes, &header, sizeof(header));
	store(bytes, length);
	assert_int_equal(play(), -EBADMSG);
	assert_string_equal(message, "a recording of version 7, this hopscope reads version 2");
	assert_int_equal(played.begun, 0);
	header.version = HS_RECORDING_VERSION;
	header.size = 12;
	memcpy(bytes, &header, sizeof(header));
	store(bytes, length);
	assert_int_equal(play(), -EBADMSG);
}

/* Names in the header that do not end are made to. */
static void names_in_the_header_end(void **state)
{
	unsigned char bytes[512];
	size_t length = make_plain(bytes);
	struct hs_recording_header header;

	(void)state;
	memcpy(&header, bytes, sizeof(header));
	memset(header.node, 'n', sizeof(header.node));
	memset(header.kernel, 'k', sizeof(header.kernel));
	memcpy(bytes, &header, sizeof(header));
	store(bytes, length);
	assert_int_equal(play(), 0);
	assert_int_equal(strlen(played.header.node), 63);
	assert_int_equal(strlen(played.header.kernel), 63);
}

static void files_that_cannot_be(void **state)
{
	struct hs_recording_header header;
	struct hs_recorder *recorder;

	(void)state;
	assert_int_equal(hs_recorder_open("/nowhere/file", &recorder), -ENOENT);
	assert_int_equal(hs_recorder_open("/tmp", &recorder), -EISDIR);
	assert_int_equal(hs_recording_play("/nowhere/file", &header, on_begin, on_record, &played, message,
					   sizeof(message)), -ENOENT);
	assert_string_equal(message, "No such file or directory");
	memset(message, 0, sizeof(message));
	assert_true(hs_recording_play("/tmp", &header, on_begin, on_record, &played, message,
				      sizeof(message)) < 0);
	assert_true(one_line(message));
}

static void a_full_disk_is_told(void **state)
{
	struct hs_ev_pass pass = { .event = { .kind = HS_EV_PASS, .size = sizeof(pass) } };
	struct hs_recorder *recorder;
	uint64_t seed = 1;

	(void)state;
	assert_int_equal(hs_recorder_open("/dev/full", &recorder), 0);
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		pass.event.time_ns = seed; /* does not compress */
		hs_recorder_write(recorder, &pass.event);
	}
	assert_int_equal(hs_recorder_close(recorder), -ENOSPC);
	assert_int_equal(hs_recorder_open("/dev/full", &recorder), 0);
	assert_int_equal(hs_recorder_close(recorder), -ENOSPC); /* told by the end alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(nothing_recorded_is_a_recording),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(cut_off_inside_a_record),
		cmocka_unit_test(records_that_make_no_sense),
		cmocka_unit_test(flipped_anywhere),
		cmocka_unit_test(foreign_files),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(random_records),
		cmocka_unit_test(another_version),
		cmocka_unit_test(names_in_the_header_end),
		cmocka_unit_test(files_that_cannot_be),
		cmocka_unit_test(a_full_disk_is_told),
	};

	return cmocka_run_group_tests_name("recorder", tests, make_file, remove_file);
}
