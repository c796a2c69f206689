/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams from and to port 53: as sockets send them and as they arrive, with who sends them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stand.h"

static const char *hooks; /* the rung */
static bool in_calls;     /* it sees system calls, and no packets */

static_assert(offsetof(struct hs_ev_datagram, tuple) == offsetof(struct hs_ev_socket, tuple), "is_ours() in stand.c");

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t place_of(const struct address *address, uint16_t port, union place *place)
{
	*place = (union place){};
	if (address->family == AF_INET) {
		place->v4.sin_family = AF_INET;
		place->v4.sin_port = htons(port);
		inet_pton(AF_INET, address->text, &place->v4.sin_addr);
		return sizeof(place->v4);
	}
	place->v6.sin6_family = AF_INET6;
	place->v6.sin6_port = htons(port);
	inet_pton(AF_INET6, address->text, &place->v6.sin6_addr);
	return sizeof(place->v6);
}

static int udp(const struct address *address)
{
	int fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	cookie_of(fd); /* made by asking for it: system calls do not */
	return fd;
}

static int serve(const struct address *address, uint16_t port)
{
	int fd = udp(address);
	union place place;
	socklen_t size = place_of(address, port, &place);

	assert_int_equal(bind(fd, &place.any, size), 0);
	return fd;
}

static int client_of(const struct address *address, uint16_t port)
{
	int fd = udp(address);
	union place place;
	socklen_t size = place_of(address, port, &place);

	assert_int_equal(connect(fd, &place.any, size), 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, 0), size);
}

static void receive(int fd, size_t size)
{
	char bytes[4096];

	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), size);
}

static void answer(int fd, const void *bytes, size_t size)
{
	char request[4096];
	union place peer;
	socklen_t length = sizeof(peer);

	assert_true(recvfrom(fd, request, sizeof(request), 0, &peer.any, &length) > 0);
	assert_int_equal(sendto(fd, bytes, size, 0, &peer.any, length), size);
}

struct wanted {
	uint64_t cookie;
	uint16_t port;
	enum hs_direction direction;
};

/* System calls make no cookies; nor is a socket bound when it sends for the first time. */
static bool is_of(const struct hs_ev_datagram *datagram, const struct wanted *wanted)
{
	if (in_calls)
		return datagram->tuple.local_port == wanted->port || !datagram->tuple.local_port;
	return datagram->cookie == wanted->cookie;
}

static bool is_it(const void *record, const void *arg)
{
	const struct hs_ev_datagram *datagram = record;
	const struct wanted *wanted = arg;

	return is_of(datagram, wanted) && datagram->direction == wanted->direction;
}

static const struct hs_ev_datagram *await_datagram(int fd, enum hs_direction direction)
{
	struct wanted wanted = { cookie_of(fd), local_port(fd), direction };

	return await_record(HS_EV_DATAGRAM, is_it, &wanted);
}

static void check(const struct hs_ev_datagram *datagram, const void *bytes, size_t length)
{
	assert_int_equal(datagram->length, length);
	assert_int_equal(datagram->captured, length < HS_EV_DATAGRAM_BYTES ? length : HS_EV_DATAGRAM_BYTES);
	assert_memory_equal(datagram->bytes, bytes, datagram->captured);
	assert_int_equal(datagram->tuple.netns, netns);
}

static const char *text_of(const struct address *address)
{
	return strncmp(address->text, "::ffff:", 7) ? address->text : address->text + 7;
}

/* All four: the query where it leaves and where it arrives, and the answer. */
static void check_both_ends(const struct address *address)
{
	static const char query[] = "what is it?", reply[] = "that, and a little more";
	int server = serve(address, HS_DNS_PORT), client;
	const struct hs_ev_datagram *datagram;
	const char *text = text_of(address);
	uint16_t port;

	watch(hooks);
	client = client_of(address, HS_DNS_PORT);
	port = local_port(client);
	say(client, query, sizeof(query));
	answer(server, reply, sizeof(reply));
	datagram = await_datagram(client, HS_DIRECTION_EGRESS);
	check(datagram, query, sizeof(query));
	check_tuple(&datagram->tuple, text, port, text, HS_DNS_PORT);
	assert_int_equal(datagram->pid, getpid());
	assert_int_equal(datagram->tid, gettid());
	datagram = await_datagram(server, HS_DIRECTION_INGRESS);
	check(datagram, query, sizeof(query));
	check_tuple(&datagram->tuple, text, HS_DNS_PORT, text, port);
	datagram = await_datagram(server, HS_DIRECTION_EGRESS);
	check(datagram, reply, sizeof(reply));
	check_tuple(&datagram->tuple, text, HS_DNS_PORT, text, port);
	assert_int_equal(datagram->pid, getpid());
	receive(client, sizeof(reply));
	datagram = await_datagram(client, HS_DIRECTION_INGRESS);
	check(datagram, reply, sizeof(reply));
	check_tuple(&datagram->tuple, text, port, text, HS_DNS_PORT);
	assert_int_equal(record_count(HS_EV_DATAGRAM), 4);
	close(server);
	close(client);
}

static void ipv4(void **state)
{
	(void)state;
	check_both_ends(&v4);
}

static void ipv6(void **state)
{
	(void)state;
	check_both_ends(&v6);
}

static void mapped(void **state)
{
	(void)state;
	check_both_ends(&v4_mapped);
}

/* Neither bound nor connected: the packet says where it goes, and so does the call, though not from where. */
static void unconnected(void **state)
{
	const struct address any = { AF_INET, "0.0.0.0" };
	int server = serve(&any, HS_DNS_PORT), client = udp(&v4);
	const char *here = in_calls ? "::" : "127.0.0.1";
	const struct hs_ev_datagram *datagram;
	union place place;
	socklen_t size = place_of(&v4, HS_DNS_PORT, &place);
	char got[2];

	(void)state;
	watch(hooks);
	assert_int_equal(sendto(client, "x", 1, 0, &place.any, size), 1);
	answer(server, "yy", 2);
	datagram = await_datagram(client, HS_DIRECTION_EGRESS);
	check_tuple(&datagram->tuple, here, in_calls ? 0 : local_port(client), "127.0.0.1", HS_DNS_PORT);
	datagram = await_datagram(server, HS_DIRECTION_INGRESS);
	check_tuple(&datagram->tuple, here, HS_DNS_PORT, "127.0.0.1", local_port(client));
	size = sizeof(place);
	assert_int_equal(recvfrom(client, got, sizeof(got), 0, &place.any, &size), 2);
	datagram = await_datagram(client, HS_DIRECTION_INGRESS);
	check(datagram, "yy", 2);
	check_tuple(&datagram->tuple, here, local_port(client), "127.0.0.1", HS_DNS_PORT);
	close(server);
	close(client);
}

/* Around every size of record, and beyond the largest. */
static void sizes(void **state)
{
	static const size_t lengths[] = { 1, 7, 8, 9, 127, 128, 129, 511, 512, 513, 1535, 1536, 1537, 9000 };
	int server = serve(&v4, HS_DNS_PORT), client[sizeof(lengths) / sizeof(*lengths)]; /* no port twice */
	uint8_t bytes[9000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 1 + i * 7 % 255;
	watch(hooks);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		client[i] = client_of(&v4, HS_DNS_PORT);
		say(client[i], bytes, lengths[i]);
		check(await_datagram(client[i], HS_DIRECTION_EGRESS), bytes, lengths[i]);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		close(client[i]);
	assert_int_equal(lost(HS_LOSS_RING_DATAGRAM), 0);
	close(server);
}

static bool is_child(const void *record, const void *pid)
{
	return ((const struct hs_ev_process *)record)->pid == *(const uint32_t *)pid;
}

/* Who asks and is gone is introduced before. */
static void introduced(void **state)
{
	int server = serve(&v4, HS_DNS_PORT), client;
	const struct hs_ev_datagram *datagram;
	const struct hs_ev_process *process;
	uint32_t pid;
	int status;

	(void)state;
	watch(hooks);
	client = client_of(&v4, HS_DNS_PORT);
	pid = fork();
	if (!pid)
		_exit(send(client, "child", 5, 0) != 5);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	datagram = await_datagram(client, HS_DIRECTION_EGRESS);
	assert_int_equal(datagram->pid, pid);
	process = find_record(HS_EV_PROCESS, is_child, &pid);
	assert_non_null(process);
	assert_true(process->event.time_ns <= datagram->event.time_ns);
	close(server);
	close(client);
}

/* Other ports, and empty datagrams, are nobody's. */
static void others(void **state)
{
	int server = serve(&v4, HS_DNS_PORT), other = serve(&v4, 5300), client, empty;

	(void)state;
	watch(hooks);
	client = client_of(&v4, 5300);
	empty = client_of(&v4, HS_DNS_PORT);
	say(client, "hello", 5);
	answer(other, "hello", 5);
	say(empty, "", 0);
	settle();
	assert_int_equal(record_count(HS_EV_DATAGRAM), 0);
	say(empty, "x", 1); /* the next one is seen */
	await_datagram(empty, HS_DIRECTION_EGRESS);
	close(server);
	close(other);
	close(client);
	close(empty);
}

/* A ring that is too small loses datagrams, and says how often. */
static void ring_full(void **state)
{
	int server = serve(&v4, HS_DNS_PORT), client;

	(void)state;
	watch_with_ring(hooks, 4096);
	client = client_of(&v4, HS_DNS_PORT);
	for (int i = 0; i < 100; i++)
		say(client, "0123456789012345678901234567890123456789", 40);
	assert_true(lost(HS_LOSS_RING_DATAGRAM) > 0);
	close(server);
	close(client);
}

/* The rung for kernels that refuse the rest: TCP payload, and no datagrams. */
static void tcp_only(void **state)
{
	int server = serve(&v4, HS_DNS_PORT), client;

	(void)state;
	watch("connection,payload:cgroup_skb_tcp");
	client = client_of(&v4, HS_DNS_PORT);
	say(client, "x", 1);
	settle();
	assert_int_equal(record_count(HS_EV_DATAGRAM), 0);
	close(server);
	close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ipv4, unwatch),
		cmocka_unit_test_teardown(ipv6, unwatch),
		cmocka_unit_test_teardown(mapped, unwatch),
		cmocka_unit_test_teardown(unconnected, unwatch),
		cmocka_unit_test_teardown(sizes, unwatch),
		cmocka_unit_test_teardown(introduced, unwatch),
		cmocka_unit_test_teardown(others, unwatch),
		cmocka_unit_test_teardown(ring_full, unwatch),
		cmocka_unit_test_teardown(tcp_only, unwatch),
	};
	int failed;

	hooks = "connection,payload:cgroup_skb";
	failed = cmocka_run_group_tests_name("dns", tests, own_network, unwatch);
	hooks = "connection,payload:syscalls";
	in_calls = true;
	return failed + cmocka_run_group_tests_name("dns in system calls", tests, own_network, unwatch);
}
