// SPDX-License-Identifier: GPL-2.0-or-later
/* What happened, in plain words, and what the kernel's timers do. */
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/units.h"
#include "cmd/document.h"
#include "cmd/explain.h"

#define MAX_RETRIES 32
#define RTO_MAX_SECONDS 120.0 /* TCP_RTO_MAX: the kernel's waits do not grow beyond it */
#define LINEAR_TIMEOUTS 4     /* net.ipv4.tcp_syn_linear_timeouts, as it is unless somebody set it */

static void __attribute__((format(printf, 2, 3))) say(char text[HS_EXPLAIN_LEN],
						      const char *format, ...)
{
	size_t len = strlen(text);
	va_list list;

	va_start(list, format);
	vsnprintf(text + len, HS_EXPLAIN_LEN - len, format, list);
	va_end(list);
}

/* " (retry 2)", where the number is known. */
static void say_number(char *text, const json_t *moment, const char *word)
{
	double number = hs_doc_number(moment, "number");

	if (number > 0)
		say(text, " (%s %.0f)", word, number);
}

static void say_syn(char *text, const json_t *finding, const json_t *moment)
{
	(void)finding;
	say(text, "SYN sent again");
	say_number(text, moment, "retry");
}

static void say_syn_ack(char *text, const json_t *finding, const json_t *moment)
{
	(void)finding;
	say(text, "SYN-ACK sent again");
	say_number(text, moment, "retry");
}

static void say_sent_again(char *text, const json_t *finding, const json_t *moment)
{
	static const char *const kinds[][2] = {
		{ "rto", "the retransmission timer expired" },
		{ "tlp", "tail loss probe" },
		{ "tail_loss_probe", "tail loss probe" },
		{ "fast", "fast retransmit" },
	};
	const char *kind = hs_doc_text(moment, "text");

	(void)finding;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i][0], kind))
			kind = kinds[i][1];
	}
	say(text, "sent again");
	if (*kind)
		say(text, ", %.64s", kind);
	say_number(text, moment, "attempt");
}

static void say_dropped(char *text, const json_t *finding, const json_t *moment)
{
	(void)finding;
	say(text, "dropped here");
	if (*hs_doc_text(moment, "text"))
		say(text, " by %.64s", hs_doc_text(moment, "text"));
}

static void say_icmp(char *text, const json_t *finding, const json_t *moment)
{
	(void)finding;
	say(text, "answered from here by %.64s", hs_doc_text(moment, "text"));
}

static void say_reset_sent(char *text, const json_t *finding, const json_t *moment)
{
	(void)finding;
	say(text, "reset sent");
	if (*hs_doc_text(moment, "text"))
		say(text, " (%.64s)", hs_doc_text(moment, "text"));
}

static void say_error(char *text, const json_t *finding, const json_t *moment)
{
	const char *error = hs_doc_text(moment, "error");

	(void)finding;
	say(text, "the socket got the error %.32s", *error ? error : "?");
}

/* Whether the evidence has it that the OOM killer chose the process at that end. */
static bool was_oom_killed(const json_t *finding, const char *side)
{
	const json_t *list = hs_doc_at(finding, "evidence"), *evidence;
	size_t i;

	json_array_foreach(list, i, evidence) {
		if (!strcmp(hs_doc_text(evidence, "signal"), "oom_killed") &&
		    !strcmp(hs_doc_text(evidence, "end"), side))
			return true;
	}
	return false;
}

/* "killed by signal 9 (OOM)"; by number alone where it has no name. */
static void say_signal(char *text, int number, bool oom)
{
	const char *name = sigabbrev_np(number);

	say(text, ", killed by signal %d", number);
	if (oom || name)
		say(text, " (%s%s)", oom ? "OOM" : "SIG", oom ? "" : name);
}

static void say_closed(char *text, const json_t *finding, const json_t *moment)
{
	const char *side = hs_doc_text(moment, "end");
	const json_t *end = hs_doc_at(finding, side);
	const char *who = *hs_doc_text(end, "comm") ? hs_doc_text(end, "comm") :
						      hs_doc_text(end, "name");
	const char *note = hs_doc_text(moment, "text");
	double signal_number = hs_doc_number(moment, "number");

	say(text, "closed");
	if (*who)
		say(text, " by %.128s", who);
	if (signal_number > 0 && signal_number < 128)
		say_signal(text, (int)signal_number, was_oom_killed(finding, side));
	if (*note)
		say(text, " (%.64s)", note);
}

static void say_ended(char *text, const json_t *finding, const json_t *moment)
{
	const char *error = hs_doc_text(moment, "error");

	(void)finding;
	if (*error)
		say(text, "over: the application got %.32s", error);
	else
		say(text, "the connection is over");
}

static const struct {
	const char *event, *words;
	void (*say)(char *text, const json_t *finding, const json_t *moment);
} moments[] = {
	{ "syn_sent", "SYN sent", NULL },
	{ "syn_sent_again", NULL, say_syn },
	{ "syn_ack_sent_again", NULL, say_syn_ack },
	{ "established", "established", NULL },
	{ "accepted", "accept() returned it", NULL },
	{ "sent_again", NULL, say_sent_again },
	{ "dropped", NULL, say_dropped },
	{ "icmp_sent", NULL, say_icmp },
	{ "reset_sent", NULL, say_reset_sent },
	{ "reset_received", "reset received", NULL },
	{ "error", NULL, say_error },
	{ "closed", NULL, say_closed },
	{ "ended", NULL, say_ended },
	{ "now", "now: it still hangs", NULL },
};

void hs_explain_moment(const json_t *finding, const json_t *moment, char text[HS_EXPLAIN_LEN])
{
	const char *event = hs_doc_text(moment, "event");

	*text = '\0';
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		if (strcmp(moments[i].event, event) != 0)
			continue;
		if (moments[i].say)
			moments[i].say(text, finding, moment);
		else
			say(text, "%s", moments[i].words);
		return;
	}
	/* One that a newer agent knows is shown all the same. */
	say(text, "%.64s", *event ? event : "?");
	if (*hs_doc_text(moment, "text"))
		say(text, ": %.64s", hs_doc_text(moment, "text"));
}

/* The length of the word in capitals that text begins with. */
static size_t capitals(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
}

static bool is_word(const char *word, size_t length, const char *wanted)
{
	return length == strlen(wanted) && !memcmp(word, wanted, length);
}

/* What stands for this word of a remedy; "" where the finding does not know. */
static void say_place(char place[HS_EXPLAIN_LEN], const json_t *finding, const char *word, size_t length)
{
	const json_t *server = hs_doc_at(finding, "server"), *client = hs_doc_at(finding, "client");

	*place = '\0';
	if (is_word(word, length, "ADDRESS"))
		say(place, "%.64s", hs_doc_text(server, "address"));
	else if (is_word(word, length, "CLIENT"))
		say(place, "%.64s", hs_doc_text(client, "address"));
	else if (is_word(word, length, "PORT") && hs_doc_number(server, "port") > 0)
		say(place, "%.0f", hs_doc_number(server, "port"));
}

void hs_explain_remedy(const json_t *finding, char text[HS_EXPLAIN_LEN])
{
	const char *remedy = hs_doc_text(finding, "remedy");
	char place[HS_EXPLAIN_LEN];

	*text = '\0';
	while (*remedy) {
		size_t length = capitals(remedy);

		say_place(place, finding, remedy, length);
		length += !length;
		say(text, "%.*s", *place ? (int)strlen(place) : (int)length, *place ? place : remedy);
		remedy += length;
	}
}

/* When the timer fired, in seconds since the beginning, and which retry the last one was. */
struct retries {
	double at[MAX_RETRIES];
	size_t count;
	double last_number;
	bool syn;
};

static void add_retry(struct retries *retries, const json_t *moment, double offset)
{
	if (retries->count == MAX_RETRIES) {
		memmove(retries->at, retries->at + 1, (MAX_RETRIES - 1) * sizeof(retries->at[0]));
		retries->count--;
	}
	retries->at[retries->count++] = offset;
	retries->last_number = hs_doc_number(moment, "number");
}

/* Only what one timer did: those of the SYN, else those of the retransmission timer. */
static bool is_retry(const json_t *moment, bool syn)
{
	const char *event = hs_doc_text(moment, "event");

	return syn ? !strcmp(event, "syn_sent_again") :
		     !strcmp(event, "sent_again") && !strcmp(hs_doc_text(moment, "text"), "rto");
}

static void collect(const json_t *finding, bool syn, struct retries *retries)
{
	const json_t *timeline = hs_doc_at(finding, "timeline"), *moment;
	double offset;
	size_t i;

	*retries = (struct retries){ .syn = syn };
	json_array_foreach(timeline, i, moment) {
		const char *event = hs_doc_text(moment, "event");

		if (!hs_doc_has_number(moment, "offset_seconds", &offset))
			continue;
		/* The first wait is known where its beginning is: that of a segment is not. */
		if (is_retry(moment, syn) || (syn && !retries->count && !strcmp(event, "syn_sent")))
			add_retry(retries, moment, offset);
	}
}

/* "1.0s, 2.0s and 3.0s" */
static void say_times(char *text, const double *at, size_t count, double less)
{
	char number[HS_UNIT_LEN];

	for (size_t i = 0; i < count; i++) {
		hs_unit_format(HS_UNIT_SECONDS, at[i] - less, number);
		say(text, "%s%s", !i ? "" : i + 1 < count ? ", " : " and ", number);
	}
}

static double wait_of(const struct retries *retries, size_t i)
{
	return retries->at[i] - retries->at[i - 1];
}

static void say_next(char *text, double at, double wait, bool hangs)
{
	char due[HS_UNIT_LEN], after[HS_UNIT_LEN];

	hs_unit_format(HS_UNIT_SECONDS, at + wait, due);
	hs_unit_format(HS_UNIT_SECONDS, wait, after);
	say(text, " The next %s %s later, at %s.", hangs ? "is due" : "would have been", after, due);
}

static double doubled(double wait)
{
	return wait * 2 < RTO_MAX_SECONDS ? wait * 2 : RTO_MAX_SECONDS;
}

/* What the waits that were seen tell about the next one, and no more. */
static void say_schedule(char *text, const struct retries *retries, bool hangs)
{
	size_t last = retries->count - 1;
	double at = retries->at[last] - (retries->syn ? retries->at[0] : 0);
	double wait = wait_of(retries, last);
	double before = last > 1 ? wait_of(retries, last - 1) : 0;
	bool grew = wait > 1.5 * before && wait < 3 * before; /* else something else came between */
	bool even = last > 1 && wait <= 1.5 * before && retries->syn;

	if (grew) {
		say(text, " Each wait is twice the last.");
		say_next(text, at, doubled(wait), hangs);
	} else if (even && retries->last_number > 0 && retries->last_number <= LINEAR_TIMEOUTS) {
		say(text, " The waits do not grow yet (net.ipv4.tcp_syn_linear_timeouts).");
		say_next(text, at, wait, hangs);
	} else if (even && retries->last_number > LINEAR_TIMEOUTS) {
		say(text, " From here on each wait is twice the last.");
		say_next(text, at, doubled(wait), hangs);
	} else if (retries->syn && last == 1) {
		say(text, " Linux before 6.5 doubles each wait; later ones first wait as long %d times"
			  " (net.ipv4.tcp_syn_linear_timeouts).", LINEAR_TIMEOUTS);
	}
}

/* Too few retries were seen: what the socket itself has of its timer. */
static void say_socket_timer(char *text, const json_t *finding)
{
	static const char *const sides[] = { "tcp.client", "tcp.server" };
	char wait[HS_UNIT_LEN];

	for (size_t i = 0; i < 2 && !*text; i++) {
		const json_t *tcp = hs_doc_at(finding, sides[i]);
		double backoff = hs_doc_number(tcp, "backoff"), rto;

		if (backoff <= 0 || !hs_doc_has_number(tcp, "rto_seconds", &rto) ||
		    strcmp(hs_doc_text(tcp, "timer"), "retransmit") != 0)
			continue;
		hs_unit_format(HS_UNIT_SECONDS, rto, wait);
		say(text, "The timer of the %s has doubled %.0f %s and waits %s now.", sides[i] + 4,
		    backoff, backoff == 1 ? "time" : "times", wait);
	}
}

void hs_explain_timer(const json_t *finding, char text[HS_EXPLAIN_LEN])
{
	bool hangs = hs_doc_number(finding, "stuck") > 0;
	size_t first = 0;
	struct retries retries;

	*text = '\0';
	collect(finding, true, &retries);
	if (retries.count < 2)
		collect(finding, false, &retries);
	else
		first = 1; /* the SYN itself */
	if (retries.count < 2) {
		if (hangs)
			say_socket_timer(text, finding);
		return;
	}
	say(text, retries.syn ? "The SYN was sent again after " : "The timer sent data again at ");
	say_times(text, retries.at + first, retries.count - first, retries.syn ? retries.at[0] : 0);
	say(text, ".");
	say_schedule(text, &retries, hangs);
}
