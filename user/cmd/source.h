/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a reading command gets its documents from: a running agent over its unix socket, a
 * recording, or an agent loaded in this process for as long as the command runs. All three
 * give the same JSON, so there is one way to draw it.
 */
#ifndef HS_CMD_SOURCE_H
#define HS_CMD_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HS_DEFAULT_SOCKET "/run/hopscope.sock"

struct hs_source_options {
	const char *socket; /* NULL: HS_DEFAULT_SOCKET */
	bool socket_given;  /* by the user: then no agent there is an error, nothing is loaded */
	const char *input;  /* a recording; NULL none */
};

struct hs_source {
	/* The document of /api/v1/NAME; the caller owns it. NULL with message written. */
	json_t *(*get)(struct hs_source *source, const char *name);
	/*
	 * A stream of "events", or of "requests" that are followed: query is the part after '?'
	 * ("last=20&follow=1"). Calls line() for each JSON
	 * text (without '\n') until it returns non-zero (which is returned), the events end (0),
	 * or an error (-errno, message written). idle() (may be NULL) is called at least every
	 * 250 ms while following; non-zero ends it.
	 */
	int (*stream)(struct hs_source *source, const char *name, const char *query,
		      int (*line)(void *arg, const char *text, size_t length),
		      int (*idle)(void *arg), void *arg);
	void (*close)(struct hs_source *source);
	const char *kind;  /* "agent", "recording", "local" */
	bool live;         /* documents change with time */
	char message[512]; /* of the last error: one clear line without '\n' */
};

/*
 * Opens the right one. NULL with a line in message, *status is the exit code (69: no agent and
 * not root, 65: bad recording, 77: not permitted …). Tells the user on stderr when it loads
 * one in process.
 */
struct hs_source *hs_source_open(const struct hs_source_options *options, char *message,
				 size_t size, int *status);

/* The three of them. */
struct hs_source *hs_source_agent(const char *socket, char *message, size_t size, int *status);
struct hs_source *hs_source_recording(const char *path, char *message, size_t size, int *status);
struct hs_source *hs_source_local(char *message, size_t size, int *status);

#endif
