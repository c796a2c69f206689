/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 10000

static int connect_to(const void *address, socklen_t len)
{
	const struct sockaddr *sockaddr = address;
	int fd = socket(sockaddr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, sockaddr, len))
		return fd;
	close(fd);
	return -1;
}

int client_connect(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return connect_to(&v4, sizeof(v4));
	inet_pton(AF_INET6, address, &v6.sin6_addr);
	return connect_to(&v6, sizeof(v6));
}

int client_connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return connect_to(&address, sizeof(address));
}

void client_send(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		perror("send");
}

static ssize_t read_some(int fd, char *buffer, size_t size)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, TIMEOUT_MS) != 1)
		return -1;
	return recv(fd, buffer, size, 0);
}

static char *read_all(int fd, size_t *size)
{
	char *text = NULL;
	ssize_t got = 1;

	for (*size = 0; got > 0; *size += (size_t)(got > 0 ? got : 0)) {
		text = realloc(text, *size + 65536 + 1);
		got = read_some(fd, text + *size, 65536);
	}
	text[*size] = '\0';
	return text;
}

struct reply client_reply(int fd)
{
	struct reply reply = { 0 };
	size_t size;
	char *text = read_all(fd, &size), *end = strstr(text, "\r\n\r\n");

	close(fd);
	reply.body = text;
	if (!end || (size_t)(end - text) >= sizeof(reply.head))
		return reply;
	memcpy(reply.head, text, (size_t)(end - text) + 2);
	sscanf(reply.head, "HTTP/1.%*c %d", &reply.status);
	reply.size = size - (size_t)(end + 4 - text);
	memmove(text, end + 4, reply.size + 1);
	return reply;
}

void reply_free(struct reply *reply)
{
	free(reply->body);
	reply->body = NULL;
}

struct reply client_get(uint16_t port, const char *path, const char *headers)
{
	int fd = client_connect("127.0.0.1", port);
	char request[4096];

	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: x\r\n%s\r\n", path, headers);
	client_send(fd, request);
	return client_reply(fd);
}

const char *reply_header(const struct reply *reply, const char *name)
{
	static char value[256];
	const char *at = strcasestr(reply->head, name);

	while (at && (at[-1] != '\n' || at[strlen(name)] != ':'))
		at = strcasestr(at + 1, name);
	if (!at)
		return "";
	at += strlen(name) + 1;
	at += strspn(at, " ");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r\n"), at);
	return value;
}

bool client_wait_for(int fd, char *text, size_t size, const char *needle)
{
	size_t len = 0, looked = 0;

	text[0] = '\0';
	while (!strstr(text + looked, needle)) {
		ssize_t got = len + 1 < size ? read_some(fd, text + len, size - 1 - len) : 0;

		if (got <= 0)
			return false;
		looked = len > strlen(needle) ? len - strlen(needle) : 0;
		len += (size_t)got;
		text[len] = '\0';
	}
	return true;
}
