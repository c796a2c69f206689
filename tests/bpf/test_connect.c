/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors of connect() that come back before a SYN was made, on each rung. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stand.h"

static const struct address nowhere = { AF_INET, "203.0.113.9" };
static const struct address nowhere_v6 = { AF_INET6, "2001:db8::9" };
static const struct address prohibited = { AF_INET, "198.51.100.9" };

static bool is_error(const void *record, const void *error)
{
	return ((const struct hs_ev_error *)record)->error == *(const int *)error;
}

static void told(const struct address *address, const char *text, uint16_t port, int error)
{
	uint64_t begin = now();
	const struct hs_ev_error *record;
	int fd = make_socket(address);

	assert_int_equal(try_connect(fd, address, port), error);
	record = await_record(HS_EV_CONNECT_ERROR, is_error, &error);
	assert_int_equal(record->socket.tuple.remote_port, port);
	check_tuple(&record->socket.tuple, "::", 0, text, port);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->socket.tid, syscall(SYS_gettid));
	assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(record->socket.state, CLOSE);
	assert_in_range(record->socket.event.time_ns, begin, now());
	assert_int_equal(record->duration_ns, 0); /* no rung knows when the call began */
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), 1);
	close(fd);
}

static void no_route(const char *hooks)
{
	watch(hooks);
	told(&nowhere, "203.0.113.9", 80, ENETUNREACH);
	watch(hooks);
	told(&nowhere_v6, "2001:db8::9", 443, ENETUNREACH);
	assert_int_equal(record_count(HS_EV_CONNECTION), 0);
}

static void denied(const char *hooks)
{
	watch(hooks);
	run("ip route replace prohibit 198.51.100.0/24");
	told(&prohibited, "198.51.100.9", 80, EACCES);
}

/* The few ports that there are in use: one more connection to the same place has none. */
static void no_ports(const char *hooks)
{
	int listener, fds[2];
	uint16_t port;

	listener = listen_on(&v4, &port, 8);
	watch(hooks);
	run("echo '61000 61001' >/proc/sys/net/ipv4/ip_local_port_range");
	for (int i = 0; i < 2; i++)
		fds[i] = connect_to(&v4, port);
	told(&v4, "127.0.0.1", port, EADDRNOTAVAIL);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	run("echo '32768 60999' >/proc/sys/net/ipv4/ip_local_port_range");
	close(listener);
	run("ip link set lo down; ip link set lo up"); /* and the routes with it */
	settle();
	assert_null(find_record(HS_EV_CONNECTION, has_cookie, &(uint64_t){ 0 }));
}

/* Those with a SYN are told by their states, and some errors are none. */
static void not_told(const char *hooks)
{
	int listener, fd, unix_fd;
	uint16_t port;

	watch(hooks);
	fd = make_socket(&v4);
	assert_int_equal(try_connect(fd, &v4, 1), ECONNREFUSED);
	close(fd);
	listener = listen_on(&v4, &port, 8);
	fd = make_socket(&v4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	try_connect(fd, &v4, port); /* EINPROGRESS, or done already */
	fcntl(fd, F_SETFL, 0);
	try_connect(fd, &v4, port);
	assert_int_equal(try_connect(fd, &v4, port), EISCONN);
	close(fd);
	fd = make_socket(&v4); /* refused without blocking: the second call collects the error */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	try_connect(fd, &v4, 1);
	try_connect(fd, &v4, 1);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(try_connect(fd, &nowhere, 9), ENETUNREACH);
	close(fd);
	unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(unix_fd, (void *)"\1\0/nowhere", 11), -1);
	close(unix_fd);
	assert_int_equal(try_connect(-1, &v4, 1), EBADF);
	close(listener);
	settle();
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), 0);
}

/* connect() that does not block and is refused: the error waits in the socket. */
static int refused_in_the_background(uint64_t *cookie)
{
	int fd = make_socket(&v4), error;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	*cookie = cookie_of(fd);
	error = try_connect(fd, &v4, 1);
	assert_true(error == EINPROGRESS || error == ECONNREFUSED);
	await_record(HS_EV_CONNECTION, is_close, cookie);
	return fd;
}

/* The call that collects the error is no attempt; the one after it is. */
static void collected(const char *hooks)
{
	uint64_t cookie;
	int fd;

	watch(hooks);
	fd = make_socket(&v4);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	cookie = cookie_of(fd);
	if (try_connect(fd, &v4, 1) == EINPROGRESS) {
		await_record(HS_EV_CONNECTION, is_close, &cookie);
		assert_int_equal(try_connect(fd, &v4, 1), ECONNREFUSED);
	}
	settle();
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), 0);
	assert_int_equal(try_connect(fd, &nowhere, 80), ENETUNREACH);
	await_record(HS_EV_CONNECT_ERROR, is_error, &(int){ ENETUNREACH });
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), 1);
	close(fd);
}

/*
 * Nobody collects the error: what is remembered of that socket must not be taken for the next one's
 * at its address. The kernel hands out the address of the last socket that was freed first.
 */
static void addresses_are_used_again(const char *hooks)
{
	enum { ROUNDS = 50 };
	uint64_t cookie;
	size_t known;

	watch(hooks);
	close(refused_in_the_background(&cookie));
	known = known_sockets();
	for (int i = 0; i < ROUNDS; i++) {
		int fd;

		close(refused_in_the_background(&cookie));
		fd = make_socket(&v4);
		assert_int_equal(try_connect(fd, &nowhere, 80), ENETUNREACH);
		close(fd);
	}
	settle();
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), ROUNDS);
	assert_true(known_sockets() < known + ROUNDS); /* they were: else nothing was tested */
}

/* Each of these on each rung. */
#define ON_RUNG(RUNG, TEST)                                      \
	static void RUNG##_##TEST(void **state)                  \
	{                                                        \
		(void)state;                                     \
		TEST("connection,connect:" #RUNG);               \
	}
#define ON_EACH_RUNG(TEST) ON_RUNG(fexit, TEST) ON_RUNG(cgroup, TEST) ON_RUNG(syscalls, TEST)

ON_EACH_RUNG(no_route)
ON_EACH_RUNG(denied)
ON_EACH_RUNG(no_ports)
ON_EACH_RUNG(not_told)
ON_EACH_RUNG(collected)
ON_EACH_RUNG(addresses_are_used_again)

#define TESTS(TEST)                                              \
	cmocka_unit_test_teardown(fexit_##TEST, unwatch),        \
	cmocka_unit_test_teardown(cgroup_##TEST, unwatch),       \
	cmocka_unit_test_teardown(syscalls_##TEST, unwatch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TESTS(no_route),
		TESTS(denied),
		TESTS(no_ports),
		TESTS(not_told),
		TESTS(collected),
		TESTS(addresses_are_used_again),
	};

	return cmocka_run_group_tests_name("connect", tests, own_network, unwatch);
}
