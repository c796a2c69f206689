/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "meta/text.h"

#define SUBJECT_LEN 2048 /* twice what a record holds; what is longer is cut */

enum pattern { EXECUTABLE, ARGUMENTS, CGROUP, CONTAINER, UNIT, PATTERNS };

struct entry {
	char *pattern[PATTERNS]; /* NULL matches all */
	char *name;
	char *namespace_; /* or NULL */
};

struct hs_rules {
	struct entry *entries;
	size_t count;
};

/* The texts that patterns are held against. */
struct subject {
	const char *text[PATTERNS];
	char arguments[SUBJECT_LEN];
	char cgroup[SUBJECT_LEN];
};

struct hs_rules *hs_rules_new(void)
{
	return calloc(1, sizeof(struct hs_rules));
}

static void entry_clear(struct entry *entry)
{
	for (int i = 0; i < PATTERNS; i++)
		free(entry->pattern[i]);
	free(entry->name);
	free(entry->namespace_);
}

void hs_rules_free(struct hs_rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->count; i++)
		entry_clear(&rules->entries[i]);
	free(rules->entries);
	free(rules);
}

static int copy(char **to, const char *from)
{
	if (!from || !*from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

static int entry_fill(struct entry *entry, const struct hs_rule *rule)
{
	const char *const patterns[PATTERNS] = {
		[EXECUTABLE] = rule->executable, [ARGUMENTS] = rule->arguments,
		[CGROUP] = rule->cgroup,	 [CONTAINER] = rule->container,
		[UNIT] = rule->unit,
	};
	int err = copy(&entry->name, rule->name);

	if (!err)
		err = copy(&entry->namespace_, rule->namespace_);
	for (int i = 0; !err && i < PATTERNS; i++)
		err = copy(&entry->pattern[i], patterns[i]);
	return err;
}

int hs_rules_add(struct hs_rules *rules, const struct hs_rule *rule)
{
	struct entry entry = { 0 }, *entries;
	int err;

	if (!rule->name || !*rule->name)
		return -EINVAL;
	entries = realloc(rules->entries, (rules->count + 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	rules->entries = entries;
	err = entry_fill(&entry, rule);
	if (err)
		entry_clear(&entry);
	else
		rules->entries[rules->count++] = entry;
	return err;
}

static void join_arguments(const struct hs_process_facts *facts, char *dst, size_t size)
{
	struct hs_text rest = hs_text_bytes(facts->args, facts->args_len), arg;
	size_t used = 0;

	dst[0] = '\0';
	while (hs_text_next(&rest, &arg)) {
		if (used)
			used += hs_utf8_copy(dst + used, size - used, " ", 1);
		used += hs_utf8_copy(dst + used, size - used, arg.data, arg.len);
	}
	while (used && dst[used - 1] == ' ') /* a title leaves empty arguments behind */
		dst[--used] = '\0';
}

/* Root first, so it is written from the end. What does not fit is lost on the side of the root. */
static void join_cgroup(const struct hs_process_facts *facts, char *dst, size_t size)
{
	struct hs_text rest = hs_text_bytes(facts->cgroup, facts->cgroup_len), part;
	char path[SUBJECT_LEN];
	size_t start = sizeof(path);

	while (hs_text_next(&rest, &part) && part.len < start) {
		if (!part.len)
			continue;
		start -= part.len;
		memcpy(path + start, part.data, part.len);
		path[--start] = '/';
	}
	if (start == sizeof(path))
		path[--start] = '/';
	hs_utf8_copy(dst, size, path + start, sizeof(path) - start);
}

static bool matches(const struct entry *entry, const struct subject *subject)
{
	for (int i = 0; i < PATTERNS; i++) {
		if (entry->pattern[i] && fnmatch(entry->pattern[i], subject->text[i], 0))
			return false;
	}
	return true;
}

static void rename_to(const struct entry *entry, struct hs_identity *identity)
{
	const char *space = entry->namespace_ ? entry->namespace_ : "";

	hs_utf8_copy(identity->name, sizeof(identity->name), entry->name, strlen(entry->name));
	hs_utf8_copy(identity->namespace_, sizeof(identity->namespace_), space, strlen(space));
	identity->source = HS_IDENTITY_RULE;
}

void hs_rules_apply(const struct hs_rules *rules, const struct hs_process_facts *facts,
		    struct hs_identity *identity)
{
	struct subject subject;

	if (!rules || !rules->count)
		return;
	subject.text[EXECUTABLE] = identity->executable;
	subject.text[ARGUMENTS] = subject.arguments;
	subject.text[CGROUP] = subject.cgroup;
	subject.text[CONTAINER] = identity->container_id;
	subject.text[UNIT] = identity->unit;
	join_arguments(facts, subject.arguments, sizeof(subject.arguments));
	join_cgroup(facts, subject.cgroup, sizeof(subject.cgroup));
	for (size_t i = 0; i < rules->count; i++) {
		if (matches(&rules->entries[i], &subject)) {
			rename_to(&rules->entries[i], identity);
			return;
		}
	}
}
