// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/curl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SYMBOL(member) { "curl_" #member, offsetof(struct hs_curl, member) }

static const struct symbol {
	const char *name;
	size_t offset;
} symbols[] = {
	SYMBOL(global_init),   SYMBOL(easy_init),	 SYMBOL(easy_setopt),
	SYMBOL(easy_getinfo),  SYMBOL(easy_strerror),	 SYMBOL(easy_cleanup),
	SYMBOL(multi_init),    SYMBOL(multi_add_handle), SYMBOL(multi_remove_handle),
	SYMBOL(multi_perform), SYMBOL(multi_poll),	 SYMBOL(multi_info_read),
	SYMBOL(multi_cleanup),
};

_Static_assert(sizeof(struct hs_curl) == sizeof(symbols) / sizeof(symbols[0]) * sizeof(void *),
	       "a symbol for every pointer");

/* The same program interface under the names of Debian's two builds of it. */
static void *open_library(void)
{
	static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4" };
	void *library = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !library; i++)
		library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
	return library;
}

/* The name of what is missing, or NULL. */
static const char *resolve(void *library, struct hs_curl *curl)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *found = dlsym(library, symbols[i].name);

		if (!found)
			return symbols[i].name;
		/* ISO C casts no void * to a function: copy the bytes, as POSIX allows. */
		memcpy((char *)curl + symbols[i].offset, &found, sizeof(found));
	}
	return NULL;
}

const struct hs_curl *hs_curl_load(char *message, size_t size)
{
	static struct hs_curl curl;
	static bool loaded;
	const char *missing;
	void *library;

	if (loaded)
		return &curl;
	library = open_library();
	if (!library) {
		snprintf(message, size, "to ask an agent takes libcurl-gnutls.so.4, "
					"in Debian: apt-get install libcurl3-gnutls");
		return NULL;
	}
	missing = resolve(library, &curl);
	if (missing || curl.global_init(CURL_GLOBAL_NOTHING)) {
		snprintf(message, size, "this libcurl is too old: %s does not work",
			 missing ? missing : "curl_global_init");
		dlclose(library);
		return NULL;
	}
	loaded = true;
	return &curl;
}
