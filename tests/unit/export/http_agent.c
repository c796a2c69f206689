/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

struct agent agent = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct hs_view *agent_lock(void *arg, bool fresh)
{
	struct agent *self = arg;
	struct hs_view *view;

	pthread_mutex_lock(&self->lock);
	self->locks++;
	self->renderings += fresh;
	view = fake_view(self->model);
	view->clock = hs_clock_now();
	view->ready = !self->unready;
	view->pass_count = !self->unready;
	return view;
}

static void agent_unlock(void *arg)
{
	pthread_mutex_unlock(&((struct agent *)arg)->lock);
}

int agent_start(const char *listen, const char *path, struct hs_http **http, char message[256])
{
	const struct hs_http_config config = {
		.listen = listen,
		.socket = path,
		.lock = agent_lock,
		.unlock = agent_unlock,
		.arg = &agent,
	};

	strcpy(message, "");
	return hs_http_start(&config, http, message, 256);
}

int agent_setup(void **state)
{
	char message[256];

	(void)state;
	agent.model = fake_new();
	agent.model->now_ns = hs_monotonic_ns();
	agent.locks = agent.renderings = 0;
	agent.unready = false;
	strcpy(agent.directory, "/tmp/hopscope.XXXXXX");
	assert_non_null(mkdtemp(agent.directory));
	snprintf(agent.socket, sizeof(agent.socket), "%s/socket", agent.directory);
	if (agent_start("127.0.0.1:0", agent.socket, &agent.http, message))
		fail_msg("%s", message);
	agent.port = hs_http_port(agent.http);
	assert_int_not_equal(agent.port, 0);
	return 0;
}

int agent_teardown(void **state)
{
	(void)state;
	hs_http_stop(agent.http);
	agent.http = NULL;
	assert_int_not_equal(access(agent.socket, F_OK), 0);
	assert_int_equal(rmdir(agent.directory), 0);
	fake_free(agent.model);
	return 0;
}

void agent_add_events(unsigned count)
{
	pthread_mutex_lock(&agent.lock);
	while (count--)
		fake_event(agent.model, HS_LOG_CONNECT);
	pthread_mutex_unlock(&agent.lock);
}

static json_t *json_body(const struct reply *reply)
{
	json_error_t error;
	json_t *json = json_loads(reply->body, 0, &error);

	if (!json)
		fail_msg("%s in %s", error.text, reply->body);
	return json;
}

void agent_assert_error(struct reply reply, int status, const char *part)
{
	json_t *json = json_body(&reply);
	const char *message = json_string_value(json_object_get(json, "message"));

	assert_int_equal(reply.status, status);
	assert_string_equal(json_string_value(json_object_get(json, "kind")), "Error");
	if (!strstr(message, part))
		fail_msg("%s is not in %s", part, message);
	json_decref(json);
	reply_free(&reply);
}
