/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of commands share: documents of tests/data/api, and what is expected of them. */
#ifndef HS_TEST_CMD_FIXTURE_H
#define HS_TEST_CMD_FIXTURE_H

#include <jansson.h>

#include "cmd/command.h"

/* A document of tests/data/api; fails the test when it cannot be read. */
json_t *fixture_load(const char *name);

/* The lines of a file of tests/data/api, without '\n', in turn; NULL at the end. */
const char *fixture_line(const char *name, size_t number);

/* Parses "-o wide --port 80"; fails the test when it is wrong. hs_args_free() it. */
void fixture_args(struct hs_args *args, const struct hs_command *command, const char *line);

/*
 * Compares text with a file of tests/data/api/expected. With HS_UPDATE=1 in the environment it
 * is written instead: read the difference before you commit it.
 */
void fixture_expect(const char *name, const char *text);

#endif
