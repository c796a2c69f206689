// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/engine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/node.h"
#include "base/record.h"
#include "cmd/recorder.h"
#include "meta/capability.h"
#include "meta/local_address.h"
#include "meta/netcounters.h"
#include "meta/procfs.h"
#include "meta/status.h"
#include "probe/cgroup_root.h"

#define EXTRA_STAGES 4
#define STAGES (HS_LOSS_MAX + HS_MODEL_LOSS_MAX + 2 + EXTRA_STAGES)

/* A pass may take this share of the time between passes, and of a reader's spacing. */
#define PASS_SHARE 50
#define FRESH_SHARE 20
#define FRESH_MIN_NS (50 * HS_NS_PER_MS)

#define COUNTS_NS (HS_NS_PER_SEC / 2) /* the kernel's counters of calls: so often at least */

/* The counters of all network namespaces: so often at most, and in this share of the time. */
#define COUNTERS_NS (5 * HS_NS_PER_SEC)
#define COUNTERS_SHARE 500
#define NAMESPACES 256
/* What the model asks for amid a record, in a second: a storm of failures is told by its first ones. */
#define COUNTERS_ASKED 32
#define STATUS_ASKED 16

struct hs_engine {
	struct hs_engine_config config;
	struct hs_probe *probe;
	struct hs_model *model;
	pthread_mutex_t mutex;
	struct hs_view view;
	struct hs_stage stages[STAGES];
	struct {
		const char *stage;
		uint64_t (*count)(void *arg);
		void *arg;
	} extra[EXTRA_STAGES];
	size_t extra_count;
	uint64_t pass_ns, pass_cost_ns; /* when the last pass began, what it took */
	uint64_t tick_ns;
	uint64_t counts_ns; /* when the kernel's counters of calls were read last */
	uint64_t counters_ns, counters_cost_ns; /* the same for a reading of all counters */
	struct allowance {
		uint64_t since_ns;
		unsigned used;
	} counters_asked, status_asked;
	struct utsname uname;
	char cgroup_root[256];
	struct hs_capability capabilities[HS_CAPABILITIES];
};

static const char *const model_stages[HS_MODEL_LOSS_MAX] = {
	[HS_MODEL_LOSS_CONNECTION] = "connection_table",
	[HS_MODEL_LOSS_EDGE] = "edge_table",
	[HS_MODEL_LOSS_WORKLOAD] = "workload_table",
	[HS_MODEL_LOSS_PROCESS] = "process_table",
	[HS_MODEL_LOSS_LISTENER] = "listener_table",
	[HS_MODEL_LOSS_RECORD] = "malformed_record",
	[HS_MODEL_LOSS_CLOSE] = "close_not_seen",
	[HS_MODEL_LOSS_FINDING] = "finding_table",
	[HS_MODEL_LOSS_SIGNAL] = "signal_table",
	[HS_MODEL_LOSS_ROUTE] = "route_table",
	[HS_MODEL_LOSS_CONVERSATION] = "conversation_table",
};

void hs_engine_defaults(struct hs_engine_config *config)
{
	*config = (struct hs_engine_config){
		.model = hs_model_defaults,
		.snapshot_seconds = 1,
	};
	config->model.self_pid = getpid();
}

/* ---- records ---- */

/* Written when the model has it: a process that it asks for amid a record comes before that one. */
static void feed(struct hs_engine *engine, const struct hs_event *event)
{
	hs_model_feed(engine->model, event);
	if (engine->config.recorder)
		hs_recorder_write(engine->config.recorder, event);
}

static bool feed_from_procfs(struct hs_engine *engine, uint32_t pid, uint64_t time_ns)
{
	static char buffer[HS_PROCFS_RECORD_MAX] __attribute__((aligned(8))); /* under the lock */

	if (hs_procfs_process("/proc", pid, time_ns, buffer, sizeof(buffer)) < 0)
		return false;
	feed(engine, (const struct hs_event *)buffer);
	return true;
}

static void introduce(void *arg, uint32_t pid)
{
	feed_from_procfs(arg, pid, hs_monotonic_ns());
}

/* So many in a second, and no more until it is over. */
static bool is_allowed(struct allowance *allowance, unsigned limit, uint64_t now)
{
	if (now - allowance->since_ns >= HS_NS_PER_SEC)
		*allowance = (struct allowance){ .since_ns = now };
	return allowance->used++ < limit;
}

static void feed_counters(struct hs_engine *engine, uint32_t netns, uint32_t pid, uint64_t now)
{
	struct hs_ev_counters counters;

	if (!hs_netcounters_read("/proc", pid, netns, now, &counters))
		feed(engine, &counters.event);
}

static void ask_counters(void *arg, uint32_t netns, uint32_t pid)
{
	struct hs_engine *engine = arg;
	uint64_t now = hs_monotonic_ns();

	if (is_allowed(&engine->counters_asked, COUNTERS_ASKED, now))
		feed_counters(engine, netns, pid, now);
}

static void ask_status(void *arg, uint32_t pid)
{
	struct hs_engine *engine = arg;
	uint64_t now = hs_monotonic_ns();
	struct hs_ev_status status;

	if (is_allowed(&engine->status_asked, STATUS_ASKED, now) && !hs_status_read("/proc", pid, now, &status))
		feed(engine, &status.event);
}

static void watch(void *arg, uint64_t cookie, const struct hs_wanted *wanted)
{
	struct hs_engine *engine = arg;

	hs_probe_watch(engine->probe, cookie, wanted);
}

static void count_route(void *arg, const struct hs_route_key *key, uint32_t number, bool counts)
{
	struct hs_engine *engine = arg;

	hs_counts_route(hs_probe_counts(engine->probe), key, number, counts);
}

static void count_answer(void *arg, const struct hs_count_key *key)
{
	struct hs_engine *engine = arg;

	hs_counts_answer(hs_probe_counts(engine->probe), key);
}

static void count_edge(void *arg, uint32_t number, bool counts)
{
	struct hs_engine *engine = arg;

	hs_counts_edge(hs_probe_counts(engine->probe), number, counts);
}

static void follow_calls(void *arg, bool follows)
{
	struct hs_engine *engine = arg;

	hs_probe_follow_calls(engine->probe, follows);
}

static const struct hs_counting counting = {
	.route = count_route, .answer = count_answer, .edge = count_edge, .follow = follow_calls,
};

static void server_is_here(void *arg, const struct hs_server *server)
{
	struct hs_engine *engine = arg;

	hs_probe_server(engine->probe, server, hs_monotonic_ns());
}

struct local {
	struct hs_engine *engine;
	uint32_t netns;
};

static void feed_address(void *arg, const uint8_t address[16])
{
	const struct local *local = arg;
	struct hs_ev_address record = {
		.event = { .kind = HS_EV_ADDRESS, .size = sizeof(record), .time_ns = hs_monotonic_ns() },
		.netns = local->netns,
	};

	memcpy(record.address, address, sizeof(record.address));
	feed(local->engine, &record.event);
}

/* Counters, to see later what moved, and addresses, to know who is on this node. */
static void feed_namespace(struct hs_engine *engine, uint32_t netns, uint32_t pid, uint64_t now)
{
	feed_counters(engine, netns, pid, now);
	hs_local_addresses("/proc", pid, feed_address, &(struct local){ engine, netns });
}

/* Of all namespaces, or of those that are new. */
static void feed_namespaces(struct hs_engine *engine, uint64_t now, bool all)
{
	struct hs_netns spaces[NAMESPACES];
	size_t count = hs_model_netns(engine->model, spaces, NAMESPACES);

	for (size_t i = 0; i < count; i++)
		if (all || !spaces[i].sampled_ns)
			feed_namespace(engine, spaces[i].netns, spaces[i].pid, now);
	if (!all)
		return;
	engine->counters_ns = now;
	engine->counters_cost_ns = hs_monotonic_ns() - now;
}

static uint64_t counters_interval(const struct hs_engine *engine)
{
	uint64_t bound = engine->counters_cost_ns * COUNTERS_SHARE;

	return bound > COUNTERS_NS ? bound : COUNTERS_NS;
}

/* The kernel side keeps the head of the arguments; the rest is asked for where it was cut. */
static bool is_cut(const struct hs_event *event)
{
	const struct hs_ev_process *process = (const void *)event;

	return event->kind == HS_EV_PROCESS && process->args_len >= HS_ARGS_LEN - 1;
}

/* listen() in a namespace that is new: what moves there before the next pass is to be seen to have moved. */
static bool listens_in_new_namespace(const struct hs_engine *engine, const struct hs_ev_socket *socket)
{
	return socket->event.kind == HS_EV_LISTENER && socket->phase == HS_PHASE_OPEN && socket->pid &&
	       !hs_model_counters_ns(engine->model, socket->tuple.netns);
}

static void on_record(void *arg, const struct hs_event *event)
{
	struct hs_engine *engine = arg;
	const struct hs_ev_socket *socket = (const void *)event;
	uint32_t pid = ((const struct hs_ev_process *)event)->pid;

	if (!is_cut(event) || !feed_from_procfs(engine, pid, event->time_ns))
		feed(engine, event);
	if (listens_in_new_namespace(engine, socket))
		feed_namespace(engine, socket->tuple.netns, socket->pid, hs_monotonic_ns());
}

/* ---- turns ---- */

static void pass(struct hs_engine *engine, uint64_t now)
{
	struct hs_ev_loss loss;

	engine->pass_ns = now;
	hs_probe_snapshot(engine->probe, on_record, engine);
	engine->pass_cost_ns = hs_monotonic_ns() - now;
	hs_probe_losses(engine->probe, &loss);
	feed(engine, &loss.event);
	now = hs_monotonic_ns();
	feed_namespaces(engine, now, now - engine->counters_ns >= counters_interval(engine));
	engine->view.ready = true; /* also where there is no snapshot hook to wait for */
}

static uint64_t pass_interval(const struct hs_engine *engine)
{
	uint64_t wanted = engine->config.snapshot_seconds * HS_NS_PER_SEC;
	uint64_t bound = engine->pass_cost_ns * PASS_SHARE;

	return wanted > bound ? wanted : bound;
}

static uint64_t fresh_interval(const struct hs_engine *engine)
{
	uint64_t bound = engine->pass_cost_ns * FRESH_SHARE;

	return bound > FRESH_MIN_NS ? bound : FRESH_MIN_NS;
}

/* What the kernel has counted by itself. */
static void read_counts(struct hs_engine *engine, uint64_t now, uint64_t interval)
{
	if (now - engine->counts_ns < interval)
		return;
	engine->counts_ns = now;
	hs_counts_read(hs_probe_counts(engine->probe), now, on_record, engine);
}

static void catch_up(struct hs_engine *engine, uint64_t interval)
{
	uint64_t now = hs_monotonic_ns();

	hs_probe_drain(engine->probe, on_record, engine);
	read_counts(engine, now, interval < COUNTS_NS ? interval : COUNTS_NS);
	if (!engine->pass_ns || now - engine->pass_ns >= interval) {
		pass(engine, now);
		hs_probe_drain(engine->probe, on_record, engine);
	}
	if (now - engine->tick_ns >= HS_NS_PER_SEC / 4) {
		engine->tick_ns = now;
		hs_model_tick(engine->model, now);
	}
}

bool hs_engine_turn(struct hs_engine *engine)
{
	uint64_t before;
	bool more;

	pthread_mutex_lock(&engine->mutex);
	before = hs_model_log_end(engine->model) + hs_model_request_end(engine->model);
	catch_up(engine, pass_interval(engine));
	more = hs_model_log_end(engine->model) + hs_model_request_end(engine->model) != before;
	pthread_mutex_unlock(&engine->mutex);
	return more;
}

void hs_engine_pass(struct hs_engine *engine)
{
	pthread_mutex_lock(&engine->mutex);
	catch_up(engine, 0);
	pthread_mutex_unlock(&engine->mutex);
}

int hs_engine_fd(const struct hs_engine *engine)
{
	return hs_probe_fd(engine->probe);
}

void hs_engine_wait(const struct hs_engine *engine)
{
	struct pollfd filling = { .fd = hs_engine_fd(engine), .events = POLLIN };

	poll(&filling, 1, HS_TURN_MS);
}

void hs_engine_follow(struct hs_engine *engine, bool follows)
{
	pthread_mutex_lock(&engine->mutex);
	hs_probe_live(engine->probe, follows);
	pthread_mutex_unlock(&engine->mutex);
}

void hs_engine_follow_requests(struct hs_engine *engine, bool follows)
{
	pthread_mutex_lock(&engine->mutex);
	hs_model_follow_requests(engine->model, follows);
	pthread_mutex_unlock(&engine->mutex);
}

/* ---- view ---- */

static void add_stage(struct hs_engine *engine, const char *stage, uint64_t count)
{
	engine->stages[engine->view.dropped_count++] = (struct hs_stage){ stage, count };
}

static void collect_stages(struct hs_engine *engine)
{
	const struct hs_model_counters *counters = hs_model_counters(engine->model);
	struct hs_ev_loss loss;

	engine->view.dropped_count = 0;
	hs_probe_losses(engine->probe, &loss);
	for (int i = 0; i < HS_LOSS_MAX; i++)
		add_stage(engine, hs_loss_name(i), loss.count[i]);
	for (int i = 0; i < HS_MODEL_LOSS_MAX; i++)
		add_stage(engine, model_stages[i], counters->dropped[i]);
	add_stage(engine, "program_recursion", hs_probe_misses(engine->probe));
	add_stage(engine, "invalid_record", hs_probe_malformed(engine->probe));
	for (size_t i = 0; i < engine->extra_count; i++)
		add_stage(engine, engine->extra[i].stage, engine->extra[i].count(engine->extra[i].arg));
}

/* What takes system calls to learn. */
static void collect(struct hs_engine *engine)
{
	engine->view.pass_count = hs_model_counters(engine->model)->passes;
	engine->view.pass_seconds = engine->pass_cost_ns / 1e9;
	engine->view.map_bytes = hs_probe_map_bytes(engine->probe);
	collect_stages(engine);
}

const struct hs_view *hs_engine_lock(struct hs_engine *engine, bool fresh)
{
	pthread_mutex_lock(&engine->mutex);
	engine->view.clock = hs_clock_now();
	if (fresh) {
		catch_up(engine, fresh_interval(engine));
		collect(engine);
	}
	return &engine->view;
}

void hs_engine_unlock(struct hs_engine *engine)
{
	pthread_mutex_unlock(&engine->mutex);
}

void hs_engine_add_stage(struct hs_engine *engine, const char *stage, uint64_t (*count)(void *arg), void *arg)
{
	if (engine->extra_count == EXTRA_STAGES)
		return;
	engine->extra[engine->extra_count].stage = stage;
	engine->extra[engine->extra_count].count = count;
	engine->extra[engine->extra_count++].arg = arg;
}

/* ---- life ---- */

static void fill_view(struct hs_engine *engine)
{
	struct hs_view *view = &engine->view;

	view->model = engine->model;
	view->hooks = hs_probe_hooks(engine->probe, &view->hook_count);
	view->dropped = engine->stages;
	view->capability_count = hs_capabilities(engine->capabilities);
	view->capabilities = engine->capabilities;
	view->kernel = engine->uname.release;
	view->cpu = engine->uname.machine;
	view->btf = access("/sys/kernel/btf/vmlinux", R_OK) ? "" : "/sys/kernel/btf/vmlinux";
	hs_cgroup_root(engine->cgroup_root, sizeof(engine->cgroup_root));
	view->cgroup_root = engine->cgroup_root;
	view->tracefs = hs_probe_tracefs(engine->probe);
	view->started_ns = hs_monotonic_ns();
}

static bool may(const char *capability)
{
	struct hs_capability capabilities[HS_CAPABILITIES];
	size_t count = hs_capabilities(capabilities);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(capabilities[i].name, capability))
			return capabilities[i].present;
	return false;
}

/* Loading is refused: what is missing, of what every hook needs. */
static void explain_refusal(char *message, size_t size)
{
	bool all = may("CAP_SYS_ADMIN"), bpf = all || may("CAP_BPF"), perfmon = all || may("CAP_PERFMON");

	if (bpf && perfmon)
		snprintf(message, size, "loading BPF is not permitted, with all capabilities that it takes: "
			 "a seccomp profile, a security module or kernel lockdown forbids it");
	else
		snprintf(message, size, "loading BPF is not permitted: run as root, or with %s%s%s",
			 bpf ? "" : "CAP_BPF", bpf || perfmon ? "" : " and ", perfmon ? "" : "CAP_PERFMON");
}

int hs_engine_open(const struct hs_engine_config *config, struct hs_engine **out, char *message, size_t size)
{
	struct hs_engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return -ENOMEM;
	pthread_mutex_init(&engine->mutex, NULL);
	uname(&engine->uname);
	engine->config = *config;
	engine->config.model.introduce = introduce;
	engine->config.model.ask_counters = ask_counters;
	engine->config.model.ask_status = ask_status;
	engine->config.model.watch = watch;
	engine->config.model.counting = &counting;
	engine->config.model.server_is_here = server_is_here;
	engine->config.model.introduce_arg = engine;
	engine->config.model.node = hs_node_name();
	engine->model = hs_model_new(&engine->config.model);
	engine->config.probe.routes = 2 * engine->config.model.max_routes;
	error = engine->model ? hs_probe_open(&engine->config.probe, &engine->probe, message, size) : -ENOMEM;
	if (error == -EPERM || error == -EACCES)
		explain_refusal(message, size);
	if (error) {
		hs_engine_close(engine);
		return error;
	}
	fill_view(engine);
	collect(engine);
	*out = engine;
	return 0;
}

void hs_engine_close(struct hs_engine *engine)
{
	if (!engine)
		return;
	hs_model_free(engine->model); /* it tells the probe what need not be counted any more */
	hs_probe_close(engine->probe);
	pthread_mutex_destroy(&engine->mutex);
	free(engine);
}
