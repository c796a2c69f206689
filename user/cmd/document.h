/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the API's documents (docs/API.md). What is absent or of another type is "not known". */
#ifndef HS_CMD_DOCUMENT_H
#define HS_CMD_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The value at a path of keys ("client.name"), borrowed; NULL: there is none. */
const json_t *hs_doc_at(const json_t *json, const char *path);

/* "" when it is not known. Borrowed. */
const char *hs_doc_text(const json_t *json, const char *path);

bool hs_doc_has_number(const json_t *json, const char *path, double *number);
double hs_doc_number(const json_t *json, const char *path); /* 0 when it is not known */
bool hs_doc_true(const json_t *json, const char *path);

#define HS_LABEL_LEN 256

/* "app.py", or with its port "app.py:8080", "[fd00::1]:5432". "?" for an end without a name. */
void hs_doc_label(const json_t *end, bool port, char label[HS_LABEL_LEN]);

/* The same of its address: "10.0.0.7:40312". "" when it is not known. */
void hs_doc_address(const json_t *end, char label[HS_LABEL_LEN]);

#endif
