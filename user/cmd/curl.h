/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl, loaded when a command first asks an agent. Linked, it would cost every process 3.0 MiB
 * of RSS and 2.5 ms at its start (20 more libraries), the daemon too, which never calls it and
 * has 16 MiB for everything.
 */
#ifndef HS_CMD_CURL_H
#define HS_CMD_CURL_H

#include <curl/curl.h>
#include <stddef.h>

struct hs_curl {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	const char *(*easy_strerror)(CURLcode code);
	void (*easy_cleanup)(CURL *easy);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_perform)(CURLM *multi, int *running);
	CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd extra[], unsigned count,
				int timeout_ms, int *ready);
	CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
	CURLMcode (*multi_cleanup)(CURLM *multi);
};

/* Loads it once for the life of the process. NULL: it is not there, a line in message. */
const struct hs_curl *hs_curl_load(char *message, size_t size);

#endif
