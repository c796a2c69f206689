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

static void told(const struct address *address, const char *text, uint16_t port, int error, bool timed)
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
	if (timed)
		assert_in_range(record->duration_ns, 1, now() - begin);
	assert_int_equal(record_count(HS_EV_CONNECT_ERROR), 1);
	close(fd);
}

static void no_route(const char *hooks, bool timed)
{
	watch(hooks);
	told(&nowhere, "203.0.113.9", 80, ENETUNREACH, timed);
	watch(hooks);
	told(&nowhere_v6, "2001:db8::9", 443, ENETUNREACH, timed);
	assert_int_equal(record_count(HS_EV_CONNECTION), 0);
}

static void denied(const char *hooks, bool timed)
{
	watch(hooks);
	run("ip route replace prohibit 198.51.100.0/24");
	told(&prohibited, "198.51.100.9", 80, EACCES, timed);
}

/* The few ports that there are in use: one more connection to the same place has none. */
static void no_ports(const char *hooks, bool timed)
{
	int listener, fds[2];
	uint16_t port;

	listener = listen_on(&v4, &port, 8);
	watch(hooks);
	run("echo '61000 61001' >/proc/sys/net/ipv4/ip_local_port_range");
	for (int i = 0; i < 2; i++)
		fds[i] = connect_to(&v4, port);
	told(&v4, "127.0.0.1", port, EADDRNOTAVAIL, timed);
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

#define SYSCALLS "connection,connect:syscalls"
#define FEXIT "connection,connect:fexit"

static void syscalls_no_route(void **state)
{
	(void)state;
	no_route(SYSCALLS, true);
}

static void syscalls_denied(void **state)
{
	(void)state;
	denied(SYSCALLS, true);
}

static void syscalls_no_ports(void **state)
{
	(void)state;
	no_ports(SYSCALLS, true);
}

static void syscalls_not_told(void **state)
{
	(void)state;
	not_told(SYSCALLS);
}

static void fexit_no_route(void **state)
{
	(void)state;
	no_route(FEXIT, false);
}

static void fexit_denied(void **state)
{
	(void)state;
	denied(FEXIT, false);
}

static void fexit_no_ports(void **state)
{
	(void)state;
	no_ports(FEXIT, false);
}

static void fexit_not_told(void **state)
{
	(void)state;
	not_told(FEXIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(syscalls_no_route, unwatch),
		cmocka_unit_test_teardown(syscalls_denied, unwatch),
		cmocka_unit_test_teardown(syscalls_no_ports, unwatch),
		cmocka_unit_test_teardown(syscalls_not_told, unwatch),
		cmocka_unit_test_teardown(fexit_no_route, unwatch),
		cmocka_unit_test_teardown(fexit_denied, unwatch),
		cmocka_unit_test_teardown(fexit_no_ports, unwatch),
		cmocka_unit_test_teardown(fexit_not_told, unwatch),
	};

	return cmocka_run_group_tests_name("connect", tests, own_network, unwatch);
}
