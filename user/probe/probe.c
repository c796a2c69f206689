// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading by trying: choose the best rung of every hook, load and attach all of it; when the
 * kernel refuses a program, keep its words, step that hook one rung down, and try again. No
 * version numbers: distributions backport.
 */
#include "probe/private.h"

#include <bpf/bpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "hopscope/kfunc.h"
#include "probe/cgroup_root.h"
#include "probe/kfunc.h"
#include "probe/tracefs.h"

#define RING_MIN_BYTES (256u << 10)
#define RING_DEFAULT_BYTES (2u << 20) /* a tenth of a second at 80,000 records/s */
#define RING_MEMORY_SHARE 1024        /* of the machine's memory at most */
#define SOCKET_MEMORY_BYTES (256u << 10) /* of the machine's memory for each socket in our table */
#define COUNT_MEMORY_SHARE 256 /* of the machine's memory at most, for counters of calls */
#define PIPELINES_SHARE 4 /* one connection in so many, at most, is one of Redis that the kernel follows */
#define SOCKETS_MIN (16u << 10)
#define SOCKETS_MAX (1u << 20)

/* ---- the kernel's own words ---- */

/*
 * libbpf reports a refused program only as text. What matters is the last line that the
 * verifier or libbpf wrote before giving up, and which program it was about.
 */
static struct {
	char program[64];
	char words[256];
} refusal;

static void keep_words(const char *text)
{
	size_t length = strcspn(text, "\n");
	const char *prefix = strstr(text, "': ");

	if (prefix && prefix < text + length) {
		length -= prefix + 3 - text;
		text = prefix + 3;
	}
	snprintf(refusal.words, sizeof(refusal.words), "%.*s", (int)length, text);
}

/* The last line of a verifier log that is not its statistics. */
static void keep_verifier_words(const char *log)
{
	char best[256] = "";

	while (*log) {
		size_t length = strcspn(log, "\n");

		if (length && strncmp(log, "processed ", 10) && strncmp(log, "-- END", 6))
			snprintf(best, sizeof(best), "%.*s", (int)length, log);
		log += length + (log[length] == '\n');
	}
	if (*best)
		snprintf(refusal.words, sizeof(refusal.words), "%s", best);
}

static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	static char text[8192];
	const char *log;
	char *name;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	name = strstr(text, "prog '");
	if (name && !refusal.program[0]) {
		sscanf(name, "prog '%63[^']'", refusal.program);
		keep_words(text);
	}
	log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
	if (log)
		keep_verifier_words(log + strlen("-- BEGIN PROG LOAD LOG --\n"));
	return 0;
}

/* ---- ladders ---- */

static const struct hs_rung_def *rung_of(const struct hs_probe *probe, size_t hook)
{
	int rung = probe->hooks[hook].rung;

	return rung < 0 ? NULL : &hs_hook_defs[hook].ladder[rung];
}

static bool uses(const struct hs_probe *probe, size_t hook, const char *name)
{
	const struct hs_rung_def *rung = rung_of(probe, hook);

	return rung && !strcmp(rung->name, name);
}

static bool is_disabled(const char *list, const char *hook, const char *rung)
{
	char full[64];
	size_t length;

	snprintf(full, sizeof(full), "%s:%s", hook, rung);
	for (; list && *list; list += length + (list[length] == ',')) {
		length = strcspn(list, ",");
		if ((length == strlen(hook) && !strncmp(list, hook, length)) ||
		    (length == strlen(full) && !strncmp(list, full, length)))
			return true;
	}
	return false;
}

static void step_down(struct hs_probe *probe, size_t hook, int error, const char *words)
{
	struct hs_hook_status *status = &probe->hooks[hook];
	struct hs_hook_rung *rung = &status->ladder[status->rung];

	rung->tried = true;
	rung->error = error;
	snprintf(rung->refusal, sizeof(rung->refusal), "%s", *words ? words : strerror(-error));
	status->attached = false;
	status->rung = status->rung + 1 < status->rungs ? status->rung + 1 : -1;
}

static void skip_disabled(struct hs_probe *probe, size_t hook)
{
	const struct hs_rung_def *rung;

	while ((rung = rung_of(probe, hook)) &&
	       is_disabled(probe->config.disabled, hs_hook_defs[hook].name, rung->name))
		step_down(probe, hook, -ECANCELED, "switched off by configuration");
}

/*
 * Some kernels forbid fexit as a whole. A program that names no function at all gets EPERM
 * there and EINVAL elsewhere: a question of microseconds that saves an attempt per ladder.
 */
static bool fexit_is_forbidden(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", nothing, 2, &options);

	if (fd >= 0)
		close(fd);
	return fd == -EPERM;
}

static void skip_forbidden(struct hs_probe *probe)
{
	for (size_t i = 0; i < HS_HOOK_COUNT; i++) {
		if (uses(probe, i, "fexit")) {
			step_down(probe, i, -EPERM, "fexit: Operation not permitted");
			skip_disabled(probe, i);
		}
	}
}

static void hooks_init(struct hs_probe *probe)
{
	for (size_t i = 0; i < HS_HOOK_COUNT; i++) {
		struct hs_hook_status *status = &probe->hooks[i];

		status->hook = hs_hook_defs[i].name;
		status->gives = hs_hook_defs[i].gives;
		status->lost = hs_hook_defs[i].lost;
		while (status->rungs < HS_HOOK_RUNGS && hs_hook_defs[i].ladder[status->rungs].name) {
			status->ladder[status->rungs].name = hs_hook_defs[i].ladder[status->rungs].name;
			status->ladder[status->rungs].misses = hs_hook_defs[i].ladder[status->rungs].misses;
			status->rungs++;
		}
		skip_disabled(probe, i);
	}
}

/* A rung that calls a function which this kernel lacks need not be tried. */
static void skip_without_function(struct hs_probe *probe)
{
	for (size_t i = 0; i < HS_HOOK_COUNT; i++) {
		const struct hs_rung_def *rung = rung_of(probe, i);
		char words[128];

		if (!rung || !rung->calls)
			continue;
		if (!probe->task_work)
			probe->task_work = hs_kfunc_find(rung->calls);
		if (probe->task_work > 0)
			continue;
		snprintf(words, sizeof(words), "the kernel has no function %s", rung->calls);
		step_down(probe, i, probe->task_work, words);
		skip_disabled(probe, i);
	}
}

/* The hook that wants this program, -1 none. */
static int hook_of_program(const struct hs_probe *probe, const char *program)
{
	for (size_t i = 0; i < HS_HOOK_COUNT; i++) {
		const struct hs_rung_def *rung = rung_of(probe, i);

		for (size_t j = 0; rung && j < HS_RUNG_PROGRAMS && rung->programs[j]; j++)
			if (!strcmp(rung->programs[j], program))
				return i;
	}
	return -1;
}

/* ---- load and attach ---- */

static size_t memory_bytes(void)
{
	return (size_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static size_t default_ring_bytes(void)
{
	size_t share = memory_bytes() / RING_MEMORY_SHARE;

	if (share < RING_MIN_BYTES)
		return RING_MIN_BYTES;
	return share < RING_DEFAULT_BYTES ? share : RING_DEFAULT_BYTES;
}

/* The kernel wants a power of two of pages. */
static size_t ring_size(size_t wanted)
{
	size_t size = sysconf(_SC_PAGESIZE);

	if (!wanted)
		wanted = default_ring_bytes();
	while (size < wanted)
		size *= 2;
	return size;
}

/* A power of two: the kernel's hash table has as many buckets, and they are always there. */
static uint32_t socket_entries(uint32_t wanted)
{
	size_t share = memory_bytes() / SOCKET_MEMORY_BYTES;
	uint32_t entries = SOCKETS_MIN;

	if (wanted)
		return wanted;
	while (entries < SOCKETS_MAX && entries * 2 <= share)
		entries *= 2;
	return entries;
}

/* Counters of that size for every CPU: as many as the map holds, and as a share of the memory does. */
static uint32_t counters_max(uint32_t most, size_t size)
{
	size_t share = memory_bytes() / COUNT_MEMORY_SHARE / (size * libbpf_num_possible_cpus());

	return most < share ? most : share;
}

static struct hs_counts *open_counts(const struct hs_probe *probe)
{
	struct hs_counts_config config = {
		.routes = bpf_map__fd(probe->skeleton->maps.hs_routes),
		.counts = bpf_map__fd(probe->skeleton->maps.hs_counts),
		.edges = bpf_map__fd(probe->skeleton->maps.hs_edge_counts),
		.max_counts = counters_max(HS_COUNTS * HS_COUNTS_ARRAYS, sizeof(struct hs_count)),
		.max_edges = counters_max(HS_EDGE_COUNTS * HS_EDGE_COUNTS_ARRAYS, sizeof(struct hs_edge_count)),
	};

	return hs_counts_new(&config);
}

static uint64_t tick_ns(void)
{
	struct timespec tick;

	/* The coarse clocks advance once per jiffy, and say so. */
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return tick.tv_sec * HS_NS_PER_SEC + tick.tv_nsec;
}

/*
 * A type that the kernel lacks sends libbpf into the BTF of all modules, which takes
 * CAP_SYS_ADMIN: without it, the kernel's own BTF is named, and that is all it looks at.
 */
static struct hs_bpf *open_skeleton(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = "/sys/kernel/btf/vmlinux");

	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) || access(options.btf_custom_path, R_OK))
		return hs_bpf__open();
	return hs_bpf__open_opts(&options);
}

static void set_reasons(struct hs_probe *probe)
{
	struct hs_bpf__rodata *rodata = probe->skeleton->rodata;

	static_assert(sizeof(rodata->hs_drop_reasons) == sizeof(probe->reasons.names), "the same table");
	memcpy((void *)rodata->hs_drop_reasons, probe->reasons.names, sizeof(probe->reasons.names));
	rodata->hs_drop_backlog = probe->reasons.backlog;
	if (probe->config.drop_budget)
		rodata->hs_drop_budget = probe->config.drop_budget;
}

static int load(struct hs_probe *probe)
{
	struct hs_bpf *skeleton = open_skeleton();
	struct bpf_program *program;
	size_t ring = ring_size(probe->config.ring_bytes);
	uint32_t sockets = socket_entries(probe->config.sockets);

	if (!skeleton)
		return -errno;
	probe->skeleton = skeleton;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program,
					  hook_of_program(probe, bpf_program__name(program)) >= 0);
	bpf_map__set_max_entries(skeleton->maps.hs_ring, ring);
	bpf_map__set_max_entries(skeleton->maps.hs_socks, sockets);
	bpf_map__set_max_entries(skeleton->maps.hs_heads, 2 * libbpf_num_possible_cpus());
	bpf_map__set_max_entries(skeleton->maps.hs_scans, 2 * libbpf_num_possible_cpus());
	bpf_map__set_max_entries(skeleton->maps.hs_pipelines, sockets / PIPELINES_SHARE);
	if (probe->config.routes)
		bpf_map__set_max_entries(skeleton->maps.hs_routes, probe->config.routes);
	skeleton->rodata->hs_sock_bound = sockets / 2;
	skeleton->rodata->hs_wakeup_bytes = ring / 4;
	skeleton->rodata->hs_tick_ns = tick_ns();
	skeleton->rodata->hs_self = getpid();
	skeleton->rodata->hs_tell_no_ports = uses(probe, HS_HOOK_CONNECT, "cgroup");
	skeleton->rodata->hs_announce_servers = probe->hooks[HS_HOOK_ACCEPT].rung < 0;
	set_reasons(probe);
	if (probe->task_work > 0 && hs_kfunc_link(skeleton->obj, HS_KFUNC_TASK_WORK, probe->task_work))
		return -EINVAL;
	return hs_bpf__load(skeleton);
}

static struct bpf_link *refuse(const char *format, const char *detail)
{
	int error = errno;

	snprintf(refusal.words, sizeof(refusal.words), format, detail);
	errno = error;
	return NULL;
}

/* tracepoint/syscalls/… by event id: libbpf would want a mounted tracefs. */
static struct bpf_link *attach_tracepoint(struct hs_probe *probe, struct bpf_program *program)
{
	const char *event = strchr(bpf_program__section_name(program), '/') + 1;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
	};
	struct bpf_link *link;
	int id = -1, fd;

	probe->tracefs = hs_tracefs_event_ids(&event, &id, 1);
	if (!probe->tracefs)
		return refuse("tracefs is not mounted: mount it, or give CAP_SYS_ADMIN to do so privately (%s)",
			      strerror(errno));
	if (id < 0) {
		errno = ENOENT;
		return refuse("tracefs has no event %s that may be read (CAP_DAC_READ_SEARCH)", event);
	}
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return refuse("perf_event_open: %s (kernel.perf_event_paranoid of 3 takes CAP_SYS_ADMIN)",
			      strerror(errno));
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		close(fd);
	return link;
}

/*
 * A program that only lets pass may be attached for both directions, and is verified once (libbpf would
 * attach it for one).
 */
static struct bpf_link *attach_both_ways(struct hs_probe *probe, struct bpf_program *program, int root)
{
	probe->egress = bpf_link_create(bpf_program__fd(program), root, BPF_CGROUP_INET_EGRESS, NULL);
	return probe->egress < 0 ? NULL : bpf_program__attach_cgroup(program, root);
}

/* At the root of cgroup v2: every socket's. */
static struct bpf_link *attach_cgroup(struct hs_probe *probe, struct bpf_program *program)
{
	struct bpf_link *link;
	char root[256];
	int fd;

	if (!hs_cgroup_root(root, sizeof(root))) {
		errno = ENOENT;
		return refuse("%s", *root ? "only a part of cgroup v2 is mounted here: mount the host's /sys/fs/cgroup" :
					    "cgroup v2 is not mounted");
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return refuse("cannot open the root of cgroup v2: %s", strerror(errno));
	if (bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SKB)
		link = attach_both_ways(probe, program, fd);
	else
		link = bpf_program__attach_cgroup(program, fd);
	if (!link)
		refuse("attaching to a cgroup takes CAP_NET_ADMIN (%s)", strerror(errno));
	close(fd);
	return link;
}

static struct bpf_link *attach(struct hs_probe *probe, struct bpf_program *program)
{
	if (bpf_program__type(program) == BPF_PROG_TYPE_TRACEPOINT)
		return attach_tracepoint(probe, program);
	if (bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SKB ||
	    bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
		return attach_cgroup(probe, program);
	return bpf_program__attach(program);
}

static int attach_hook(struct hs_probe *probe, size_t hook)
{
	const struct hs_rung_def *rung = rung_of(probe, hook);

	for (size_t i = 0; i < HS_RUNG_PROGRAMS && rung->programs[i]; i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(probe->skeleton->obj, rung->programs[i]);
		struct bpf_link *link = attach(probe, program);

		if (!link)
			return -errno;
		probe->links[probe->link_count++] = link;
		if (hook == HS_HOOK_SNAPSHOT)
			probe->snapshot = link;
	}
	probe->hooks[hook].attached = true;
	probe->hooks[hook].ladder[probe->hooks[hook].rung].tried = true;
	return 0;
}

static void unload(struct hs_probe *probe)
{
	for (size_t i = 0; i < probe->link_count; i++)
		bpf_link__destroy(probe->links[i]);
	probe->link_count = 0;
	probe->snapshot = NULL;
	if (probe->egress >= 0)
		close(probe->egress);
	probe->egress = -1;
	hs_bpf__destroy(probe->skeleton);
	probe->skeleton = NULL;
}

/* One attempt. 0; 1 when a hook had to step down; -errno when it failed for good. */
static int attempt(struct hs_probe *probe)
{
	int error, hook;

	skip_without_function(probe);
	memset(&refusal, 0, sizeof(refusal));
	error = load(probe);
	if (error) {
		hook = hook_of_program(probe, refusal.program);
		if (hook < 0)
			return error; /* not about a program: a map, or BPF as a whole */
		step_down(probe, hook, error, refusal.words);
		skip_disabled(probe, hook);
		return 1;
	}
	for (size_t i = 0; i < HS_HOOK_COUNT; i++) {
		if (probe->hooks[i].rung < 0)
			continue;
		memset(&refusal, 0, sizeof(refusal));
		error = attach_hook(probe, i);
		if (error) {
			step_down(probe, i, error, refusal.words);
			skip_disabled(probe, i);
			return 1;
		}
	}
	return 0;
}

static bool nothing_attached(const struct hs_probe *probe)
{
	for (size_t i = 0; i < HS_HOOK_COUNT; i++)
		if (probe->hooks[i].attached)
			return false;
	return true;
}

static int explain_failure(struct hs_probe *probe, int error, char *message, size_t size)
{
	const struct hs_hook_rung *first = &probe->hooks[HS_HOOK_CONNECTION].ladder[0];

	if (error >= 0)
		error = first->error ? first->error : -ENOTSUP;
	if (error == -ECANCELED) {
		snprintf(message, size, "every hook is switched off by configuration or refused: nothing to watch");
	} else if (error == -EPERM || error == -EACCES) {
		snprintf(message, size, "loading BPF is not permitted");
	} else if (first->error) {
		snprintf(message, size, "the kernel refuses every hook (%s: %s); run `hopscope check`",
			 hs_hook_defs[HS_HOOK_CONNECTION].name, first->refusal);
	} else {
		snprintf(message, size, "cannot load the BPF programs: %s%s%s", strerror(-error),
			 *refusal.words ? ": " : "", refusal.words);
	}
	return error;
}

int hs_probe_open(const struct hs_probe_config *config, struct hs_probe **out, char *message, size_t size)
{
	struct hs_probe *probe = calloc(1, sizeof(*probe));
	int status;

	if (!probe)
		return -ENOMEM;
	probe->config = *config;
	probe->tracefs = "";
	probe->egress = -1;
	hooks_init(probe);
	if (fexit_is_forbidden())
		skip_forbidden(probe);
	libbpf_set_print(listen_to_libbpf);
	if (rung_of(probe, HS_HOOK_DROP))
		hs_reasons_read(&probe->reasons);
	do {
		unload(probe);
		status = attempt(probe);
	} while (status > 0);
	if (!status && !nothing_attached(probe))
		probe->ring = ring_buffer__new(bpf_map__fd(probe->skeleton->maps.hs_ring), hs_probe_record, probe,
					       NULL);
	if (probe->ring)
		probe->counts = open_counts(probe);
	if (!probe->counts) {
		status = explain_failure(probe, status, message, size);
		hs_probe_close(probe);
		return status;
	}
	*out = probe;
	return 0;
}

void hs_probe_close(struct hs_probe *probe)
{
	if (!probe)
		return;
	hs_counts_free(probe->counts);
	ring_buffer__free(probe->ring);
	unload(probe);
	free(probe);
}
