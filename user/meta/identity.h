/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a process is, from facts alone: a pure function from what the kernel or procfs tells to
 * a name. Most specific first: the user's rule, Kubernetes pod, container, systemd unit,
 * executable (for interpreters the script, for Java the jar or the main class).
 */
#ifndef HS_META_IDENTITY_H
#define HS_META_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hopscope/event.h"

#define HS_NAME_LEN 96
#define HS_CONTAINER_ID_LEN 65
#define HS_POD_UID_LEN 37

enum hs_identity_source {
	HS_IDENTITY_EXECUTABLE,
	HS_IDENTITY_UNIT,
	HS_IDENTITY_CONTAINER,
	HS_IDENTITY_POD,
	HS_IDENTITY_RULE,
};

/* All texts are valid UTF-8, NUL-ended, "" when not known. */
struct hs_identity {
	char name[HS_NAME_LEN];       /* what labels and screens show; never "" */
	enum hs_identity_source source;
	char namespace_[64];          /* Kubernetes namespace or the rule's */
	char pod[HS_NAME_LEN];        /* pod name */
	char pod_uid[HS_POD_UID_LEN]; /* 8-4-4-4-12; static pods: 32 digits */
	char container_id[HS_CONTAINER_ID_LEN]; /* 64 hex digits; lxc: its name */
	char runtime[16];             /* docker, containerd, cri-o, podman, lxc */
	char unit[HS_NAME_LEN];       /* systemd unit with its suffix: nginx.service */
	char executable[HS_NAME_LEN]; /* nginx; app.py; x.jar; com.example.Main */
};

/* Facts about one process. Texts are borrowed, as the kernel gave them: any bytes. */
struct hs_process_facts {
	uint32_t pid;
	const char *comm;     /* NUL-ended */
	const char *hostname; /* NUL-ended */
	const char *node;     /* the node's hostname, NULL not known: hostNetwork pods have it */
	const char *exe;      /* path or last part; "" not known */
	const char *args;     /* args_len bytes, each argument ended by NUL (the last may be cut) */
	size_t args_len;
	const char *cgroup;   /* components, leaf first, each ended by NUL */
	size_t cgroup_len;
};

struct hs_rules;

/*
 * facts of a process record; false when the lengths do not fit into the record's size, or a text
 * that must end in NUL does not (exe_len counts its NUL). The node is not in the record: NULL.
 */
bool hs_process_facts(const struct hs_ev_process *event, struct hs_process_facts *facts);

/* rules may be NULL. identity is written whole. */
void hs_identify(const struct hs_process_facts *facts, const struct hs_rules *rules,
		 struct hs_identity *identity);

/*
 * Name overrides, in order, the first that matches wins. A pattern is a shell wildcard
 * (fnmatch(3)); NULL or "" matches all.
 */
struct hs_rule {
	const char *executable; /* against identity.executable */
	const char *arguments;  /* against the arguments joined by spaces */
	const char *cgroup;     /* against the path, root first */
	const char *container;  /* against the container id */
	const char *unit;
	const char *name;       /* the new name; required */
	const char *namespace_; /* or NULL */
};
/* Copies the rule. 0, -EINVAL without a name, -ENOMEM. */
struct hs_rules *hs_rules_new(void);
int hs_rules_add(struct hs_rules *rules, const struct hs_rule *rule);
void hs_rules_free(struct hs_rules *rules);

#endif
