/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/http.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/http_server.h"

#define MAX_CONNECTIONS 64u
#define MAX_PER_ADDRESS 32u /* one host must not keep the others out */
#define TIMEOUT_SECONDS 10u /* without a byte either way */
#define CONNECTION_BYTES ((size_t)16 << 10) /* headers in, chunks out */

/* Ours are shallow, the library's too; sanitizers want more. */
#define STACK_BYTES ((size_t)256 << 10)

static struct MHD_Daemon *start_daemon(struct hs_http *http, int fd, unsigned per_address)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		hs_http_handle, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_BYTES, MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, MHD_OPTION_END);
}

/* The library's threads take over the mask: signals are the main thread's business. */
static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static int start_daemons(struct hs_http *http, char *message, size_t size)
{
	const int fds[] = { http->config.listen ? http->tcp.fd : -1,
			    http->config.socket ? http->unix_socket.fd : -1 };
	sigset_t before;
	int error = 0;

	block_signals(&before);
	for (int i = 0; i < 2 && !error; i++) {
		if (fds[i] < 0)
			continue;
		http->daemons[i] =
			start_daemon(http, fds[i], i || http->tcp.loopback ? 0 : MAX_PER_ADDRESS);
		if (!http->daemons[i])
			error = -(errno ? errno : ENOMEM);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		snprintf(message, size, "cannot start the HTTP server: %s", strerror(-error));
	return error;
}

static int listen_all(struct hs_http *http, char *message, size_t size)
{
	int error = 0;

	if (http->config.listen)
		error = hs_listen_tcp(http->config.listen, &http->tcp, message, size);
	if (!error && http->config.socket)
		error = hs_listen_unix(http->config.socket, &http->unix_socket, message, size);
	return error;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int hs_http_start(const struct hs_http_config *config, struct hs_http **http, char *message,
		  size_t size)
{
	struct hs_http *server = calloc(1, sizeof(*server));
	int error;

	if (!server) {
		snprintf(message, size, "cannot start the HTTP server: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	server->config = *config;
	server->tcp.fd = server->unix_socket.fd = -1;
	hs_cache_init(&server->cache, hs_http_render, server);
	hs_followers_init(&server->followers);
	error = listen_all(server, message, size);
	if (!error)
		error = start_daemons(server, message, size);
	if (error)
		hs_http_stop(server);
	else
		*http = server;
	return error;
}

/* A daemon closes its socket itself; a suspended connection must not be there any more. */
static void stop_daemons(struct hs_http *http)
{
	int *const fds[] = { &http->tcp.fd, &http->unix_socket.fd };

	http->followers.stopping = true;
	hs_followers_wake(&http->followers);
	for (int i = 0; i < 2; i++) {
		if (http->daemons[i])
			MHD_stop_daemon(http->daemons[i]);
		else
			close_fd(fds[i]);
	}
}

void hs_http_stop(struct hs_http *http)
{
	if (!http)
		return;
	hs_unlisten_unix(&http->unix_socket); /* before it closes: nobody finds it dead */
	stop_daemons(http);
	hs_cache_free(&http->cache);
	hs_followers_free(&http->followers);
	free(http);
}

void hs_http_wake(struct hs_http *http)
{
	if (http)
		hs_followers_wake(&http->followers);
}

void hs_http_tick(struct hs_http *http)
{
	if (!http)
		return;
	hs_followers_reap(&http->followers);
	hs_cache_expire(&http->cache);
}

unsigned hs_http_request_followers(const struct hs_http *http)
{
	return http->followers.requests;
}

unsigned hs_http_followers(const struct hs_http *http)
{
	return http->followers.count;
}

uint64_t hs_http_missed(const struct hs_http *http)
{
	return http->followers.missed;
}

uint16_t hs_http_port(const struct hs_http *http)
{
	return http->tcp.port;
}
