/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload read at system calls: whatever the call, every byte is told once, in its place. What both rungs have in
 * common is in test_data.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "told.h"

#define HOOKS "connection,payload:syscalls"

static const char text[] = "one two three four";
enum { LENGTH = sizeof(text) - 1 };

/* The text in three buffers, one of them empty. */
static void split(struct iovec parts[3], char *bytes)
{
	parts[0] = (struct iovec){ bytes, 4 };
	parts[1] = (struct iovec){ bytes + 4, 0 };
	parts[2] = (struct iovec){ bytes + 4, LENGTH - 4 };
}

static ssize_t by_write(int fd, char *bytes)
{
	return write(fd, bytes, LENGTH);
}

static ssize_t by_writev(int fd, char *bytes)
{
	struct iovec parts[3];

	split(parts, bytes);
	return writev(fd, parts, 3);
}

static ssize_t by_sendto(int fd, char *bytes)
{
	return sendto(fd, bytes, LENGTH, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t by_sendmsg(int fd, char *bytes)
{
	struct iovec parts[3];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };

	split(parts, bytes);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t by_read(int fd, char *bytes)
{
	return read(fd, bytes, LENGTH);
}

static ssize_t by_readv(int fd, char *bytes)
{
	struct iovec parts[3];

	split(parts, bytes);
	return readv(fd, parts, 3);
}

static ssize_t by_recvfrom(int fd, char *bytes)
{
	return recvfrom(fd, bytes, LENGTH, MSG_WAITALL, NULL, NULL);
}

static ssize_t by_recvmsg(int fd, char *bytes)
{
	struct iovec parts[3];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };

	split(parts, bytes);
	return recvmsg(fd, &message, MSG_WAITALL);
}

/* Each way to write, each way to read. */
static void every_call(void **state)
{
	static ssize_t (*const writes[])(int, char *) = { by_write, by_writev, by_sendto, by_sendmsg };
	static ssize_t (*const reads[])(int, char *) = { by_read, by_readv, by_recvfrom, by_recvmsg };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char out[LENGTH + 1], in[LENGTH];
		struct told told;
		struct pair pair;

		watch(HOOKS);
		pair = open_pair(&v4);
		memcpy(out, text, sizeof(text));
		assert_int_equal(writes[i](pair.client, out), LENGTH);
		assert_int_equal(reads[i](pair.server, in), LENGTH);
		assert_memory_equal(in, text, LENGTH);
		told = await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, LENGTH, text);
		assert_int_equal(told.captured, LENGTH);
		told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, LENGTH, text);
		assert_int_equal(told.captured, LENGTH);
		close_pair(&pair);
	}
}

/* As many as the kernel takes. */
static void many_buffers(void **state)
{
	enum { BUFFERS = UIO_MAXIOV, EACH = 4 };
	struct iovec parts[BUFFERS];
	uint8_t *bytes = pattern(BUFFERS * EACH);
	struct told told;
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < BUFFERS; i++)
		parts[i] = (struct iovec){ bytes + i * EACH, EACH };
	watch(HOOKS);
	pair = open_pair(&v4);
	assert_int_equal(writev(pair.client, parts, BUFFERS), BUFFERS * EACH);
	told = await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, BUFFERS * EACH, bytes);
	assert_int_equal(told.captured, BUFFERS * EACH);
	close_pair(&pair);
	free(bytes);
}

/* Looking is not reading, and what is thrown away has no bytes to tell. */
static void looked_at_and_thrown_away(void **state)
{
	struct told told;
	struct pair pair;
	char in[LENGTH];

	(void)state;
	watch(HOOKS);
	pair = open_pair(&v4);
	send_all(pair.client, text, LENGTH);
	assert_int_equal(recv(pair.server, in, LENGTH, MSG_PEEK | MSG_WAITALL), LENGTH);
	assert_int_equal(recv(pair.server, in, 4, MSG_WAITALL), 4);
	assert_int_equal(recv(pair.server, in, 4, MSG_TRUNC | MSG_WAITALL), 4);
	assert_int_equal(recv(pair.server, in, LENGTH - 8, MSG_WAITALL), LENGTH - 8);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, LENGTH, text);
	assert_int_equal(told.captured, LENGTH - 4);
	close_pair(&pair);
}

/* The last bytes are read together with the end of the stream. */
static void end_of_stream(void **state)
{
	struct pair pair;
	char in[LENGTH];
	int on = 1;

	(void)state;
	watch(HOOKS);
	pair = open_pair(&v4);
	send_all(pair.client, text, 4);
	receive_all(pair.server, 4);
	assert_int_equal(setsockopt(pair.client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
	send_all(pair.client, text + 4, LENGTH - 4);
	shutdown(pair.client, SHUT_WR);
	assert_int_equal(recv(pair.server, in, LENGTH, MSG_WAITALL), LENGTH - 4);
	await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, LENGTH, text);
	close_pair(&pair);
}

/* The peer's answer may come, and be read, before a call that writes has returned. */
static void told_before_it_returns(void **state)
{
	const size_t size = 8 << 20;
	uint8_t *bytes = pattern(size);
	struct pair pair;
	pid_t writer;
	int status;

	(void)state;
	watch_with_ring(HOOKS, 4 << 20);
	pair = open_pair(&v4);
	writer = fork();
	if (!writer)
		_exit(send(pair.client, bytes, size, MSG_NOSIGNAL) != (ssize_t)size);
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, HS_WATCH_HEAD_BYTES, bytes);
	assert_int_equal(waitpid(writer, &status, WNOHANG), 0);
	receive_all(pair.server, size);
	waitpid(writer, &status, 0);
	assert_int_equal(status, 0);
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, size, bytes);
	close_pair(&pair);
	free(bytes);
}

/* As much as fits, and again with the rest: no byte twice, though calls failed in between. */
static void written_in_part(void **state)
{
	const size_t size = 8 << 20, most = 256 << 10;
	uint8_t *bytes = pattern(size);
	size_t sent = 0, received = 0;
	unsigned refused = 0;
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(HOOKS, 32 << 20);
	pair = open_pair(&v4);
	want(pair.client_cookie, HS_WATCH_ALL);
	want(pair.server_cookie, HS_WATCH_NOTHING);
	while (received < size) {
		size_t left = size - sent < most ? size - sent : most;
		ssize_t got = left ? send(pair.client, bytes + sent, left, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;

		if (got > 0) {
			sent += got;
			continue;
		}
		refused += left > 0;
		receive_all(pair.server, sent - received);
		received = sent;
	}
	assert_true(refused > 0);
	told = await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, size, bytes);
	assert_int_equal(lost(HS_LOSS_RING_DATA), 0);
	assert_int_equal(told.captured, size);
	close_pair(&pair);
	free(bytes);
}

static int file_of(const void *bytes, size_t size)
{
	int file = memfd_create("page", MFD_CLOEXEC);

	assert_int_equal(write(file, bytes, size), size);
	return file;
}

/* Memory that nobody has touched yet is not there to be read as the call begins. */
static void from_untouched_memory(void **state)
{
	int file = file_of(text, LENGTH);
	const char *mapped = mmap(NULL, LENGTH, PROT_READ, MAP_PRIVATE, file, 0);
	struct told told;
	struct pair pair;

	(void)state;
	assert_ptr_not_equal(mapped, MAP_FAILED);
	watch(HOOKS);
	pair = open_pair(&v4);
	assert_int_equal(write(pair.client, mapped, LENGTH), LENGTH);
	told = await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, LENGTH, text);
	assert_int_equal(told.captured, LENGTH);
	close_pair(&pair);
	munmap((void *)mapped, LENGTH);
	close(file);
}

/* What no buffer carries is told by its length, when the call returns. */
static void from_file_and_pipe(void **state)
{
	int file = file_of(text, LENGTH), ends[2];
	struct told told;
	struct pair pair;
	off_t at = 0;

	(void)state;
	watch(HOOKS);
	pair = open_pair(&v4);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sendfile(pair.client, file, &at, LENGTH), LENGTH);
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, LENGTH, NULL);
	assert_int_equal(splice(pair.server, NULL, ends[1], NULL, LENGTH, 0), LENGTH);
	await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, LENGTH, NULL);
	assert_int_equal(splice(ends[0], NULL, pair.server, NULL, LENGTH, 0), LENGTH);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, LENGTH, NULL);
	assert_int_equal(told.captured, 0);
	close_pair(&pair);
	close(ends[0]);
	close(ends[1]);
	close(file);
}

/* ---- datagrams ---- */

struct ends {
	int client, server;
};

static struct ends open_ends(void)
{
	struct sockaddr_in place = {
		.sin_family = AF_INET, .sin_port = htons(HS_DNS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ends ends = { socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0) };

	assert_int_equal(bind(ends.server, (void *)&place, sizeof(place)), 0);
	assert_int_equal(connect(ends.client, (void *)&place, sizeof(place)), 0);
	return ends;
}

/* Two messages: the text, and a part of it. */
static void two_messages(struct mmsghdr messages[2], struct iovec parts[2], char *bytes)
{
	parts[0] = (struct iovec){ bytes, LENGTH };
	parts[1] = (struct iovec){ bytes + LENGTH, 3 };
	for (size_t i = 0; i < 2; i++)
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = parts + i, .msg_iovlen = 1 } };
}

struct wanted {
	enum hs_direction direction;
	size_t length;
};

static bool is_wanted(const void *record, const void *arg)
{
	const struct hs_ev_datagram *datagram = record;
	const struct wanted *wanted = arg;

	return datagram->direction == wanted->direction && datagram->length == wanted->length;
}

static void check_datagram(enum hs_direction direction, size_t length)
{
	const struct hs_ev_datagram *datagram =
		await_record(HS_EV_DATAGRAM, is_wanted, &(struct wanted){ direction, length });

	assert_int_equal(datagram->captured, length);
	assert_memory_equal(datagram->bytes, text, length);
}

/* Several in one call, as resolvers ask for both kinds of address; of a socket whose cookie nobody has asked for. */
static void several_datagrams(void **state)
{
	char out[2 * LENGTH], in[2 * LENGTH];
	struct mmsghdr messages[2];
	struct iovec parts[2];
	struct ends ends;

	(void)state;
	watch(HOOKS);
	ends = open_ends();
	memcpy(out, text, LENGTH);
	memcpy(out + LENGTH, text, 3);
	two_messages(messages, parts, out);
	assert_int_equal(sendmmsg(ends.client, messages, 2, 0), 2);
	two_messages(messages, parts, in);
	assert_int_equal(recvmmsg(ends.server, messages, 2, MSG_WAITFORONE, NULL), 2);
	check_datagram(HS_DIRECTION_EGRESS, LENGTH);
	check_datagram(HS_DIRECTION_EGRESS, 3);
	check_datagram(HS_DIRECTION_INGRESS, LENGTH);
	check_datagram(HS_DIRECTION_INGRESS, 3);
	close(ends.client);
	close(ends.server);
}

/* Each call that carries one, and none that only looks or fails. */
static void every_call_for_datagrams(void **state)
{
	static ssize_t (*const writes[])(int, char *) = { by_write, by_sendto };
	static ssize_t (*const reads[])(int, char *) = { by_read, by_recvfrom };
	char out[LENGTH + 1], in[LENGTH];
	struct ends ends;

	(void)state;
	watch(HOOKS);
	ends = open_ends();
	memcpy(out, text, sizeof(text));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(writes[i](ends.client, out), LENGTH);
		assert_int_equal(recv(ends.server, in, LENGTH, MSG_PEEK), LENGTH);
		assert_int_equal(reads[i](ends.server, in), LENGTH);
		assert_int_equal(recv(ends.server, in, LENGTH, MSG_DONTWAIT), -1);
		assert_int_equal(record_count(HS_EV_DATAGRAM), 2 * (i + 1));
	}
	check_datagram(HS_DIRECTION_EGRESS, LENGTH);
	check_datagram(HS_DIRECTION_INGRESS, LENGTH);
	close(ends.client);
	close(ends.server);
}

#ifdef __x86_64__
static void no_such_call(int signal)
{
	_exit(77 + !signal);
}

/* Its number 20 is getpid(), and that of ours is writev(). */
static void numbers_of_32_bit(void **state)
{
	char bytes[LENGTH];
	struct iovec part = { bytes, LENGTH };
	struct pair pair;
	pid_t child;
	int status;

	(void)state;
	watch(HOOKS);
	pair = open_pair(&v4);
	child = fork();
	if (!child) {
		long number = 20;

		memcpy(bytes, text, LENGTH); /* the memory is there */
		signal(SIGSEGV, no_such_call);
		__asm__ volatile("int $0x80" : "+a"(number) : "D"(pair.client), "S"(&part), "d"(1L) : "memory");
		_exit(number != getpid());
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skip: this kernel runs no 32-bit programs\n");
		close_pair(&pair);
		skip();
	}
	assert_int_equal(status, 0);
	send_all(pair.client, "x", 1);
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, 1, "x");
	close_pair(&pair);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_call, unwatch),
		cmocka_unit_test_teardown(many_buffers, unwatch),
		cmocka_unit_test_teardown(looked_at_and_thrown_away, unwatch),
		cmocka_unit_test_teardown(end_of_stream, unwatch),
		cmocka_unit_test_teardown(told_before_it_returns, unwatch),
		cmocka_unit_test_teardown(written_in_part, unwatch),
		cmocka_unit_test_teardown(from_untouched_memory, unwatch),
		cmocka_unit_test_teardown(from_file_and_pipe, unwatch),
		cmocka_unit_test_teardown(several_datagrams, unwatch),
		cmocka_unit_test_teardown(every_call_for_datagrams, unwatch),
#ifdef __x86_64__
		cmocka_unit_test_teardown(numbers_of_32_bit, unwatch),
#endif
	};

	return cmocka_run_group_tests_name("stream", tests, own_network, unwatch);
}
