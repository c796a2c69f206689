/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets the server listens on. */
#ifndef HS_EXPORT_HTTP_LISTEN_H
#define HS_EXPORT_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct hs_tcp_listener {
	int fd;
	uint16_t port; /* as bound */
	bool loopback; /* nobody else reaches it */
};

/* "ADDR:PORT", "[ADDR]:PORT", "NAME:PORT", ":PORT". 0, or -errno with a line for the user. */
int hs_listen_tcp(const char *listen, struct hs_tcp_listener *listener, char *message, size_t size);

struct hs_unix_listener {
	int fd;
	char *path; /* owned */
	dev_t device; /* of the file that we made */
	ino_t inode;
};

/*
 * A unix socket, mode 0660. A file that a dead agent left there is replaced, one that somebody
 * listens on is not. 0, or -errno with a line for the user.
 */
int hs_listen_unix(const char *path, struct hs_unix_listener *listener, char *message, size_t size);

/* Removes the file, if it is still ours. The descriptor is not touched. */
void hs_unlisten_unix(struct hs_unix_listener *listener);

#endif
