/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As little of a client as the tests of the server need. Nothing waits longer than 10 s. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int client_connect(const char *address, uint16_t port); /* -1: refused */
int client_connect_unix(const char *path);
void client_send(int fd, const char *text);

struct reply {
	int status;      /* 0: none came */
	char head[2048]; /* status line and headers, NUL-ended */
	char *body;      /* NUL-ended */
	size_t size;
};

/* All of one answer, to the end of the connection. Ends fd. */
struct reply client_reply(int fd);
void reply_free(struct reply *reply);

/* One request on 127.0.0.1; headers: lines that end with "\r\n", or "". */
struct reply client_get(uint16_t port, const char *path, const char *headers);

/* A header's value, "" when it is not there. Valid until the next call. */
const char *reply_header(const struct reply *reply, const char *name);

/* Reads from fd into text until needle is in it. False: it ended or 10 s went by. */
bool client_wait_for(int fd, char *text, size_t size, const char *needle);

#endif
