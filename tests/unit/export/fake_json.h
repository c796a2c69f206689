/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of a fake model, and what is in them. */
#ifndef FAKE_JSON_H
#define FAKE_JSON_H

#include <jansson.h>

#include "fake_model.h"

json_t *parse(char *text); /* frees it; fails the test when it is no JSON */
json_t *document(struct hs_model *model, const char *name);

/* The value at a path such as "items.0.server.port"; NULL when it is absent. */
json_t *at(json_t *json, const char *path);
void assert_text(json_t *json, const char *path, const char *expected);
void assert_number(json_t *json, const char *path, double expected);
void assert_absent(json_t *json, const char *path);

#endif
