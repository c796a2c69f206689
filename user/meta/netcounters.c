/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/netcounters.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/procfile.h"

/* The longest line, the names of TcpExt, has 2,500 bytes. One that does not fit is not understood. */
#define LINE 16384
#define COLUMNS 32

#define CONNTRACK_MAX "sys/net/netfilter/nf_conntrack_max"
#define SOFTNET_DROPPED 1 /* its column; it has no header */

struct source {
	const char *name;
	enum hs_counter counter;
};

static const struct source tcp_ext[] = {
	{ "ListenOverflows", HS_COUNTER_LISTEN_OVERFLOWS },
	{ "ListenDrops", HS_COUNTER_LISTEN_DROPS },
	{ "TCPReqQFullDrop", HS_COUNTER_SYN_QUEUE_DROPS },
	{ "TCPReqQFullDoCookies", HS_COUNTER_SYN_QUEUE_COOKIES },
	{ "IPReversePathFilter", HS_COUNTER_RP_FILTER },
	{ "PAWSActive", HS_COUNTER_TIMESTAMP_REJECTED },
	{ "PAWSEstab", HS_COUNTER_TIMESTAMP_REJECTED },
	{ "PAWSTimewait", HS_COUNTER_TIMESTAMP_REJECTED },
	{ "TSEcrRejected", HS_COUNTER_TIMESTAMP_REJECTED },
	{ "TCPBacklogDrop", HS_COUNTER_BACKLOG_DROPS },
	{ "TCPRcvQDrop", HS_COUNTER_RECEIVE_QUEUE_DROPS },
	{ "TCPZeroWindowDrop", HS_COUNTER_RECEIVE_QUEUE_DROPS },
	{ "TCPMemoryPressures", HS_COUNTER_MEMORY_PRESSURES },
	{ "TCPAbortOnMemory", HS_COUNTER_MEMORY_PRESSURES },
	{ "TCPAbortOnClose", HS_COUNTER_ABORT_ON_DATA },
	{ "TCPAbortOnData", HS_COUNTER_ABORT_ON_LINGER },
	{ "TCPRetransFail", HS_COUNTER_RETRANSMIT_FAILS },
	{ "LockDroppedIcmps", HS_COUNTER_LOCKED_ICMPS },
	{ NULL, HS_COUNTER_MAX },
};

static const struct source ip_ext[] = {
	{ "InNoRoutes", HS_COUNTER_NO_ROUTES },
	{ NULL, HS_COUNTER_MAX },
};

static const struct source ip[] = {
	{ "OutNoRoutes", HS_COUNTER_NO_ROUTES },
	{ NULL, HS_COUNTER_MAX },
};

static const struct source conntrack[] = {
	{ "entries", HS_COUNTER_CONNTRACK_ENTRIES },
	{ "insert_failed", HS_COUNTER_CONNTRACK_DROPS },
	{ "drop", HS_COUNTER_CONNTRACK_DROPS },
	{ "early_drop", HS_COUNTER_CONNTRACK_DROPS },
	{ NULL, HS_COUNTER_MAX },
};

/* The counter that a name of length bytes goes to, HS_COUNTER_MAX none. */
static enum hs_counter counter_of(const struct source *sources, const char *name, size_t length)
{
	while (sources->name && (strlen(sources->name) != length || memcmp(sources->name, name, length)))
		sources++;
	return sources->counter;
}

/* Take the next word of a line; its length, 0 at the end. */
static size_t next_word(const char **at, const char **word)
{
	*word = *at + strspn(*at, " \t\n");
	*at = *word + strcspn(*word, " \t\n");
	return (size_t)(*at - *word);
}

/* "PREFIX: NAME NAME …" over "PREFIX: VALUE VALUE …" */
static void add_pair(const char *names, const char *values, const char *prefix, const struct source *sources,
		     __u64 *count)
{
	size_t length = strlen(prefix), name_length;
	const char *name, *value;

	if (strncmp(names, prefix, length) || strncmp(values, prefix, length))
		return;
	names += length;
	values += length;
	while ((name_length = next_word(&names, &name)) && next_word(&values, &value)) {
		enum hs_counter counter = counter_of(sources, name, name_length);

		if (counter < HS_COUNTER_MAX)
			count[counter] += strtoull(value, NULL, 10);
	}
}

static int read_pairs(int dir, const char *path, __u64 *count)
{
	char names[LINE], values[LINE];
	FILE *file = hs_procfile_open(dir, path);

	if (!file)
		return -errno;
	while (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
		add_pair(names, values, "TcpExt: ", tcp_ext, count);
		add_pair(names, values, "IpExt: ", ip_ext, count);
		add_pair(names, values, "Ip: ", ip, count);
	}
	fclose(file);
	return 0;
}

/* Columns in hexadecimal, a line for each CPU; the names above say which is which. */
static void read_conntrack(int dir, __u64 *count)
{
	enum hs_counter columns[COLUMNS];
	FILE *file = hs_procfile_open(dir, "net/stat/nf_conntrack");
	const char *at, *word;
	size_t length, used = 0;
	char line[LINE];

	if (!file)
		return;
	at = fgets(line, sizeof(line), file) ? line : "";
	while (used < COLUMNS && (length = next_word(&at, &word)))
		columns[used++] = counter_of(conntrack, word, length);
	while (used && fgets(line, sizeof(line), file)) {
		at = line;
		for (size_t i = 0; i < used && next_word(&at, &word); i++) {
			if (columns[i] == HS_COUNTER_CONNTRACK_ENTRIES) /* each line tells those of all CPUs */
				count[columns[i]] = strtoull(word, NULL, 16);
			else if (columns[i] < HS_COUNTER_MAX)
				count[columns[i]] += strtoull(word, NULL, 16);
		}
	}
	fclose(file);
}

/* The same in every namespace: of the node. */
static void read_softnet(int dir, __u64 *count)
{
	FILE *file = hs_procfile_open(dir, "net/softnet_stat");
	char line[LINE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		const char *at = line, *word;

		for (int i = 0; i < SOFTNET_DROPPED; i++)
			next_word(&at, &word);
		if (next_word(&at, &word))
			count[HS_COUNTER_CPU_BACKLOG_DROPS] += strtoull(word, NULL, 16);
	}
	fclose(file);
}

static uint64_t conntrack_max(const char *proc_root)
{
	char text[32];
	int dir = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), length;

	if (dir < 0)
		return 0;
	length = hs_procfile_read(dir, CONNTRACK_MAX, text, sizeof(text));
	close(dir);
	return length > 0 ? strtoull(text, NULL, 10) : 0;
}

/* A pid may have changed hands. Where we may not look, it is believed. */
static bool is_elsewhere(int dir, uint32_t netns)
{
	struct stat file;

	return !fstatat(dir, "ns/net", &file, 0) && file.st_ino != netns;
}

static int fill(int dir, uint32_t netns, __u64 *count)
{
	int err;

	if (is_elsewhere(dir, netns))
		return -ESRCH;
	err = read_pairs(dir, "net/netstat", count);
	if (err)
		return err == -ENOENT || err == -EINVAL ? -ESRCH : err; /* EINVAL: it has ended, and has no namespace */
	read_pairs(dir, "net/snmp", count);
	read_conntrack(dir, count);
	read_softnet(dir, count);
	return is_elsewhere(dir, netns) ? -ESRCH : 0;
}

int hs_netcounters_read(const char *proc_root, uint32_t pid, uint32_t netns, uint64_t time_ns,
			struct hs_ev_counters *counters)
{
	struct hs_ev_counters record = {
		.event = { .kind = HS_EV_COUNTERS, .size = sizeof(record), .time_ns = time_ns },
		.netns = netns,
	};
	char path[PATH_MAX];
	int dir, err;

	if (snprintf(path, sizeof(path), "%s/%u", proc_root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = fill(dir, netns, record.count);
	close(dir);
	if (err)
		return err;
	if (record.count[HS_COUNTER_CONNTRACK_ENTRIES])
		record.count[HS_COUNTER_CONNTRACK_MAX] = conntrack_max(proc_root);
	*counters = record;
	return 0;
}
