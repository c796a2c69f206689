/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's configuration file, hopscope.conf(5). */
#ifndef HS_CMD_CONFIG_H
#define HS_CMD_CONFIG_H

#include <stddef.h>

#include "cmd/engine.h"
#include "meta/identity.h"

struct hs_config {
	char *listen;    /* NULL: not given */
	char *socket;
	char *log_level;
	char *disable;   /* rungs and hooks that are not to be tried */
	struct hs_rules *rules;
	struct hs_route_patterns *routes;
	struct hs_engine_config engine;
};

/*
 * Fills config with the defaults and what path says; path NULL: the defaults alone. 0, or
 * -errno with one line in message: file, line, what was expected. hs_config_free() either way.
 */
int hs_config_read(const char *path, struct hs_config *config, char *message, size_t size);
void hs_config_free(struct hs_config *config);

#endif
