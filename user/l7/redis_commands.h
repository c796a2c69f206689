/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of Redis, Valkey, Sentinel and their usual modules: what may stand in a label. */
#ifndef HS_L7_REDIS_COMMANDS_H
#define HS_L7_REDIS_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

#include "l7/call.h"

/* What is peculiar about its answer. */
enum hs_redis_role {
	HS_REDIS_PLAIN,
	HS_REDIS_CONTAINER,   /* the next argument is a part of its name */
	HS_REDIS_SUBSCRIBE,   /* one answer for each channel */
	HS_REDIS_UNSUBSCRIBE, /* the same; without channels, one for each that there is */
	HS_REDIS_STREAM,      /* behind its answer the connection is no conversation any more */
	HS_REDIS_EXEC,        /* its answer holds those of other commands */
	HS_REDIS_RESET,
	HS_REDIS_REPLY,       /* CLIENT REPLY */
	HS_REDIS_BLOCKING,    /* it may come when somebody else has done something */
};

struct hs_redis_command {
	char name[HS_OPERATION_LEN]; /* upper case: "GET", "CONFIG GET" */
	uint8_t role;
};

/* In any case of letters. Without a name like this: the one whose name is "_OTHER". */
const struct hs_redis_command *hs_redis_command(const uint8_t *name, size_t length);

/* A container with what followed it; one that is not known is the container alone. */
const struct hs_redis_command *hs_redis_subcommand(const struct hs_redis_command *container, const uint8_t *name,
						   size_t length);

/* All of them, sorted by name. */
extern const struct hs_redis_command hs_redis_commands[];
extern const size_t hs_redis_command_count;

#endif
