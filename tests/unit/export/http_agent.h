/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plays the agent around the HTTP server: owns a fake model and its lock. */
#ifndef HTTP_AGENT_H
#define HTTP_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "export/http.h"
#include "fake_model.h"
#include "http_client.h"

extern struct agent {
	pthread_mutex_t lock;
	struct hs_model *model;
	struct hs_http *http;
	uint16_t port;
	char directory[32], socket[64];
	_Atomic unsigned locks, renderings;
	bool unready;
} agent;

/* Fixtures: a server on a port and on a socket; at the end nothing may be left behind. */
int agent_setup(void **state);
int agent_teardown(void **state);
#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, agent_setup, agent_teardown)

/* Another server of the same agent. What hs_http_start() says. */
int agent_start(const char *listen, const char *path, struct hs_http **http, char message[256]);

void agent_add_events(unsigned count);

/* The reply is an error document of that status whose message has part in it. Ends reply. */
void agent_assert_error(struct reply reply, int status, const char *part);

#define FOLLOW "GET /api/v1/events?follow=1&last=0 HTTP/1.0\r\n\r\n"

/* Until a condition holds that the server's threads bring about; 10 s at most. */
#define EVENTUALLY(condition)                                                      \
	do {                                                                       \
		for (int tries_ = 0; !(condition) && tries_ < 2000; tries_++)      \
			usleep(5000);                                              \
		assert_true(condition);                                            \
	} while (0)

#endif
