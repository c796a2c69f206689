// SPDX-License-Identifier: GPL-2.0-or-later
/* What is read from the loaded programs, and what they are told: records, passes, losses, memory. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/record.h"
#include "probe/private.h"

#define SOCKET_BUCKET_BYTES 16 /* what the kernel's hash table takes for an entry that is not used */
#define SOCKET_ENTRY_BYTES 64  /* and on top of its value for one that is */
#define SNAPSHOT_BUFFER (64 * 1024)

int hs_probe_record(void *arg, void *data, size_t size)
{
	struct hs_probe *probe = arg;

	if (hs_record_check(data, size))
		probe->malformed++;
	else
		probe->sink(probe->sink_arg, data);
	return 0;
}

int hs_probe_fd(const struct hs_probe *probe)
{
	return ring_buffer__epoll_fd(probe->ring);
}

int hs_probe_drain(struct hs_probe *probe, hs_record_fn sink, void *arg)
{
	probe->sink = sink;
	probe->sink_arg = arg;
	return ring_buffer__consume(probe->ring);
}

static void send_pass(struct hs_probe *probe, uint32_t end, hs_record_fn sink, void *arg)
{
	struct hs_ev_pass pass = {
		.event = { .kind = HS_EV_PASS, .size = sizeof(pass), .time_ns = hs_monotonic_ns() },
		.number = probe->passes,
		.end = end,
	};

	sink(arg, &pass.event);
}

/* Hands out the whole records in buffer; the number of bytes they take. */
static size_t hand_out(struct hs_probe *probe, const char *buffer, size_t length)
{
	size_t at = 0;

	while (length - at >= sizeof(struct hs_event)) {
		const struct hs_event *event = (const void *)(buffer + at);

		if (event->size < sizeof(*event)) {
			probe->malformed++;
			return length; /* no way to find the next one */
		}
		if (event->size > length - at)
			break;
		hs_probe_record(probe, (void *)event, event->size);
		at += event->size;
	}
	return at;
}

static int read_snapshot(struct hs_probe *probe, int fd)
{
	static char buffer[SNAPSHOT_BUFFER] __attribute__((aligned(8)));
	size_t filled = 0, used;
	ssize_t got;

	while ((got = read(fd, buffer + filled, sizeof(buffer) - filled)) > 0 || (got < 0 && errno == EAGAIN)) {
		if (got < 0)
			continue; /* the iterator paused after a million files; go on */
		filled += got;
		used = hand_out(probe, buffer, filled);
		filled -= used;
		memmove(buffer, buffer + used, filled);
	}
	return got < 0 ? -errno : 0;
}

int hs_probe_snapshot(struct hs_probe *probe, hs_record_fn sink, void *arg)
{
	int fd, error;

	if (!probe->snapshot)
		return -ENOENT;
	fd = bpf_iter_create(bpf_link__fd(probe->snapshot));
	if (fd < 0)
		return -errno;
	probe->sink = sink;
	probe->sink_arg = arg;
	probe->passes++;
	send_pass(probe, 0, sink, arg);
	error = read_snapshot(probe, fd);
	close(fd);
	if (!error)
		send_pass(probe, 1, sink, arg);
	return error;
}

void hs_probe_live(struct hs_probe *probe, bool live)
{
	__atomic_store_n(&probe->skeleton->bss->hs_live, live, __ATOMIC_RELAXED);
}

void hs_probe_watch(struct hs_probe *probe, uint64_t cookie, const struct hs_wanted *wanted)
{
	bpf_map_update_elem(bpf_map__fd(probe->skeleton->maps.hs_watches), &cookie, wanted, BPF_ANY);
}

struct hs_counts *hs_probe_counts(struct hs_probe *probe)
{
	return probe->counts;
}

void hs_probe_follow_calls(struct hs_probe *probe, bool follows)
{
	__atomic_store_n(&probe->skeleton->bss->hs_calls_live, follows, __ATOMIC_RELAXED);
}

void hs_probe_server(struct hs_probe *probe, const struct hs_server *server, uint64_t time_ns)
{
	bpf_map_update_elem(bpf_map__fd(probe->skeleton->maps.hs_servers), server, &time_ns, BPF_ANY);
}

void hs_probe_losses(const struct hs_probe *probe, struct hs_ev_loss *loss)
{
	*loss = (struct hs_ev_loss){
		.event = { .kind = HS_EV_LOSS, .size = sizeof(*loss), .time_ns = hs_monotonic_ns() },
	};
	memcpy(loss->count, probe->skeleton->bss->hs_losses, sizeof(loss->count));
}

const struct hs_hook_status *hs_probe_hooks(const struct hs_probe *probe, size_t *count)
{
	*count = HS_HOOK_COUNT;
	return probe->hooks;
}

static uint64_t map_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

/* Entries are allocated when they are used; kernels before 6.4 tell what a full table would take. */
static uint64_t sockets_bytes(const struct hs_probe *probe, uint64_t told)
{
	const struct bpf_map *map = probe->skeleton->maps.hs_socks;
	uint64_t used = (uint64_t)bpf_map__max_entries(map) * SOCKET_BUCKET_BYTES +
			probe->skeleton->bss->hs_sock_count * (bpf_map__value_size(map) + SOCKET_ENTRY_BYTES);

	return told < used ? told : used;
}

uint64_t hs_probe_map_bytes(const struct hs_probe *probe)
{
	struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, probe->skeleton->obj) {
		uint64_t told = map_bytes(bpf_map__fd(map));

		/* Kernels before 6.6 tell nothing of a ring buffer's pages. */
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF && told < bpf_map__max_entries(map))
			told = bpf_map__max_entries(map);
		if (map == probe->skeleton->maps.hs_socks)
			told = sockets_bytes(probe, told);
		bytes += told;
	}
	return bytes;
}

const char *hs_probe_tracefs(const struct hs_probe *probe)
{
	return probe->tracefs ? probe->tracefs : "";
}

static uint64_t misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_program__fd(program);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.recursion_misses;
}

uint64_t hs_probe_misses(const struct hs_probe *probe)
{
	uint64_t first = misses(probe->skeleton->progs.hs_tcp_state);
	uint64_t second = misses(probe->skeleton->progs.hs_tcp_state_again);
	struct bpf_program *program;
	uint64_t sum = 0;

	bpf_object__for_each_program(program, probe->skeleton->obj)
		sum += misses(program);
	/* These two stand in for each other: what both missed is at most the smaller count. */
	return sum - first - second + (first < second ? first : second);
}

uint64_t hs_probe_malformed(const struct hs_probe *probe)
{
	return probe->malformed;
}
