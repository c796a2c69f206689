/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probe and model together, on this kernel: the smallest whole agent. As root. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/engine.h"
#include "cmd/recorder.h"
#include "probe/hooks.h"

#define ALL_HOOKS                                                                         \
	"connection,connect,accept,retransmit,retransmit_syn_ack,reset_received,reset_sent," \
	"socket_error,drop,icmp,payload,read,snapshot"

static char message[512];

/* A network of our own, so that nobody else's sockets are seen in its addresses. */
static int own_network(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET))
		return 0; /* the tests are skipped */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return -1;
	return close(fd);
}

static struct hs_engine_config seeing_itself(void)
{
	struct hs_engine_config config;

	hs_engine_defaults(&config);
	config.model.self_pid = 0;
	return config;
}

/* Asked once: as root, and on a kernel that takes BPF programs at all. */
static bool can_load(void)
{
	static int answer = -1;
	struct hs_engine_config config = seeing_itself();
	struct hs_engine *engine = NULL;

	if (answer < 0) {
		answer = !hs_engine_open(&config, &engine, message, sizeof(message));
		if (!answer)
			print_message("skip: %s\n", message);
		else
			hs_engine_close(engine);
	}
	return answer;
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (void *)&address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (void *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
	return fd;
}

/* Asking who it is: not every rung sees an accept() that does not. */
static int accept_on(int listener)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	return accept4(listener, (void *)&peer, &length, SOCK_CLOEXEC);
}

static const struct hs_edge *edge_to(const struct hs_model *model, uint16_t port)
{
	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		if (edge->key.server_port == port)
			return edge;
	return NULL;
}

/* Turns until the condition holds on the edge to port; false after ten seconds. */
static bool turn_until(struct hs_engine *engine, uint16_t port, bool (*holds)(const struct hs_edge *edge))
{
	const struct timespec pause = { .tv_nsec = 20 * HS_NS_PER_MS };
	uint64_t begin = hs_monotonic_ns();
	bool done = false;

	while (!done && hs_monotonic_ns() - begin < 10 * HS_NS_PER_SEC) {
		const struct hs_edge *edge;

		hs_engine_turn(engine);
		edge = edge_to(hs_engine_lock(engine, true)->model, port);
		done = edge && holds(edge);
		hs_engine_unlock(engine);
		if (!done)
			nanosleep(&pause, NULL);
	}
	return done;
}

static bool one_active(const struct hs_edge *edge)
{
	return edge->active == 1;
}

static bool one_closed(const struct hs_edge *edge)
{
	return edge->closes == 1 && !edge->active;
}

static void defaults(void **state)
{
	struct hs_engine_config config;

	(void)state;
	memset(&config, 0xff, sizeof(config));
	hs_engine_defaults(&config);
	assert_int_equal(config.model.self_pid, getpid());
	assert_null(config.recorder);
	assert_null(config.probe.disabled);
	assert_int_equal(config.probe.ring_bytes, 0);
	assert_true(config.snapshot_seconds == 1);
}

static void without_any_hook(void **state)
{
	struct hs_engine_config config = seeing_itself();
	struct hs_engine *engine = NULL;

	(void)state;
	if (!can_load())
		skip();
	config.probe.disabled = ALL_HOOKS;
	assert_true(hs_engine_open(&config, &engine, message, sizeof(message)) < 0);
	assert_string_equal(message, "every hook is switched off by configuration or refused: nothing to watch");
	assert_null(engine);
}

/* In a child: nobody but root has the capabilities. */
static void without_privileges(void **state)
{
	struct hs_engine_config config = seeing_itself();
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		struct hs_engine *engine;
		int error;

		if (!geteuid() && setuid(65534))
			_exit(2);
		error = hs_engine_open(&config, &engine, message, sizeof(message));
		_exit((error == -EPERM || error == -EACCES) && strstr(message, "CAP_BPF") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void ready_after_the_first_turn(void **state)
{
	struct hs_engine_config config = seeing_itself();
	const struct hs_view *view;
	struct hs_engine *engine;

	(void)state;
	if (!can_load())
		skip();
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	view = hs_engine_lock(engine, false);
	assert_false(view->ready);
	assert_int_equal(view->hook_count, HS_HOOK_COUNT);
	assert_true(view->started_ns > 0);
	assert_true(view->capability_count > 0);
	hs_engine_unlock(engine);
	hs_engine_turn(engine);
	hs_engine_turn(engine); /* too early for another pass */
	view = hs_engine_lock(engine, true);
	assert_true(view->ready);
	assert_in_range(view->pass_count, 1, 2);
	assert_true(view->pass_seconds > 0);
	assert_true(view->map_bytes > 0);
	hs_engine_unlock(engine);
	assert_true(hs_engine_fd(engine) >= 0);
	hs_engine_close(engine);
	hs_engine_close(NULL);
}

/* Also where there is no pass to wait for. */
static void ready_without_a_snapshot(void **state)
{
	struct hs_engine_config config = seeing_itself();
	const struct hs_view *view;
	struct hs_engine *engine;

	(void)state;
	if (!can_load())
		skip();
	config.probe.disabled = "snapshot";
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	hs_engine_turn(engine);
	view = hs_engine_lock(engine, false);
	assert_true(view->ready);
	assert_int_equal(view->pass_count, 0);
	hs_engine_unlock(engine);
	hs_engine_close(engine);
}

static void a_connection_from_birth_to_death(void **state)
{
	struct hs_engine_config config = seeing_itself();
	const struct hs_edge *edge;
	struct hs_engine *engine;
	int listener, client, server;
	uint16_t port;

	(void)state;
	if (!can_load())
		skip();
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	listener = listen_on(&port);
	client = connect_to(port);
	server = accept_on(listener);
	assert_int_equal(write(client, "hello", 5), 5);
	assert_true(turn_until(engine, port, one_active));
	close(client);
	close(server);
	assert_true(turn_until(engine, port, one_closed));
	edge = edge_to(hs_engine_lock(engine, false)->model, port);
	assert_int_equal(edge->connects, 1);
	assert_int_equal(edge->sent_bytes, 5);
	assert_int_equal(hs_histogram_total(&edge->accept_delay), 1);
	hs_engine_unlock(engine);
	close(listener);
	hs_engine_close(engine);
}

/* Our own connections are not shown by default. */
static void own_connections_are_hidden(void **state)
{
	struct hs_engine_config config;
	const struct hs_view *view;
	struct hs_engine *engine;
	int listener, client;
	uint16_t port;

	(void)state;
	if (!can_load())
		skip();
	hs_engine_defaults(&config);
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	listener = listen_on(&port);
	client = connect_to(port);
	hs_engine_turn(engine);
	view = hs_engine_lock(engine, true);
	hs_model_tick((struct hs_model *)view->model, hs_monotonic_ns() + 2 * HS_NS_PER_SEC);
	assert_true(hs_model_connection_count(view->model) > 0);
	assert_null(edge_to(view->model, port));
	hs_engine_unlock(engine);
	close(client);
	close(listener);
	hs_engine_close(engine);
}

static uint64_t forty_two(void *arg)
{
	return *(uint64_t *)arg;
}

static uint64_t fed(struct hs_engine *engine, enum hs_event_kind kind)
{
	uint64_t count = hs_model_counters(hs_engine_lock(engine, false)->model)->events[kind];

	hs_engine_unlock(engine);
	return count;
}

static size_t namespaces(struct hs_engine *engine)
{
	static struct hs_netns all[256];
	size_t count = hs_model_netns(hs_engine_lock(engine, false)->model, all, 256);

	hs_engine_unlock(engine);
	return count;
}

/* Counters of each namespace with sockets, at the first pass; then not with every pass. */
static void counters_of_namespaces(void **state)
{
	struct hs_engine_config config = seeing_itself();
	struct hs_engine *engine;
	uint64_t begin, first;
	uint16_t port;
	int listener;

	(void)state;
	if (!can_load())
		skip();
	listener = listen_on(&port);
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	begin = hs_monotonic_ns();
	hs_engine_turn(engine);
	first = fed(engine, HS_EV_COUNTERS);
	assert_in_range(first, 1, namespaces(engine));
	for (int i = 0; i < 10; i++)
		hs_engine_pass(engine);
	if (hs_monotonic_ns() - begin < 5 * HS_NS_PER_SEC)
		assert_int_equal(fed(engine, HS_EV_COUNTERS), first);
	close(listener);
	hs_engine_close(engine);
}

/* Listens in a namespace of its own until the pipe is closed. */
static pid_t listen_elsewhere(int *release)
{
	int pipes[2], ready[2];
	uint16_t port;
	pid_t child;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		close(pipes[1]);
		own_network(NULL);
		listen_on(&port);
		(void)!write(ready[1], "x", 1);
		(void)!read(pipes[0], &byte, 1);
		_exit(0);
	}
	close(pipes[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*release = pipes[1];
	return child;
}

/* Were the counters of that process's namespace read? */
static bool was_read(struct hs_engine *engine, pid_t pid)
{
	static struct hs_netns all[256];
	struct stat file;
	char path[64];
	size_t count;
	bool read = false;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	assert_int_equal(stat(path, &file), 0);
	count = hs_model_netns(hs_engine_lock(engine, false)->model, all, 256);
	for (size_t i = 0; i < count; i++)
		read |= all[i].netns == file.st_ino && all[i].sampled_ns;
	hs_engine_unlock(engine);
	return read;
}

/* What moves between listen() and the next pass is to be seen to have moved. */
static void counters_when_somebody_listens(void **state)
{
	struct hs_engine_config config = seeing_itself();
	struct hs_engine *engine;
	uint64_t begin;
	int release;
	pid_t child;

	(void)state;
	if (!can_load())
		skip();
	config.snapshot_seconds = 1000; /* no second pass */
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	hs_engine_turn(engine);
	child = listen_elsewhere(&release);
	begin = hs_monotonic_ns();
	while (!was_read(engine, child) && hs_monotonic_ns() - begin < 10 * HS_NS_PER_SEC)
		hs_engine_turn(engine);
	assert_true(was_read(engine, child));
	close(release);
	waitpid(child, NULL, 0);
	hs_engine_close(engine);
}

/* A storm of failures is no storm of readings. */
static void questions_are_bounded(void **state)
{
	struct hs_engine_config config = seeing_itself();
	struct hs_engine *engine;
	uint64_t begin, seconds;
	uint16_t port;

	(void)state;
	if (!can_load())
		skip();
	close(listen_on(&port));
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	begin = hs_monotonic_ns();
	for (int i = 0; i < 200; i++) {
		struct sockaddr_in address = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port),
		};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(connect(fd, (void *)&address, sizeof(address)), -1);
		close(fd);
		if (i % 20 == 0)
			hs_engine_turn(engine);
	}
	hs_engine_pass(engine);
	seconds = (hs_monotonic_ns() - begin) / HS_NS_PER_SEC + 1;
	assert_true(fed(engine, HS_EV_COUNTERS) <= 32 * (seconds + 1) + namespaces(engine) * (seconds / 5 + 1));
	assert_true(fed(engine, HS_EV_STATUS) <= 16 * (seconds + 1));
	hs_engine_close(engine);
}

static void losses_by_stage(void **state)
{
	static const char *const extra[] = { "one", "two", "three", "four", "five" };
	struct hs_engine_config config = seeing_itself();
	const struct hs_view *view;
	struct hs_engine *engine;
	uint64_t count = 42;

	(void)state;
	if (!can_load())
		skip();
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	for (int i = 0; i < 5; i++)
		hs_engine_add_stage(engine, extra[i], forty_two, &count);
	view = hs_engine_lock(engine, true);
	assert_true(view->dropped_count >= HS_LOSS_MAX + HS_MODEL_LOSS_MAX + 4);
	for (size_t i = 0; i < view->dropped_count; i++) {
		assert_non_null(view->dropped[i].stage);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(view->dropped[i].stage, view->dropped[j].stage);
	}
	assert_string_equal(view->dropped[view->dropped_count - 1].stage, "four"); /* a fifth has no place */
	assert_int_equal(view->dropped[view->dropped_count - 1].count, 42);
	hs_engine_unlock(engine);
	hs_engine_close(engine);
}

/* ---- what is recorded gives the same again ---- */

static struct hs_model *replayed;

static void on_begin(void *arg, const struct hs_recording_header *header)
{
	(void)arg;
	(void)header;
	replayed = hs_model_new(&hs_model_defaults);
	assert_non_null(replayed);
}

static void on_record(void *arg, const struct hs_event *event)
{
	(void)arg;
	assert_int_equal(hs_model_feed(replayed, event), 0);
}

static void a_recording_gives_the_same(void **state)
{
	struct hs_engine_config config = seeing_itself();
	char path[] = "/tmp/hopscope-test-engine-XXXXXX";
	struct hs_recording_header header;
	int listener, client, server;
	const struct hs_edge *edge;
	struct hs_engine *engine;
	uint16_t port;

	(void)state;
	if (!can_load())
		skip();
	close(mkstemp(path));
	assert_int_equal(hs_recorder_open(path, &config.recorder), 0);
	assert_int_equal(hs_engine_open(&config, &engine, message, sizeof(message)), 0);
	listener = listen_on(&port);
	client = connect_to(port);
	server = accept_on(listener);
	assert_int_equal(write(client, "hello", 5), 5);
	assert_int_equal(write(server, "welcome", 7), 7);
	close(client);
	close(server);
	assert_true(turn_until(engine, port, one_closed));
	hs_engine_close(engine);
	assert_int_equal(hs_recorder_close(config.recorder), 0);
	assert_int_equal(hs_recording_play(path, &header, on_begin, on_record, NULL, message, sizeof(message)), 0);
	hs_model_tick(replayed, hs_model_now(replayed) + 70 * HS_NS_PER_SEC);
	edge = edge_to(replayed, port);
	assert_non_null(edge);
	assert_int_equal(edge->connects, 1);
	assert_int_equal(edge->closes, 1);
	assert_int_equal(edge->sent_bytes, 5);
	assert_int_equal(edge->received_bytes, 7);
	assert_string_equal(edge->key.client->identity.name, edge->key.server->identity.name);
	hs_model_free(replayed);
	close(listener);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(without_any_hook),
		cmocka_unit_test(without_privileges),
		cmocka_unit_test(ready_after_the_first_turn),
		cmocka_unit_test(ready_without_a_snapshot),
		cmocka_unit_test(a_connection_from_birth_to_death),
		cmocka_unit_test(own_connections_are_hidden),
		cmocka_unit_test(counters_of_namespaces),
		cmocka_unit_test(counters_when_somebody_listens),
		cmocka_unit_test(questions_are_bounded),
		cmocka_unit_test(losses_by_stage),
		cmocka_unit_test(a_recording_gives_the_same),
	};

	return cmocka_run_group_tests_name("engine", tests, own_network, NULL);
}
