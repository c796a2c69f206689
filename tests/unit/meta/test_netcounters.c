/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "meta/netcounters.h"

#define PID 42

static char root[64];
static struct hs_ev_counters counters;
static const char *const directories[] = {
	"", "/42", "/42/ns", "/42/net", "/42/net/stat", "/sys", "/sys/net", "/sys/net/netfilter",
};
static const char *const files[] = {
	"/42/ns/net", "/42/net/netstat", "/42/net/snmp", "/42/net/stat/nf_conntrack", "/42/net/softnet_stat",
	"/sys/net/netfilter/nf_conntrack_max",
};

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static uint32_t netns(void)
{
	struct stat file;

	assert_int_equal(stat(path_of("/42/ns/net"), &file), 0);
	return (uint32_t)file.st_ino;
}

static int make_tree(void **state)
{
	(void)state;
	strcpy(root, "/tmp/hs-test-netcounters-XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 1; i < sizeof(directories) / sizeof(*directories); i++)
		assert_int_equal(mkdir(path_of(directories[i]), 0700), 0);
	put("/42/ns/net", "");
	put("/42/net/netstat", "");
	memset(&counters, 0xa5, sizeof(counters));
	return 0;
}

static int remove_tree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(path_of(files[i]));
	for (size_t i = sizeof(directories) / sizeof(*directories); i-- > 0;)
		rmdir(path_of(directories[i]));
	return 0;
}

static int get(void)
{
	return hs_netcounters_read(root, PID, netns(), 77, &counters);
}

/* All counters are as told, and those that are not told of are 0. */
#define ALL(...) check_all((const uint64_t[HS_COUNTER_MAX]){ __VA_ARGS__ })
static void check_all(const uint64_t want[HS_COUNTER_MAX])
{
	assert_int_equal(counters.event.kind, HS_EV_COUNTERS);
	assert_int_equal(counters.event.size, sizeof(counters));
	assert_int_equal(counters.event.time_ns, 77);
	assert_int_equal(counters.event.cpu + counters.pad, 0);
	assert_int_equal(counters.netns, netns());
	for (int i = 0; i < HS_COUNTER_MAX; i++)
		if (counters.count[i] != want[i])
			fail_msg("counter %d: %llu, not %llu", i, (unsigned long long)counters.count[i],
				 (unsigned long long)want[i]);
}

/* As 6.18 writes it, shortened: other names between ours, and names that only begin alike. */
static void netstat(void **state)
{
	(void)state;
	put("/42/net/netstat",
	    "TcpExt: SyncookiesSent PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck PAWSTimewait "
	    "DelayedACKs ListenOverflows ListenDrops TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory "
	    "TCPAbortOnTimeout TCPAbortOnLinger TCPMemoryPressures TCPMemoryPressuresChrono TCPBacklogDrop "
	    "IPReversePathFilter TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPRcvQDrop "
	    "TCPZeroWindowDrop\n"
	    "TcpExt: 9 1 2 1000 4 1000 8 1000 16 17 18 19 20 1000 1000 21 1000 22 23 24 25 26 27 28\n"
	    "IpExt: InNoRoutes InTruncatedPkts InOctets\n"
	    "IpExt: 30 1000 34417584872\n"
	    "MPTcpExt: MPCapableSYNRX ListenDrops\n"
	    "MPTcpExt: 14 1000\n");
	put("/42/net/snmp",
	    "Ip: Forwarding DefaultTTL OutNoRoutes\n"
	    "Ip: 2 64 5\n"
	    "Icmp: InMsgs\n"
	    "Icmp: 1\n"
	    "Tcp: RtoAlgorithm MaxConn OutNoRoutes\n"
	    "Tcp: 1 -1 1000\n");
	assert_int_equal(get(), 0);
	ALL([HS_COUNTER_LISTEN_OVERFLOWS] = 16, [HS_COUNTER_LISTEN_DROPS] = 17, [HS_COUNTER_SYN_QUEUE_DROPS] = 25,
	    [HS_COUNTER_SYN_QUEUE_COOKIES] = 24, [HS_COUNTER_RP_FILTER] = 23,
	    [HS_COUNTER_TIMESTAMP_REJECTED] = 1 + 2 + 4 + 8, [HS_COUNTER_BACKLOG_DROPS] = 22,
	    [HS_COUNTER_RECEIVE_QUEUE_DROPS] = 27 + 28, [HS_COUNTER_MEMORY_PRESSURES] = 20 + 21,
	    [HS_COUNTER_ABORT_ON_DATA] = 19, [HS_COUNTER_ABORT_ON_LINGER] = 18, [HS_COUNTER_RETRANSMIT_FAILS] = 26,
	    [HS_COUNTER_NO_ROUTES] = 35);
}

/* Hexadecimal, by CPU; which columns there are differs by kernel. */
static void connection_tracking(void **state)
{
	(void)state;
	put("/42/net/stat/nf_conntrack",
	    "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop "
	    "icmp_error  expect_new expect_create expect_delete search_restart\n"
	    "0000001a  00000000 00000000 00000000 00000009 00000000 00000000 00000000 00000000 00000002 00000010 "
	    "00000100 00000000  00000000 00000000 00000000 00000000\n"
	    "0000001a  00000000 00000000 00000000 00000009 00000000 00000000 00000000 00000000 00000001 00000020 "
	    "00000000 00000000  00000000 00000000 00000000 00000000\n");
	put("/sys/net/netfilter/nf_conntrack_max", "262144\n");
	assert_int_equal(get(), 0);
	ALL([HS_COUNTER_CONNTRACK_DROPS] = 0x133, [HS_COUNTER_CONNTRACK_ENTRIES] = 0x1a,
	    [HS_COUNTER_CONNTRACK_MAX] = 262144);
	put("/42/net/stat/nf_conntrack", "entries drop\n00000001 00000007\n");
	unlink(path_of("/sys/net/netfilter/nf_conntrack_max"));
	assert_int_equal(get(), 0);
	ALL([HS_COUNTER_CONNTRACK_DROPS] = 7, [HS_COUNTER_CONNTRACK_ENTRIES] = 1);
}

static void backlog_of_the_cpus(void **state)
{
	(void)state;
	put("/42/net/softnet_stat",
	    "0839cfac 00000622 00000006 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
	    "00000000 00000000 00000000 00000000\n"
	    "08436207 0000005a 00000005 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
	    "00000000 00000001 00000000 00000000\n");
	assert_int_equal(get(), 0);
	ALL([HS_COUNTER_CPU_BACKLOG_DROPS] = 0x622 + 0x5a);
}

/* Fewer values than names, more of them, no values at all, other text: what can be told is told. */
static void nonsense(void **state)
{
	static const char *const texts[] = {
		"", "\n", "\n\n\n", "TcpExt:", "TcpExt: ", "TcpExt: ListenDrops", "TcpExt: ListenDrops\n",
		"TcpExt: ListenDrops\nTcpExt:", "TcpExt: ListenDrops\nTcpExt: \n", "TcpExt: ListenDrops\nIpExt: 1\n",
		"IpExt: 1\nTcpExt: ListenDrops\n", "ListenDrops\n1\n", "TcpExt: 1\nTcpExt: ListenDrops\n",
		"TcpExt: listendrops ListenDrop ListenDropss\nTcpExt: 1 2 3\n", "\xff\xfe\x01 \x80\n\xff\n",
		"TcpExt: ListenDrops\nTcpExt: x\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put("/42/net/netstat", texts[i]);
		put("/42/net/snmp", texts[i]);
		put("/42/net/stat/nf_conntrack", texts[i]);
		put("/42/net/softnet_stat", "\n \n1\n");
		assert_int_equal(get(), 0);
		check_all((const uint64_t[HS_COUNTER_MAX]){});
	}
	put("/42/net/netstat", "TcpExt: ListenDrops PAWSActive\nTcpExt: 3\n");
	assert_int_equal(get(), 0);
	assert_int_equal(counters.count[HS_COUNTER_LISTEN_DROPS], 3);
	put("/42/net/netstat", "TcpExt: ListenDrops\nTcpExt: 3 4 5 6\n");
	assert_int_equal(get(), 0);
	assert_int_equal(counters.count[HS_COUNTER_LISTEN_DROPS], 3);
}

static void long_lines(void **state)
{
	static char text[200000];
	char *to = text;

	(void)state;
	for (int i = 0; i < 20000; i++)
		to = stpcpy(to, "entries ");
	strcpy(to, "\n");
	put("/42/net/stat/nf_conntrack", text);
	put("/42/net/softnet_stat", text);
	put("/42/net/snmp", text);
	memcpy(text, "TcpExt: ", 8);
	put("/42/net/netstat", text);
	assert_int_equal(get(), 0);
}

static void no_such_process(void **state)
{
	(void)state;
	assert_int_equal(hs_netcounters_read(root, 43, netns(), 77, &counters), -ESRCH);
	assert_int_equal(hs_netcounters_read(root, PID, netns() + 1, 77, &counters), -ESRCH);
	unlink(path_of("/42/net/netstat"));
	assert_int_equal(get(), -ESRCH);
	assert_int_equal(((const uint8_t *)&counters)[0], 0xa5); /* untouched */
}

static void no_namespace_to_compare(void **state)
{
	uint32_t inode = netns();

	(void)state;
	put("/42/net/netstat", "TcpExt: ListenDrops\nTcpExt: 3\n");
	unlink(path_of("/42/ns/net"));
	assert_int_equal(hs_netcounters_read(root, PID, inode, 77, &counters), 0);
	assert_int_equal(counters.count[HS_COUNTER_LISTEN_DROPS], 3);
}

static void of_ourselves(void **state)
{
	struct stat file;

	(void)state;
	if (stat("/proc/self/ns/net", &file) || access("/proc/self/net/netstat", R_OK))
		skip();
	assert_int_equal(hs_netcounters_read("/proc", (uint32_t)getpid(), (uint32_t)file.st_ino, 77, &counters), 0);
	assert_int_equal(counters.netns, file.st_ino);
	assert_true(counters.count[HS_COUNTER_LISTEN_DROPS] >= counters.count[HS_COUNTER_LISTEN_OVERFLOWS]);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_tree, remove_tree)
	const struct CMUnitTest tests[] = {
		TEST(netstat),
		TEST(connection_tracking),
		TEST(backlog_of_the_cpus),
		TEST(nonsense),
		TEST(long_lines),
		TEST(no_such_process),
		TEST(no_namespace_to_compare),
		TEST(of_ourselves),
	};

	return cmocka_run_group_tests_name("netcounters", tests, NULL, NULL);
}
