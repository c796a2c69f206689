/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define HOST_LEN 256

/* What to do about an error of bind(), by the user. */
static const struct advice {
	int error;
	const char *text;
} advices[] = {
	{ EADDRINUSE, "; another agent? use --listen ADDR:PORT" },
	{ EADDRNOTAVAIL, "; no such address on this machine" },
	{ EACCES, "; ports below 1024 need CAP_NET_BIND_SERVICE" },
};

/* A line for the user; returns -error. */
__attribute__((format(printf, 4, 5)))
static int fail(char *message, size_t size, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, size, format, args);
	va_end(args);
	return -error;
}

static int cannot_listen(char *message, size_t size, const char *listen, int error)
{
	const char *text = "";

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		if (advices[i].error == error)
			text = advices[i].text;
	}
	return fail(message, size, error, "cannot listen on %s: %s%s", listen, strerror(error),
		    text);
}

/* 1 to 5 digits, to 65535. */
static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && digits <= 5 && !text[digits] && atoi(text) <= UINT16_MAX;
}

/* Splits "host:port" and "[host]:port"; an IPv6 address without brackets is refused. */
static bool split(const char *listen, char host[HOST_LEN], const char **port)
{
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;

	if (!colon || len >= HOST_LEN || !is_port(colon + 1))
		return false;
	*port = colon + 1;
	if (len > 2 && listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	} else if (memchr(listen, ':', len) || memchr(listen, '[', len)) {
		return false;
	}
	memcpy(host, listen, len);
	host[len] = '\0';
	return true;
}

/* No host: all addresses, by one IPv6 socket where there is IPv6. */
static int resolve(const char *host, const char *port, struct addrinfo **found)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_family = *host ? AF_UNSPEC : AF_INET6,
		.ai_socktype = SOCK_STREAM,
	};
	int probe = *host ? -1 : socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe >= 0)
		close(probe);
	else if (!*host)
		hints.ai_family = AF_INET;
	return getaddrinfo(*host ? host : NULL, port, &hints, found);
}

static int open_tcp(const struct addrinfo *address)
{
	static const int yes = 1, no = 0;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (!bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* A name may have several: the first that works. */
static int open_first(const struct addrinfo *address)
{
	int fd = -EADDRNOTAVAIL;

	for (; address && fd < 0; address = address->ai_next)
		fd = open_tcp(address);
	return fd;
}

static void describe(struct hs_tcp_listener *listener)
{
	struct sockaddr_storage bound = { 0 };
	const struct sockaddr_in *v4 = (const void *)&bound;
	const struct sockaddr_in6 *v6 = (const void *)&bound;
	socklen_t len = sizeof(bound);

	getsockname(listener->fd, (void *)&bound, &len);
	if (bound.ss_family == AF_INET6) {
		listener->port = ntohs(v6->sin6_port);
		listener->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	} else {
		listener->port = ntohs(v4->sin_port);
		listener->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
}

int hs_listen_tcp(const char *listen, struct hs_tcp_listener *listener, char *message, size_t size)
{
	struct addrinfo *found;
	char host[HOST_LEN];
	const char *port;
	int error, fd;

	if (!split(listen, host, &port))
		return fail(message, size, EINVAL,
			    "bad address \"%s\" for --listen: expected ADDR:PORT "
			    "such as 127.0.0.1:9464, [::1]:9464 or :9464",
			    listen);
	error = resolve(host, port, &found);
	if (error)
		return fail(message, size, EADDRNOTAVAIL, "cannot listen on %s: %s", listen,
			    gai_strerror(error));
	fd = open_first(found);
	freeaddrinfo(found);
	if (fd < 0)
		return cannot_listen(message, size, listen, -fd);
	listener->fd = fd;
	describe(listener);
	return 0;
}

/* Somebody accepts connections there, or is too busy to. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 &&
		     (!connect(fd, (const void *)address, sizeof(*address)) || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

/* Makes room at the path. 0, -EADDRINUSE or what unlink() said. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat file;

	if (lstat(address->sun_path, &file))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	if (is_alive(address))
		return -EADDRINUSE;
	return unlink(address->sun_path) ? -errno : 0;
}

/*
 * The kernel takes the new file's mode from the socket's own (and the umask), so nobody gets in
 * between bind() and chmod(); umask() itself would be the whole process's.
 */
static int bind_unix(int fd, const struct sockaddr_un *address)
{
	if (fchmod(fd, S_IRUSR | S_IWUSR) || bind(fd, (const void *)address, sizeof(*address)))
		return -errno;
	if (listen(fd, BACKLOG) || chmod(address->sun_path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP))
		return -errno;
	return 0;
}

static int open_unix(const struct sockaddr_un *address)
{
	int error = remove_stale(address);
	int fd = error ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error ? error : -errno;
	error = bind_unix(fd, address);
	if (error)
		close(fd);
	return error ? error : fd;
}

static const struct advice unix_advices[] = {
	{ EADDRINUSE, "another agent answers there; use --socket PATH" },
	{ EEXIST, "there is a file, and it is not a socket; use --socket PATH" },
	{ ENOENT, "the directory is missing; make it or use --socket PATH" },
	{ EACCES, "permission denied; use --socket PATH" },
	{ EROFS, "the file system is read-only; use --socket PATH" },
	{ ENAMETOOLONG, "the path is too long for a unix socket (107 bytes at most)" },
};

static int cannot_make(char *message, size_t size, const char *path, int error)
{
	for (size_t i = 0; i < sizeof(unix_advices) / sizeof(unix_advices[0]); i++) {
		if (unix_advices[i].error == error)
			return fail(message, size, error, "cannot listen on %s: %s", path,
				    unix_advices[i].text);
	}
	return fail(message, size, error, "cannot listen on %s: %s", path, strerror(error));
}

int hs_listen_unix(const char *path, struct hs_unix_listener *listener, char *message, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat file;
	int fd;

	if (!*path)
		return fail(message, size, EINVAL, "empty path for --socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return cannot_make(message, size, path, ENAMETOOLONG);
	strcpy(address.sun_path, path);
	fd = open_unix(&address);
	if (fd < 0)
		return cannot_make(message, size, path, -fd);
	*listener = (struct hs_unix_listener){ .fd = fd, .path = strdup(path) };
	if (!stat(path, &file)) {
		listener->device = file.st_dev;
		listener->inode = file.st_ino;
	}
	return 0;
}

void hs_unlisten_unix(struct hs_unix_listener *listener)
{
	struct stat file;

	if (listener->path && !lstat(listener->path, &file) && file.st_dev == listener->device &&
	    file.st_ino == listener->inode)
		unlink(listener->path);
	free(listener->path);
	listener->path = NULL;
}
