/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/workload.h"

#define DIGITS "0123456789"

/* No vowels, and no digits that look like them (apimachinery, util/rand). */
#define GENERATED "bcdfghjklmnpqrstvwxz2456789"
#define GENERATED_LEN 5

bool hs_is_pod_name(struct hs_text name)
{
	static const char inner[] = DIGITS "abcdefghijklmnopqrstuvwxyz-.";
	static const char outer[] = DIGITS "abcdefghijklmnopqrstuvwxyz";

	return hs_text_only(name, inner) && hs_text_only(hs_text_first(name, 1), outer) &&
	       hs_text_only(hs_text_last(name, 1), outer) && !hs_text_is(name, "localhost") &&
	       !hs_text_starts(name, "localhost.");
}

/* Splits at the last dash; false when nothing stands before it. */
static bool split(struct hs_text name, struct hs_text *head, struct hs_text *tail)
{
	*tail = hs_text_after_last(name, '-');
	if (tail->len + 1 >= name.len)
		return false;
	*head = hs_text_first(name, name.len - tail->len - 1);
	return true;
}

static bool is_generated(struct hs_text part, size_t min, size_t max)
{
	return part.len >= min && part.len <= max && hs_text_only(part, GENERATED);
}

/* The hash of a ReplicaSet's template, or the time of a CronJob's run: minutes or seconds. */
static bool is_generation(struct hs_text part)
{
	return is_generated(part, 6, 10) ||
	       (part.len >= 8 && part.len <= 10 && hs_text_only(part, DIGITS));
}

static bool is_ordinal(struct hs_text part)
{
	return part.len <= 5 && hs_text_only(part, DIGITS) &&
	       (part.len == 1 || part.data[0] != '0');
}

struct hs_text hs_workload_name(struct hs_text pod)
{
	struct hs_text head, tail, owner;

	if (!split(pod, &head, &tail))
		return pod;
	if (is_ordinal(tail))
		return head;
	if (!is_generated(tail, GENERATED_LEN, GENERATED_LEN))
		return pod;
	if (split(head, &owner, &tail) && is_generation(tail))
		return owner;
	return head;
}
