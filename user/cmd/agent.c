// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon: an engine, an HTTP server, and the event loop (the only place that knows libev). */
#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/config.h"
#include "cmd/engine.h"
#include "cmd/notify.h"
#include "cmd/screen.h"
#include "export/http.h"

struct agent {
	struct hs_config config;
	struct hs_engine *engine;
	struct hs_http *http;
	unsigned turns;
	ev_timer timer;
	ev_io ring;
	ev_signal terminate, interrupt;
	bool followed, requests_followed; /* by a client that reads events, calls as they happen */
};

static void look_for_followers(struct agent *agent)
{
	unsigned requests = hs_http_request_followers(agent->http);
	bool followed = hs_http_followers(agent->http) > requests;

	if (followed != agent->followed)
		hs_engine_follow(agent->engine, followed);
	if (!!requests != agent->requests_followed)
		hs_engine_follow_requests(agent->engine, requests);
	agent->followed = followed;
	agent->requests_followed = requests;
}

static void turn(struct agent *agent)
{
	look_for_followers(agent);
	if (hs_engine_turn(agent->engine))
		hs_http_wake(agent->http);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct agent *agent = timer->data;

	(void)loop;
	(void)events;
	turn(agent);
	if (++agent->turns % (1000 / HS_TURN_MS) == 0)
		hs_http_tick(agent->http);
}

static void on_ring(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	turn(io->data);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)events;
	hs_log(HS_LOG_INFO, "stopping on %s", strsignal(signal->signum));
	ev_break(loop, EVBREAK_ALL);
}

static void loop_run(struct agent *agent)
{
	struct ev_loop *loop = ev_default_loop(0);

	ev_timer_init(&agent->timer, on_timer, HS_TURN_MS / 1e3, HS_TURN_MS / 1e3);
	ev_io_init(&agent->ring, on_ring, hs_engine_fd(agent->engine), EV_READ);
	ev_signal_init(&agent->terminate, on_signal, SIGTERM);
	ev_signal_init(&agent->interrupt, on_signal, SIGINT);
	agent->timer.data = agent->ring.data = agent;
	ev_timer_start(loop, &agent->timer);
	ev_io_start(loop, &agent->ring);
	ev_signal_start(loop, &agent->terminate);
	ev_signal_start(loop, &agent->interrupt);
	ev_run(loop, 0);
	ev_loop_destroy(loop);
}

static const struct hs_view *lock(void *arg, bool fresh)
{
	return hs_engine_lock(((struct agent *)arg)->engine, fresh);
}

static void unlock(void *arg)
{
	hs_engine_unlock(((struct agent *)arg)->engine);
}

static uint64_t missed(void *arg)
{
	return hs_http_missed(arg);
}

/* Flags win over the file, the file over the preset. */
static const char *setting(const struct hs_args *args, const char *name, const char *from_file)
{
	return hs_args_given(args, name) || !from_file ? hs_args_text(args, name) : from_file;
}

static int serve(struct agent *agent, const struct hs_args *args)
{
	struct hs_http_config config = {
		.listen = hs_args_flag(args, "no-listen") ? NULL :
			setting(args, "listen", agent->config.listen),
		.socket = setting(args, "socket", agent->config.socket),
		.lock = lock,
		.unlock = unlock,
		.arg = agent,
	};
	char message[512];

	if (!config.socket)
		config.socket = HS_DEFAULT_SOCKET;
	if (hs_http_start(&config, &agent->http, message, sizeof(message))) {
		hs_complain("hopscope: %s", message);
		return HS_EXIT_FAILURE;
	}
	hs_engine_add_stage(agent->engine, "event_stream", missed, agent->http);
	hs_log(HS_LOG_INFO, "serving on %s%s%s", config.listen ? config.listen : "",
	       config.listen ? " and " : "", config.socket);
	return HS_EXIT_OK;
}

static void log_hooks(struct agent *agent)
{
	const struct hs_view *view = hs_engine_lock(agent->engine, false);

	for (size_t i = 0; i < view->hook_count; i++) {
		const struct hs_hook_status *hook = &view->hooks[i];
		const struct hs_hook_rung *last = &hook->ladder[hook->rungs - 1];

		if (!hook->attached)
			hs_log(HS_LOG_WARN, "hook %s is not attached (%s): %s", hook->hook, last->refusal,
			       hook->lost);
		else
			hs_log(HS_LOG_DEBUG, "hook %s uses %s", hook->hook, hook->ladder[hook->rung].name);
	}
	hs_engine_unlock(agent->engine);
}

static int start(struct agent *agent, const struct hs_args *args)
{
	char message[512] = "out of memory";
	uint64_t begin = hs_monotonic_ns();
	int error = hs_engine_open(&agent->config.engine, &agent->engine, message, sizeof(message));

	if (error) {
		hs_complain("hopscope: %s", message);
		return error == -EPERM || error == -EACCES ? HS_EXIT_NOPERM : HS_EXIT_FAILURE;
	}
	hs_engine_turn(agent->engine);
	malloc_trim(0); /* what loading BPF needed */
	error = serve(agent, args);
	if (error)
		return error;
	log_hooks(agent);
	hs_log(HS_LOG_INFO, "ready after %.0f ms", (hs_monotonic_ns() - begin) / 1e6);
	hs_notify("READY=1");
	return HS_EXIT_OK;
}

int hs_cmd_agent(const struct hs_args *args)
{
	struct agent agent = {};
	char message[512];
	int status = HS_EXIT_OK;

	mallopt(M_ARENA_MAX, 2); /* threads here do not allocate in parallel: memory matters more */
	if (hs_config_read(hs_args_text(args, "config"), &agent.config, message, sizeof(message))) {
		hs_complain("hopscope: %s", message);
		status = HS_EXIT_FAILURE;
	}
	if (!status) {
		hs_log_set_level(setting(args, "log-level", agent.config.log_level));
		status = start(&agent, args);
	}
	if (!status) {
		loop_run(&agent);
		hs_notify("STOPPING=1");
	}
	hs_http_stop(agent.http);
	hs_engine_close(agent.engine);
	hs_config_free(&agent.config);
	return status;
}
