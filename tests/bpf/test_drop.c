/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that the kernel here drops: for each way to lose one its name, direction and tuple. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stand.h"

#define SYN 2
#define PSH 8
#define ACK 16
#define PORT 9

static void need(const char *command)
{
	if (can_run(command))
		return;
	print_message("skip: cannot run: %s\n", command);
	skip();
}

/* One rule of nftables in a base chain at this hook, and nothing else. */
static void rule(const char *hook, const char *what)
{
	need("nft list tables");
	run("nft 'add table inet t; flush table inet t; delete table inet t; add table inet t; "
	    "add chain inet t c { type filter hook %s priority 0; }; add rule inet t c %s'", hook, what);
}

static int lift_rules(void **state)
{
	(void)!system("nft delete table inet t 2>/dev/null; tc qdisc del dev lo root 2>/dev/null; "
		      "tc qdisc del dev lo clsact 2>/dev/null");
	return unwatch(state);
}

/* Sends a SYN. */
static int send_syn(const struct address *address, uint16_t port)
{
	int fd = make_socket(address);

	cookie_of(fd); /* makes it: a hook on connections would, and there is none here */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	try_connect(fd, address, port);
	return fd;
}

struct want {
	const char *reason;
	uint16_t from;
};

static bool is_from(const void *record, const void *arg)
{
	const struct hs_ev_drop *drop = record;
	const struct want *want = arg;

	return drop->tuple.local_port == want->from && !strcmp(drop->reason, want->reason);
}

static const struct hs_ev_drop *await_drop(const char *reason, uint16_t from)
{
	return await_record(HS_EV_DROP, is_from, &(struct want){ reason, from });
}

/* A SYN is lost in this way. */
static void syn_is_told(const struct address *address, const char *reason, enum hs_direction direction)
{
	uint64_t begin = now(), cookie;
	const struct hs_ev_drop *drop;
	uint16_t from;
	int fd = send_syn(address, PORT);

	cookie = cookie_of(fd);
	from = local_port(fd);
	drop = await_drop(reason, from);
	assert_in_range(drop->event.time_ns, begin, now());
	check_tuple(&drop->tuple, address->text, from, address->text, PORT);
	assert_int_equal(drop->direction, direction);
	assert_int_equal(drop->flags, SYN);
	assert_int_equal(drop->length, 0);
	assert_int_equal(drop->burst, 0);
	assert_int_equal(drop->cookie, direction == HS_DIRECTION_EGRESS ? cookie : 0);
	close(fd);
}

static void output(void **state)
{
	(void)state;
	watch("drop");
	rule("output", "tcp dport 9 drop");
	syn_is_told(&v4, "NETFILTER_DROP", HS_DIRECTION_EGRESS);
	syn_is_told(&v6, "NETFILTER_DROP", HS_DIRECTION_EGRESS);
}

static void input(void **state)
{
	(void)state;
	watch("drop");
	rule("input", "tcp dport 9 drop");
	syn_is_told(&v4, "NETFILTER_DROP", HS_DIRECTION_INGRESS);
	syn_is_told(&v6, "NETFILTER_DROP", HS_DIRECTION_INGRESS);
}

static void prerouting(void **state)
{
	(void)state;
	watch("drop");
	rule("prerouting", "tcp dport 9 drop");
	syn_is_told(&v4, "NETFILTER_DROP", HS_DIRECTION_INGRESS);
	syn_is_told(&v6, "NETFILTER_DROP", HS_DIRECTION_INGRESS);
}

/* What arrived for somebody else is no packet of a socket here. */
static void forward(void **state)
{
	const struct hs_ev_drop *drop;
	uint16_t from;
	int fd;

	(void)state;
	watch("drop");
	need("ip netns add hs-drop && ip netns delete hs-drop");
	need("ip link add hs0 type veth peer name hs1 && ip link delete hs0");
	rule("forward", "tcp dport 9 drop");
	run("ip link add hs0 type veth peer name hs1 && ip netns add hs-drop && ip link set hs1 netns hs-drop && "
	    "ip address add 10.7.0.1/24 dev hs0 && ip link set hs0 up && echo 1 >/proc/sys/net/ipv4/ip_forward && "
	    "ip -n hs-drop address add 10.7.0.2/24 dev hs1 && ip -n hs-drop link set hs1 up && "
	    "ip -n hs-drop route add default via 10.7.0.1 && ip link add hs2 type veth peer name hs3 && "
	    "ip address add 10.8.0.1/24 dev hs2 && ip link set hs2 up && ip link set hs3 up");
	(void)!system("ip netns exec hs-drop timeout 5 bash -c ': <>/dev/tcp/10.8.0.9/9' 2>/dev/null & ");
	drop = await_record(HS_EV_DROP, NULL, NULL);
	from = drop->tuple.local_port;
	fd = system("ip netns delete hs-drop; ip link delete hs0; ip link delete hs2");
	assert_int_equal(fd, 0);
	check_tuple(&drop->tuple, "10.7.0.2", from, "10.8.0.9", PORT);
	assert_string_equal(drop->reason, "NETFILTER_DROP");
	assert_int_equal(drop->direction, HS_DIRECTION_INGRESS);
	assert_int_equal(drop->cookie, 0);
	assert_int_equal(drop->flags, SYN);
}

static void queueing(void **state)
{
	(void)state;
	watch("drop");
	need("tc qdisc add dev lo root blackhole");
	syn_is_told(&v4, "QDISC_DROP", HS_DIRECTION_EGRESS);
	syn_is_told(&v6, "QDISC_DROP", HS_DIRECTION_EGRESS);
}

/* A program in tc, as network plug-ins of containers have: it drops all that comes by. False: no such thing here. */
static bool drop_in_tc(enum bpf_tc_attach_point point)
{
	static const struct bpf_insn shot[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_SHOT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_nametoindex("lo"), .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options,
		    .prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "shot", "GPL", shot, 2, NULL));
	int error = bpf_tc_hook_create(&hook);

	assert_true(options.prog_fd >= 0);
	if (!error || error == -EEXIST)
		error = bpf_tc_attach(&hook, &options);
	close(options.prog_fd);
	return !error;
}

static void traffic_control(void **state)
{
	(void)state;
	watch("drop");
	if (!drop_in_tc(BPF_TC_INGRESS)) {
		print_message("skip: no BPF programs in tc\n");
		skip();
	}
	syn_is_told(&v4, "TC_INGRESS", HS_DIRECTION_INGRESS);
	syn_is_told(&v6, "TC_INGRESS", HS_DIRECTION_INGRESS);
	assert_true(drop_in_tc(BPF_TC_EGRESS));
	syn_is_told(&v4, "TC_EGRESS", HS_DIRECTION_EGRESS);
	syn_is_told(&v6, "TC_EGRESS", HS_DIRECTION_EGRESS);
}

/* A program of a cgroup refuses what its sockets send. */
static void control_group(void **state)
{
	static const struct bpf_insn refuse[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET_EGRESS);
	char path[64];
	int group, program, status;
	pid_t pid;

	(void)state;
	watch("drop");
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/hs-drop-%d",
		 access("/sys/fs/cgroup/cgroup.procs", F_OK) ? "/unified" : "", getpid());
	if (mkdir(path, 0700)) {
		print_message("skip: no control group can be made: %s\n", strerror(errno));
		skip();
	}
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	program = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "refuse", "GPL", refuse, 2, &options);
	assert_true(group >= 0 && program >= 0);
	assert_int_equal(bpf_prog_attach(program, group, BPF_CGROUP_INET_EGRESS, 0), 0);
	close(program);
	pid = fork();
	if (!pid) {
		int procs = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		_exit(write(procs, "0", 1) != 1 || close(send_syn(&v4, PORT)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(group);
	rmdir(path);
	assert_int_equal(status, 0);
	assert_string_equal(((const struct hs_ev_drop *)await_record(HS_EV_DROP, NULL, NULL))->reason,
			    "BPF_CGROUP_EGRESS");
}

/* A listener's own filter refuses what comes. */
static void socket_filter(void **state)
{
	struct sock_filter refuse[] = { { .code = BPF_RET | BPF_K } };
	struct sock_fprog program = { .len = 1, .filter = refuse };
	const struct hs_ev_drop *drop;
	uint16_t port, from;
	int listener, fd;

	(void)state;
	watch("drop");
	listener = listen_on(&v4, &port, 4);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	fd = send_syn(&v4, port);
	from = local_port(fd);
	drop = await_drop("SOCKET_FILTER", from);
	check_tuple(&drop->tuple, "127.0.0.1", from, "127.0.0.1", port);
	assert_int_equal(drop->direction, HS_DIRECTION_INGRESS);
	close(fd);
	close(listener);
}

static void payload(const struct address *address, size_t size, bool whole)
{
	static char data[60000];
	const struct hs_ev_drop *drop;
	int listener, client, server;
	uint16_t port, from;
	uint64_t cookie;

	rule("output", "tcp dport 65535 drop"); /* another one: this connection is to come about */
	listener = listen_on(address, &port, 4);
	client = connect_to(address, port);
	server = accept_from(listener);
	cookie = cookie_of(client);
	from = local_port(client);
	run("nft 'flush chain inet t c; add rule inet t c tcp dport %u drop'", port);
	send_all(client, data, size);
	drop = await_drop("NETFILTER_DROP", from);
	check_tuple(&drop->tuple, address->text, from, address->text, port);
	assert_int_equal(drop->flags & (ACK | SYN), ACK);
	assert_int_equal(drop->cookie, cookie);
	if (whole) {
		assert_int_equal(drop->length, size);
		assert_true(drop->flags & PSH);
	} else {
		assert_in_range(drop->length, 1024, size); /* as many segments as left together */
	}
	run("nft delete table inet t");
	close(client);
	close(server);
	close(listener);
}

static void data(void **state)
{
	(void)state;
	watch("drop");
	payload(&v4, 1234, true);
	payload(&v6, 1234, true);
	payload(&v4, 60000, false);
	payload(&v6, 60000, false);
}

/* A listener that is full drops the handshake's last ACK: only later kernels name that. */
static void overflow(void **state)
{
	int listener, other, fd;
	const struct hs_ev_drop *drop;
	uint16_t port, from;

	(void)state;
	if (kernel_enum("skb_drop_reason", "SKB_DROP_REASON_TCP_LISTEN_OVERFLOW") < 0) {
		print_message("skip: this kernel has no such reason\n");
		skip();
	}
	watch("drop");
	rule("output", "tcp dport 65535 drop");
	listener = listen_on(&v4, &port, 0);
	run("nft 'flush chain inet t c; add rule inet t c tcp dport %u tcp flags & (syn|ack) == ack drop'", port);
	fd = connect_to(&v4, port); /* its ACK is lost, so the queue has room for another */
	from = local_port(fd);
	run("nft flush chain inet t c");
	other = connect_to(&v4, port);
	/* The SYN-ACK is sent again after a second, and answered into a full queue. */
	drop = await_drop("TCP_LISTEN_OVERFLOW", from);
	check_tuple(&drop->tuple, "127.0.0.1", from, "127.0.0.1", port);
	assert_int_equal(drop->direction, HS_DIRECTION_INGRESS);
	assert_int_equal(drop->flags & ACK, ACK);
	close(fd);
	close(other);
	close(listener);
}

static uint16_t checksum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* A segment with a timestamp, made by hand, for a connection of loopback. */
static void forge(uint16_t from, uint16_t to, uint32_t timestamp)
{
	struct {
		struct tcphdr tcp;
		uint8_t options[4];
		uint32_t value, echo;
		uint8_t payload[2];
	} __attribute__((packed)) segment = {
		.tcp = { .source = htons(from), .dest = htons(to), .doff = 8, .ack = 1, .window = htons(512) },
		.options = { 1, 1, 8, 10 },
		.value = htonl(timestamp),
	};
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

	assert_true(fd >= 0);
	/* The pseudo header: twice 127.0.0.1, the protocol, the length. */
	segment.tcp.check = checksum(2 * (0x7f00 + 1) + IPPROTO_TCP + sizeof(segment), &segment, sizeof(segment));
	assert_int_equal(sendto(fd, &segment, sizeof(segment), 0, (void *)&peer, sizeof(peer)), sizeof(segment));
	close(fd);
}

/* TCP itself refuses it, when the packet has been taken from its device: the namespace is known. */
static void old_timestamp(void **state)
{
	const struct hs_ev_drop *drop;
	int listener, client, server;
	uint16_t port, from;

	(void)state;
	watch("drop");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	from = local_port(client);
	send_all(client, "recent", 6);
	receive_all(server, 6);
	forge(from, port, 1); /* one of the two is older than whatever it was at last */
	forge(from, port, 0x80000001);
	drop = await_drop("TCP_RFC7323_PAWS", from);
	check_tuple(&drop->tuple, "127.0.0.1", from, "127.0.0.1", port);
	assert_int_equal(drop->direction, HS_DIRECTION_INGRESS);
	assert_int_equal(drop->length, 2);
	assert_int_equal(drop->flags, ACK);
	close(client);
	close(server);
	close(listener);
}

/* Other protocols are not told, and take nothing of the budget. */
static void only_tcp(void **state)
{
	struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int udp;

	(void)state;
	watch_with_budget("drop", 1);
	rule("output", "meta l4proto { tcp, udp } th dport 9 drop");
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < 100; i++)
		sendto(udp, "x", 1, 0, (void *)&peer, sizeof(peer));
	close(udp);
	syn_is_told(&v4, "NETFILTER_DROP", HS_DIRECTION_EGRESS);
}

/* What is answered by ICMP is told with the code, whichever hook rejects; what is dropped in silence is not. */
static void answered_by_icmp(void **state)
{
	int fd;

	(void)state;
	watch("connection,icmp");
	rule("output", "tcp dport 9 reject with icmpx port-unreachable");
	syn_is_told(&v4, "ICMP_PORT_UNREACH", HS_DIRECTION_EGRESS);
	rule("input", "tcp dport 9 reject with icmpx host-unreachable");
	syn_is_told(&v4, "ICMP_HOST_UNREACH", HS_DIRECTION_INGRESS);
	rule("input", "tcp dport 9 reject with icmpx admin-prohibited");
	syn_is_told(&v4, "ICMP_PKT_FILTERED", HS_DIRECTION_INGRESS);
	rule("input", "tcp dport 9 drop");
	fd = send_syn(&v4, PORT);
	settle();
	assert_int_equal(record_count(HS_EV_DROP), 3);
	close(fd);
}

/* What goes as it should is freed too, and no drop: closes, resets, refusals. */
static void nothing_is_lost(void **state)
{
	struct linger reset = { .l_onoff = 1 };
	int listener, fd;
	uint16_t port;

	(void)state;
	watch("connection,drop,icmp");
	listener = listen_on(&v4, &port, 4);
	for (int i = 0; i < 20; i++) {
		int client = connect_to(&v4, port), server = accept_from(listener);

		send_all(client, "hello", 5);
		receive_all(server, 5);
		if (i % 2)
			setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(client);
		close(server);
		fd = make_socket(&v6);
		assert_int_equal(try_connect(fd, &v6, PORT), ECONNREFUSED);
		close(fd);
	}
	close(listener);
	settle();
	assert_int_equal(record_count(HS_EV_DROP), 0);
}

struct told {
	size_t records, burst;
};

static bool add_up(const void *record, const void *arg)
{
	struct told *told = (struct told *)arg;

	told->records++;
	told->burst += ((const struct hs_ev_drop *)record)->burst;
	return false;
}

static void sleep_ms(unsigned ms)
{
	struct timespec time = { .tv_nsec = ms * MS };

	nanosleep(&time, NULL);
}

/* A flood is bounded, and what is not told is counted: in the next record, and as a loss. */
static void burst(void **state)
{
	enum { SYNS = 200, BUDGET = 5 };
	struct told told = {};
	uint64_t begin, windows;
	cpu_set_t before, one;

	(void)state;
	watch_with_budget("drop", BUDGET);
	rule("output", "tcp dport 9 drop");
	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	begin = now();
	for (int i = 0; i < SYNS; i++)
		close(send_syn(&v4, PORT));
	windows = (now() - begin) / (100 * MS) + 2;
	sleep_ms(150);
	close(send_syn(&v4, PORT)); /* a window of its own */
	sched_setaffinity(0, sizeof(before), &before);
	find_record(HS_EV_DROP, add_up, &told);
	assert_int_equal(told.records + told.burst, SYNS + 1);
	assert_in_range(told.records, 2, windows * BUDGET + 1);
	assert_true(lost(HS_LOSS_DROP_BURST) >= told.burst);
	assert_int_equal(lost(HS_LOSS_RING_DROP), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(output, lift_rules),
		cmocka_unit_test_teardown(input, lift_rules),
		cmocka_unit_test_teardown(prerouting, lift_rules),
		cmocka_unit_test_teardown(forward, lift_rules),
		cmocka_unit_test_teardown(queueing, lift_rules),
		cmocka_unit_test_teardown(traffic_control, lift_rules),
		cmocka_unit_test_teardown(control_group, lift_rules),
		cmocka_unit_test_teardown(socket_filter, lift_rules),
		cmocka_unit_test_teardown(data, lift_rules),
		cmocka_unit_test_teardown(overflow, lift_rules),
		cmocka_unit_test_teardown(old_timestamp, lift_rules),
		cmocka_unit_test_teardown(only_tcp, lift_rules),
		cmocka_unit_test_teardown(answered_by_icmp, lift_rules),
		cmocka_unit_test_teardown(nothing_is_lost, lift_rules),
		cmocka_unit_test_teardown(burst, lift_rules),
	};

	return cmocka_run_group_tests_name("drop", tests, own_network, unwatch);
}
