/*
 * The reactor: Unix stream sockets of one event loop, without a JavaScript object, a libuv handle or a write request for each.
 *
 * Owns the descriptors of listening sockets and connections, an epoll descriptor that libuv watches for all of them, and the
 * output that the kernel has not taken yet. It knows bytes and no protocol. `reactor-listener.ts` is its only caller, and the
 * only reader of its records.
 *
 * When something is ready, everything that has arrived goes to JavaScript in one call: a byte string with all input, and
 * records of four int32 in an array that both sides share,
 *
 *     kind, slot, first, second
 *     ACCEPTED   listener's id, generation     a connection of that listener; its bytes come in later calls
 *     DATA       start, end                    what it sent, in the byte string
 *     ENDED      0, 0                          it sends no more; it may still read
 *     DRAINED    0, 0                          the kernel has taken all that was written
 *     CLOSED     0, 0                          it is gone, and its slot free: nothing follows
 *     UNACCEPTED listener's id, errno          it cannot accept
 *
 * What JavaScript has for many connections goes to them in one call too: see `send_all`.
 *
 * Invariants:
 * 1. A slot is told by its number and its generation. The generation changes when the slot becomes free, so that neither a
 *    call for a connection that is gone nor an event that epoll had in store reaches the next one, whatever descriptor it got.
 * 2. JavaScript runs when no descriptor of the round is looked at any more: it may close, listen and write as it likes.
 * 3. A round takes at most READS_MAX bytes of one connection and BATCH_BYTES of all, sends at most SENDS_MAX to one and
 *    ROUND_SENDS of what waited, and tells no more than `share_of` says, or RECORDS_MAX things of listeners. The kernel puts whom it
 *    has named behind all others, served or not: so what a round leaves of them is kept, and served before the kernel is asked again.
 * 4. A connection that is neither read nor waits to write is not in the epoll set: a peer that hangs up wakes nobody then. One
 *    that has ended, or is finishing, is not read any more whatever its owner asks for.
 * 5. Output that the kernel did not take is kept here, at most what the caller wrote: it writes no more until DRAINED.
 * 6. With no descriptor left for new connections, those that wait are accepted and closed by means of a spare one; without
 *    that, the listener rests until it is resumed.
 * 7. An error that JavaScript throws is reported at once, as one of any callback; where that does not end the thread, it is
 *    called again for what it has not been told yet. It counts what it has taken up in the last field of the array.
 * 8. A thread that ends closes its connections, and removes the files of its listening sockets.
 *
 * One of these for each thread that loads the addon. Only Node-API, `uv_poll` and what closes it are used.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* What `reactor-listener.ts` and this agree on; another number whenever that changes (see INTERFACE in addon.ts). */
#define INTERFACE 2
/* Bytes that are read from one connection at a time: what a Unix socket holds is about three times that. */
#define READS_MAX (64 * 1024)
#define BATCH_BYTES (1024 * 1024)
/* Things that one call tells; the caller makes the array as long (see RECORDS_MAX in reactor-listener.ts). */
#define RECORDS_MAX 1024
#define RECORD_FIELDS 4
#define SEND_FIELDS 3
/* After the records: how many of them JavaScript has taken up. */
#define FIELDS_MAX (RECORDS_MAX * RECORD_FIELDS + 1)
/* Descriptors that the kernel is asked for at a time. */
#define READY_MAX 1024
/* Bytes that are sent to one connection at a time, and in a round to those that waited. */
#define SENDS_MAX (1024 * 1024)
#define ROUND_SENDS (4 * 1024 * 1024)
/* A turn of the loop has another round while it has told less than this, and has had fewer than so many. */
#define TURN_RECORDS 256
#define TURN_BYTES (128 * 1024)
#define ROUNDS_MAX 16
/* So many are few, and so are their parts: see share_of. */
#define FEW 32
#define SHARES 4
#define SHARE_LEAST 4
/*
 * How long, when output has gone, the thread looks for input before it may sleep: whoever got a reply often asks on at once,
 * and to be woken takes longer than that. When it was in vain so often in a row, it does so every so many times only.
 */
#define LINGER_NANOSECONDS 50000
#define LINGERS_IN_VAIN_MAX 8
#define LINGER_AGAIN 64
/* Connections that are accepted in a round: others have their turn between. */
#define ACCEPTS_MAX 64
/* Output up to this size is copied to a buffer that is there; more gets one of its own. */
#define OUTPUT_BYTES (256 * 1024)
#define SLOTS_FIRST 64

enum kind { ACCEPTED, DATA, ENDED, DRAINED, CLOSED, UNACCEPTED };

enum use { FREE, LISTENER, CONNECTION };

struct slot {
	enum use use;
	int descriptor;
	uint32_t generation;
	/* Of a listener: its id, which JavaScript chose, and its file. */
	int32_t id;
	char *path;
	/* Of a free slot. */
	uint32_t next_free;
	/* What epoll waits for; 0 when the descriptor is not in its set. */
	uint32_t interest;
	/* Whether its owner wants it to be read. */
	bool is_read;
	/* Whether its peer sends no more. */
	bool has_ended;
	/* Whether it is to be closed once its output is gone. */
	bool is_finishing;
	/* Output that the kernel has not taken: `pending_end - pending_start` bytes. */
	char *pending;
	size_t pending_start, pending_end, pending_capacity;
};

struct reactor {
	napi_env env;
	napi_ref callback, receiver, records_reference, sends_reference;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	uv_poll_t poll;
	bool is_polling;
	int epoll;
	/* Given up for a moment to accept and close a connection when no descriptor is free; -1 while it is not there. */
	int spare;
	struct slot *slots;
	uint32_t slot_count, free_slot, used_slots;
	int32_t *records;
	uint32_t record_count;
	int32_t *sends;
	size_t sends_max;
	/* Lingers in a row that were in vain, and what was sent since the last one. */
	uint32_t lingers_in_vain, sends_since_linger;
	/* How often the thread had lost its processor by the last linger. */
	long preemptions;
	char *input, *output;
	size_t input_length, sent_bytes;
	/* What the kernel named; from `ready_next` on it has not been served. */
	struct epoll_event ready[READY_MAX];
	int ready_next, ready_count;
};

#define NO_SLOT UINT32_MAX

/* ---- slots ---- */

static bool add_slots(struct reactor *reactor)
{
	uint32_t count = reactor->slot_count == 0 ? SLOTS_FIRST : reactor->slot_count * 2;
	struct slot *slots = realloc(reactor->slots, count * sizeof(*slots));
	if (slots == NULL) return false;
	for (uint32_t index = reactor->slot_count; index < count; index++)
		slots[index] = (struct slot){ .use = FREE, .descriptor = -1, .next_free = index + 1 < count ? index + 1 : NO_SLOT };
	reactor->slots = slots;
	reactor->free_slot = reactor->slot_count;
	reactor->slot_count = count;
	return true;
}

/* Whoever holds a pointer to a slot has to get it anew. */
static uint32_t take_slot(struct reactor *reactor, enum use use, int descriptor)
{
	if (reactor->free_slot == NO_SLOT && !add_slots(reactor)) return NO_SLOT;
	uint32_t index = reactor->free_slot;
	struct slot *slot = &reactor->slots[index];
	reactor->free_slot = slot->next_free;
	slot->use = use;
	slot->descriptor = descriptor;
	slot->id = 0;
	slot->path = NULL;
	slot->interest = 0;
	slot->is_read = true;
	slot->has_ended = slot->is_finishing = false;
	slot->pending = NULL;
	slot->pending_start = slot->pending_end = slot->pending_capacity = 0;
	reactor->used_slots++;
	return index;
}

/*
 * Closes the descriptor. It leaves the epoll set before: a child process that is just being made has it too, and would keep it
 * there, ready for ever.
 */
static void free_slot(struct reactor *reactor, uint32_t index)
{
	struct slot *slot = &reactor->slots[index];
	if (slot->interest != 0) epoll_ctl(reactor->epoll, EPOLL_CTL_DEL, slot->descriptor, NULL);
	close(slot->descriptor);
	free(slot->pending);
	free(slot->path);
	slot->pending = slot->path = NULL;
	slot->use = FREE;
	slot->descriptor = -1;
	slot->generation = (slot->generation + 1) & INT32_MAX;
	slot->next_free = reactor->free_slot;
	reactor->free_slot = index;
	reactor->used_slots--;
}

static size_t pending_bytes(const struct slot *slot)
{
	return slot->pending_end - slot->pending_start;
}

static bool is_readable(const struct slot *slot)
{
	return slot->is_read && !slot->has_ended && !slot->is_finishing;
}

/* Has epoll wait for what the slot can do now. */
static bool update_interest(struct reactor *reactor, uint32_t index)
{
	struct slot *slot = &reactor->slots[index];
	uint32_t interest = (is_readable(slot) ? EPOLLIN : 0u) | (pending_bytes(slot) > 0 ? EPOLLOUT : 0u);
	if (interest == slot->interest) return true;
	int operation = interest == 0 ? EPOLL_CTL_DEL : slot->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	struct epoll_event event = { .events = interest, .data.u64 = (uint64_t)slot->generation << 32 | index };
	if (epoll_ctl(reactor->epoll, operation, slot->descriptor, &event) != 0) return false;
	slot->interest = interest;
	return true;
}

/* ---- what is told ---- */

static void tell(struct reactor *reactor, enum kind kind, uint32_t slot, int32_t first, int32_t second)
{
	int32_t *record = reactor->records + reactor->record_count++ * RECORD_FIELDS;
	record[0] = (int32_t)kind;
	record[1] = (int32_t)slot;
	record[2] = first;
	record[3] = second;
}

static void drop_connection(struct reactor *reactor, uint32_t index)
{
	free_slot(reactor, index);
	tell(reactor, CLOSED, index, 0, 0);
}

/* ---- accepting ---- */

static bool is_out_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * Accepts the connections that wait and closes them, so that their clients are not left waiting; false when that is not
 * possible either, as another thread may have taken the descriptor meanwhile.
 */
static bool turn_away(struct reactor *reactor, int listener)
{
	if (reactor->spare < 0) reactor->spare = open_spare();
	for (int count = 0; count < ACCEPTS_MAX; count++) {
		if (reactor->spare < 0) return false;
		close(reactor->spare);
		int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		int error = errno;
		if (descriptor >= 0) close(descriptor);
		reactor->spare = open_spare();
		if (descriptor < 0) return error == EAGAIN;
	}
	return true;
}

static void accept_connections(struct reactor *reactor, uint32_t listener)
{
	for (int count = 0; count < ACCEPTS_MAX && reactor->record_count < RECORDS_MAX; count++) {
		struct slot *slot = &reactor->slots[listener];
		int descriptor = accept4(slot->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (descriptor < 0) {
			int error = errno;
			if (error == EAGAIN) return;
			if (error == EINTR || error == ECONNABORTED) continue;
			tell(reactor, UNACCEPTED, listener, slot->id, error);
			if (is_out_of_descriptors(error) && turn_away(reactor, slot->descriptor)) return;
			slot->is_read = false;
			update_interest(reactor, listener);
			return;
		}
		uint32_t index = take_slot(reactor, CONNECTION, descriptor);
		int32_t id = reactor->slots[listener].id;
		if (index == NO_SLOT) {
			close(descriptor);
			tell(reactor, UNACCEPTED, listener, id, ENOMEM);
			return;
		}
		if (!update_interest(reactor, index)) {
			tell(reactor, UNACCEPTED, listener, id, errno);
			free_slot(reactor, index);
			return;
		}
		tell(reactor, ACCEPTED, index, id, (int32_t)reactor->slots[index].generation);
	}
}

/* ---- writing ---- */

/* Sends as much as the kernel takes, up to SENDS_MAX. Returns how much that was, or -1 when the peer is gone. */
static ssize_t send_some(int descriptor, const char *bytes, size_t length)
{
	size_t sent = 0;
	if (length > SENDS_MAX) length = SENDS_MAX;
	while (sent < length) {
		ssize_t count = send(descriptor, bytes + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count >= 0) sent += (size_t)count;
		else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) break;
		else if (errno != EINTR) return -1;
	}
	return (ssize_t)sent;
}

static void drop_pending(struct slot *slot)
{
	free(slot->pending);
	slot->pending = NULL;
	slot->pending_start = slot->pending_end = slot->pending_capacity = 0;
}

/* The kernel takes more again. */
static void flush(struct reactor *reactor, uint32_t index)
{
	struct slot *slot = &reactor->slots[index];
	ssize_t sent = send_some(slot->descriptor, slot->pending + slot->pending_start, pending_bytes(slot));
	if (sent < 0) {
		drop_connection(reactor, index);
		return;
	}
	slot->pending_start += (size_t)sent;
	reactor->sent_bytes += (size_t)sent;
	if (pending_bytes(slot) > 0) return;
	drop_pending(slot);
	if (slot->is_finishing) drop_connection(reactor, index);
	else if (update_interest(reactor, index)) tell(reactor, DRAINED, index, 0, 0);
	else drop_connection(reactor, index);
}

/*
 * Has room for `length` bytes behind what is pending; false when there is no memory. Half of the buffer is free after each
 * copy, so that a caller who writes on and on has each byte copied a few times and no more.
 */
static bool make_room(struct slot *slot, size_t length)
{
	size_t kept = pending_bytes(slot);
	if (slot->pending_capacity - slot->pending_end >= length) return true;
	if (slot->pending_start >= slot->pending_capacity / 2 && slot->pending_capacity - kept >= length) {
		memmove(slot->pending, slot->pending + slot->pending_start, kept);
	} else {
		size_t capacity = kept == 0 ? length : 2 * (kept + length);
		char *pending = malloc(capacity);
		if (pending == NULL) return false;
		if (kept > 0) memcpy(pending, slot->pending + slot->pending_start, kept);
		free(slot->pending);
		slot->pending = pending;
		slot->pending_capacity = capacity;
	}
	slot->pending_start = 0;
	slot->pending_end = kept;
	return true;
}

/* Keeps what the kernel did not take; false when there is no memory. */
static bool keep(struct slot *slot, const char *bytes, size_t length)
{
	if (!make_room(slot, length)) return false;
	memcpy(slot->pending + slot->pending_end, bytes, length);
	slot->pending_end += length;
	return true;
}

/* ---- reading ---- */

static void receive(struct reactor *reactor, uint32_t index)
{
	struct slot *slot = &reactor->slots[index];
	ssize_t count;
	do count = recv(slot->descriptor, reactor->input + reactor->input_length, READS_MAX, MSG_DONTWAIT);
	while (count < 0 && errno == EINTR);
	if (count > 0) {
		size_t start = reactor->input_length;
		reactor->input_length += (size_t)count;
		tell(reactor, DATA, index, (int32_t)start, (int32_t)reactor->input_length);
	} else if (count == 0) {
		slot->has_ended = true;
		if (update_interest(reactor, index)) tell(reactor, ENDED, index, 0, 0);
		else drop_connection(reactor, index);
	} else if (errno != EAGAIN) {
		drop_connection(reactor, index);
	}
}

static void handle_event(struct reactor *reactor, const struct epoll_event *event)
{
	uint32_t index = (uint32_t)event->data.u64;
	struct slot *slot = &reactor->slots[index];
	if (slot->use == FREE || slot->generation != event->data.u64 >> 32) return;
	if (slot->use == LISTENER) {
		if (slot->is_read) accept_connections(reactor, index);
		return;
	}
	if (pending_bytes(slot) > 0 && (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))) {
		uint32_t told = reactor->record_count;
		flush(reactor, index);
		if (reactor->record_count > told || reactor->slots[index].use == FREE) return;
	}
	if (is_readable(slot) && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive(reactor, index);
}

/* Tells JavaScript what this round found (invariant 7). Where nothing can be called any more, the thread is about to end. */
static void call_back(struct reactor *reactor)
{
	napi_env env = reactor->env;
	napi_handle_scope handles;
	napi_callback_scope calls;
	napi_value callback, receiver, error, arguments[2];
	int32_t *taken = reactor->records + RECORDS_MAX * RECORD_FIELDS;
	if (napi_open_handle_scope(env, &handles) != napi_ok) return;
	*taken = 0;
	if (napi_get_reference_value(env, reactor->callback, &callback) == napi_ok &&
	    napi_get_reference_value(env, reactor->receiver, &receiver) == napi_ok &&
	    napi_create_string_latin1(env, reactor->input, reactor->input_length, &arguments[0]) == napi_ok &&
	    napi_create_uint32(env, reactor->record_count, &arguments[1]) == napi_ok &&
	    napi_open_callback_scope(env, receiver, reactor->context, &calls) == napi_ok) {
		int32_t before;
		do {
			before = *taken;
			if (napi_call_function(env, receiver, callback, 2, arguments, NULL) != napi_pending_exception) break;
			if (napi_get_and_clear_last_exception(env, &error) != napi_ok) break;
			napi_fatal_exception(env, error);
		} while (*taken > before && (uint32_t)*taken < reactor->record_count);
		napi_close_callback_scope(env, calls);
	}
	napi_close_handle_scope(env, handles);
}

/*
 * How many things one turn tells. Where few are ready it is a part of them: so their clients go on with the first answers while the next
 * are made, on another processor, instead of all at once when all are made. With ten clients that is a quarter of the rate. Of many it
 * is as many as there may be: they come while others are served, and a turn has its price, with a write to a disk above all.
 */
static uint32_t share_of(const struct reactor *reactor)
{
	uint32_t ready = (uint32_t)reactor->ready_count;
	if (ready > FEW) return TURN_RECORDS;
	return ready / SHARES > SHARE_LEAST ? ready / SHARES : SHARE_LEAST;
}

static bool has_room(const struct reactor *reactor)
{
	return reactor->record_count < share_of(reactor) && BATCH_BYTES - reactor->input_length >= READS_MAX &&
	       reactor->sent_bytes < ROUND_SENDS;
}

static void adjust_polling(struct reactor *reactor);

/* Serves what is ready now, and tells JavaScript. */
static void serve_round(struct reactor *reactor)
{
	if (reactor->ready_next == reactor->ready_count) {
		reactor->ready_next = 0;
		reactor->ready_count = epoll_wait(reactor->epoll, reactor->ready, READY_MAX, 0);
		if (reactor->ready_count < 0) reactor->ready_count = 0;
	}
	reactor->record_count = 0;
	reactor->input_length = reactor->sent_bytes = 0;
	while (reactor->ready_next < reactor->ready_count && has_room(reactor))
		handle_event(reactor, &reactor->ready[reactor->ready_next++]);
	adjust_polling(reactor);
	if (reactor->record_count > 0) call_back(reactor);
}

/*
 * What arrives while a round is served belongs to the same turn of the loop: whoever ends it, with a write to a disk perhaps,
 * does so for more of it.
 */
static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct reactor *reactor = poll->data;
	(void)status;
	(void)events;
	uint32_t records = 0;
	size_t bytes = 0;
	for (int round = 0; round < ROUNDS_MAX && records < share_of(reactor) && bytes < TURN_BYTES; round++) {
		serve_round(reactor);
		if (reactor->record_count == 0 || !reactor->is_polling) return;
		records += reactor->record_count;
		bytes += reactor->input_length;
	}
}

/* Watches while there is something to watch, so that the loop can end else. */
static void adjust_polling(struct reactor *reactor)
{
	bool is_needed = reactor->used_slots > 0;
	if (is_needed == reactor->is_polling || uv_is_closing((uv_handle_t *)&reactor->poll)) return;
	/* Neither fails for a handle that is not closing, and whose descriptor could be watched at first. */
	if (is_needed) uv_poll_start(&reactor->poll, UV_READABLE, on_ready);
	else uv_poll_stop(&reactor->poll);
	reactor->is_polling = is_needed;
}

/* ---- what JavaScript calls ---- */

static struct reactor *reactor_of(napi_env env)
{
	void *data = NULL;
	napi_get_instance_data(env, &data);
	return data;
}

static napi_value integer(napi_env env, int64_t number)
{
	napi_value value = NULL;
	napi_create_int64(env, number, &value);
	return value;
}

static napi_value throw_errno(napi_env env, int error)
{
	napi_throw_error(env, uv_err_name(-error), uv_strerror(-error));
	return NULL;
}

#define ARGUMENTS_MAX 3

/* Whether a connection or listener is there still. */
static bool is_slot(const struct reactor *reactor, uint32_t index, uint32_t generation)
{
	return index < reactor->slot_count && reactor->slots[index].use != FREE &&
	       reactor->slots[index].generation == generation;
}

/*
 * The slot that a call is for: its first two arguments are number and generation. NULL when the connection is gone; the
 * caller then does nothing.
 */
static struct slot *slot_of(napi_env env, napi_callback_info info, napi_value *arguments, uint32_t *index)
{
	size_t count = ARGUMENTS_MAX;
	uint32_t generation;
	struct reactor *reactor = reactor_of(env);
	if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 2) return NULL;
	if (napi_get_value_uint32(env, arguments[0], index) != napi_ok) return NULL;
	if (napi_get_value_uint32(env, arguments[1], &generation) != napi_ok) return NULL;
	return is_slot(reactor, *index, generation) ? &reactor->slots[*index] : NULL;
}

/*
 * The bytes of a string: in the buffer that is there, or in one of its own that is the caller's to free. NULL when there is no
 * memory, or it is no string; an error is thrown then.
 */
static char *bytes_of(napi_env env, napi_value string, size_t *length)
{
	char *bytes = reactor_of(env)->output;
	size_t whole;
	if (napi_get_value_string_latin1(env, string, bytes, OUTPUT_BYTES, length) != napi_ok) goto invalid;
	if (*length < OUTPUT_BYTES - 1) return bytes;
	/* The buffer is full: there may be more. */
	if (napi_get_value_string_latin1(env, string, NULL, 0, &whole) != napi_ok) goto invalid;
	if (whole == *length) return bytes;
	bytes = malloc(whole + 1);
	if (bytes == NULL) {
		throw_errno(env, ENOMEM);
		return NULL;
	}
	if (napi_get_value_string_latin1(env, string, bytes, whole + 1, length) == napi_ok) return bytes;
	free(bytes);
invalid:
	throw_errno(env, EINVAL);
	return NULL;
}

/*
 * Sends to a slot, or keeps what the kernel does not take. Returns how many bytes wait now, or -1 when the peer is gone, and
 * close is due. `own` is NULL, or leads to the memory that `bytes` are all of: it may be taken over, and leads to NULL then.
 */
static int32_t send_to(struct reactor *reactor, uint32_t index, const char *bytes, size_t length, char **own)
{
	struct slot *slot = &reactor->slots[index];
	ssize_t sent = pending_bytes(slot) > 0 ? 0 : send_some(slot->descriptor, bytes, length);
	if (sent < 0) return -1;
	if ((size_t)sent < length) {
		if (own != NULL && *own != NULL && slot->pending == NULL) {
			slot->pending = *own;
			slot->pending_start = (size_t)sent;
			slot->pending_end = slot->pending_capacity = length;
			*own = NULL;
		} else if (!keep(slot, bytes + sent, length - (size_t)sent)) {
			return -1;
		}
		if (!update_interest(reactor, index)) return -1;
	}
	size_t pending = pending_bytes(slot);
	return pending > INT32_MAX ? INT32_MAX : (int32_t)pending;
}

static int64_t nanoseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Whether others have taken the processor from this thread since it was last asked. */
static bool was_preempted(struct reactor *reactor)
{
	struct rusage usage;
	if (getrusage(RUSAGE_THREAD, &usage) != 0) return true;
	bool was = usage.ru_nivcsw != reactor->preemptions;
	reactor->preemptions = usage.ru_nivcsw;
	return was;
}

/* Returns when something is ready, or soon. What is ready is left to the loop. */
static void linger(struct reactor *reactor)
{
	struct pollfd ready = { .fd = reactor->epoll, .events = POLLIN };
	if (reactor->lingers_in_vain >= LINGERS_IN_VAIN_MAX && ++reactor->sends_since_linger < LINGER_AGAIN) return;
	reactor->sends_since_linger = 0;
	if (was_preempted(reactor)) {
		reactor->lingers_in_vain = LINGERS_IN_VAIN_MAX;
		return;
	}
	int64_t end = nanoseconds() + LINGER_NANOSECONDS;
	do {
		if (poll(&ready, 1, 0) != 0) {
			reactor->lingers_in_vain = 0;
			return;
		}
	} while (nanoseconds() < end);
	if (reactor->lingers_in_vain < LINGERS_IN_VAIN_MAX) reactor->lingers_in_vain++;
}

/*
 * send(bytes, count): `count` outputs that stand one behind the other in `bytes`, each for the connection that a triple of
 * int32 in the shared array names, and as long as it says: slot, generation, length. Instead of the length it says after the
 * call how many bytes wait for the kernel now, or -1 when the peer is gone, and close is due.
 */
static napi_value send_all(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	size_t argument_count = 2, length = 0, start = 0;
	uint32_t count;
	struct reactor *reactor = reactor_of(env);
	if (napi_get_cb_info(env, info, &argument_count, arguments, NULL, NULL) != napi_ok || argument_count < 2 ||
	    napi_get_value_uint32(env, arguments[1], &count) != napi_ok || count > reactor->sends_max)
		return throw_errno(env, EINVAL);
	char *bytes = bytes_of(env, arguments[0], &length);
	if (bytes == NULL) return NULL;
	char *own = bytes == reactor->output ? NULL : bytes;
	for (uint32_t number = 0; number < count; number++) {
		int32_t *send = reactor->sends + number * SEND_FIELDS;
		uint32_t index = (uint32_t)send[0];
		size_t size = (size_t)send[2];
		if (send[2] < 0 || size > length - start) size = length - start;
		send[2] = 0;
		if (is_slot(reactor, index, (uint32_t)send[1]))
			send[2] = send_to(reactor, index, bytes + start, size, count == 1 ? &own : NULL);
		start += size;
	}
	free(own);
	linger(reactor);
	return NULL;
}

/* pendingBytes(slot, generation) */
static napi_value count_pending(napi_env env, napi_callback_info info)
{
	napi_value arguments[ARGUMENTS_MAX];
	uint32_t index;
	struct slot *slot = slot_of(env, info, arguments, &index);
	return integer(env, slot == NULL ? 0 : (int64_t)pending_bytes(slot));
}

static napi_value boolean(napi_env env, bool is_true)
{
	napi_value value = NULL;
	napi_get_boolean(env, is_true, &value);
	return value;
}

/*
 * read(slot, generation, isRead): whether the connection is read, or the listener accepts, from now on. Returns false when the
 * kernel cannot do that, for lack of memory.
 */
static napi_value set_reading(napi_env env, napi_callback_info info)
{
	napi_value arguments[ARGUMENTS_MAX];
	uint32_t index;
	struct slot *slot = slot_of(env, info, arguments, &index);
	if (slot == NULL || napi_get_value_bool(env, arguments[2], &slot->is_read) != napi_ok) return boolean(env, true);
	return boolean(env, update_interest(reactor_of(env), index));
}

/* finish(slot, generation): whether it is closed already; else it is when its output has gone, and CLOSED tells. */
static napi_value finish_slot(napi_env env, napi_callback_info info)
{
	napi_value arguments[ARGUMENTS_MAX];
	uint32_t index;
	struct reactor *reactor = reactor_of(env);
	struct slot *slot = slot_of(env, info, arguments, &index);
	if (slot == NULL) return boolean(env, false);
	slot->is_finishing = true;
	/* Its output waits in the set already, so that this only takes away what it is not waiting for any more. */
	if (pending_bytes(slot) > 0 && update_interest(reactor, index)) return boolean(env, false);
	free_slot(reactor, index);
	adjust_polling(reactor);
	return boolean(env, true);
}

/* close(slot, generation): at once, also of a listener. Nothing tells of it. */
static napi_value close_slot(napi_env env, napi_callback_info info)
{
	napi_value arguments[ARGUMENTS_MAX];
	uint32_t index;
	struct reactor *reactor = reactor_of(env);
	if (slot_of(env, info, arguments, &index) != NULL) free_slot(reactor, index);
	adjust_polling(reactor);
	return NULL;
}

/* Binds a socket for its owner alone. Returns the descriptor, or minus an errno; there is no file then. */
static int bind_socket(const char *path, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path)) return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (descriptor < 0) return -errno;
	bool is_bound = bind(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (is_bound && chmod(path, S_IRUSR | S_IWUSR) == 0 && listen(descriptor, backlog) == 0) return descriptor;
	int error = errno;
	close(descriptor);
	if (is_bound) unlink(path);
	return -error;
}

/* A slot for a listening socket, not in the epoll set yet; NO_SLOT when there is no memory. */
static uint32_t take_listener(struct reactor *reactor, int descriptor, const char *path, int32_t id)
{
	char *copy = strdup(path);
	uint32_t index = copy == NULL ? NO_SLOT : take_slot(reactor, LISTENER, descriptor);
	if (index == NO_SLOT) {
		free(copy);
	} else {
		reactor->slots[index].path = copy;
		reactor->slots[index].id = id;
	}
	return index;
}

/* listen(path, backlog, id): [slot, generation] of the listener. Throws an error with a code when it cannot be bound. */
static napi_value listen_at(napi_env env, napi_callback_info info)
{
	size_t count = ARGUMENTS_MAX, length = 0;
	napi_value arguments[ARGUMENTS_MAX];
	/* Longer than the address holds by the longest character, so that a path that is cut here is too long for that. */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 4];
	int32_t backlog = 0, id = 0;
	struct reactor *reactor = reactor_of(env);
	if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < ARGUMENTS_MAX ||
	    napi_get_value_string_utf8(env, arguments[0], path, sizeof(path), &length) != napi_ok ||
	    napi_get_value_int32(env, arguments[1], &backlog) != napi_ok ||
	    napi_get_value_int32(env, arguments[2], &id) != napi_ok || length == 0 || strlen(path) != length)
		return throw_errno(env, EINVAL);
	int descriptor = bind_socket(path, backlog);
	if (descriptor < 0) return throw_errno(env, -descriptor);
	uint32_t index = take_listener(reactor, descriptor, path, id);
	if (index == NO_SLOT || !update_interest(reactor, index)) {
		if (index == NO_SLOT) close(descriptor);
		else free_slot(reactor, index);
		unlink(path);
		return throw_errno(env, ENOMEM);
	}
	adjust_polling(reactor);
	napi_value result = NULL;
	napi_create_array_with_length(env, 2, &result);
	napi_set_element(env, result, 0, integer(env, index));
	napi_set_element(env, result, 1, integer(env, reactor->slots[index].generation));
	return result;
}

/* The int32 of a typed array; NULL when it is none, or shorter. */
static int32_t *integers_of(napi_env env, napi_value array, size_t least, size_t *length)
{
	napi_typedarray_type type;
	void *data = NULL;
	if (napi_get_typedarray_info(env, array, &type, length, &data, NULL, NULL) != napi_ok) return NULL;
	return type == napi_int32_array && *length >= least ? data : NULL;
}

/* start(records, sends, callback): once, before anything else. Both are Int32Arrays, which stay in use. */
static napi_value start(napi_env env, napi_callback_info info)
{
	size_t count = ARGUMENTS_MAX, length = 0, sends_length = 0;
	napi_value arguments[ARGUMENTS_MAX], receiver, name;
	struct reactor *reactor = reactor_of(env);
	if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < ARGUMENTS_MAX ||
	    reactor->records != NULL)
		return throw_errno(env, EINVAL);
	int32_t *records = integers_of(env, arguments[0], FIELDS_MAX, &length);
	int32_t *sends = integers_of(env, arguments[1], SEND_FIELDS, &sends_length);
	if (records == NULL || sends == NULL) return throw_errno(env, EINVAL);
	if (napi_create_reference(env, arguments[0], 1, &reactor->records_reference) != napi_ok ||
	    napi_create_reference(env, arguments[1], 1, &reactor->sends_reference) != napi_ok ||
	    napi_create_reference(env, arguments[2], 1, &reactor->callback) != napi_ok ||
	    napi_create_object(env, &receiver) != napi_ok ||
	    napi_create_reference(env, receiver, 1, &reactor->receiver) != napi_ok ||
	    napi_create_string_latin1(env, "xenstore-reactor", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_async_init(env, receiver, name, &reactor->context) != napi_ok)
		return throw_errno(env, ENOMEM);
	reactor->records = records;
	reactor->sends = sends;
	reactor->sends_max = sends_length / SEND_FIELDS;
	return NULL;
}

/* ---- life ---- */

static void release(struct reactor *reactor)
{
	free(reactor->slots);
	free(reactor->input);
	free(reactor->output);
	free(reactor);
}

static void close_descriptors(struct reactor *reactor)
{
	if (reactor->epoll >= 0) close(reactor->epoll);
	if (reactor->spare >= 0) close(reactor->spare);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct reactor *reactor = handle->data;
	napi_async_cleanup_hook_handle cleanup = reactor->cleanup;
	close_descriptors(reactor);
	release(reactor);
	if (cleanup != NULL) napi_remove_async_cleanup_hook(cleanup);
}

static void drop_reference(napi_env env, napi_ref reference)
{
	if (reference != NULL) napi_delete_reference(env, reference);
}

/* The thread ends (invariant 8). */
static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data)
{
	struct reactor *reactor = data;
	(void)handle;
	for (uint32_t index = 0; index < reactor->slot_count; index++) {
		if (reactor->slots[index].use == LISTENER) unlink(reactor->slots[index].path);
		if (reactor->slots[index].use != FREE) free_slot(reactor, index);
	}
	adjust_polling(reactor);
	if (reactor->context != NULL) napi_async_destroy(reactor->env, reactor->context);
	drop_reference(reactor->env, reactor->records_reference);
	drop_reference(reactor->env, reactor->sends_reference);
	drop_reference(reactor->env, reactor->callback);
	drop_reference(reactor->env, reactor->receiver);
	uv_close((uv_handle_t *)&reactor->poll, on_poll_closed);
}

/* Opens what a reactor needs; false, with errno set, when that fails. */
static bool open_reactor(struct reactor *reactor, uv_loop_t *loop)
{
	reactor->input = malloc(BATCH_BYTES);
	reactor->output = malloc(OUTPUT_BYTES);
	if (reactor->input == NULL || reactor->output == NULL) return false;
	reactor->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (reactor->epoll < 0) return false;
	reactor->spare = open_spare();
	int status = uv_poll_init(loop, &reactor->poll, reactor->epoll);
	if (status != 0) errno = -status;
	reactor->poll.data = reactor;
	return status == 0;
}

/* Makes the reactor of this thread. Returns an errno. */
static int initialize(napi_env env)
{
	uv_loop_t *loop;
	struct reactor *reactor = calloc(1, sizeof(*reactor));
	if (reactor == NULL) return ENOMEM;
	reactor->env = env;
	reactor->epoll = reactor->spare = -1;
	reactor->free_slot = NO_SLOT;
	if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_set_instance_data(env, reactor, NULL, NULL) != napi_ok) {
		release(reactor);
		return EINVAL;
	}
	if (!open_reactor(reactor, loop)) {
		int error = errno;
		close_descriptors(reactor);
		release(reactor);
		return error;
	}
	if (napi_add_async_cleanup_hook(env, on_cleanup, reactor, &reactor->cleanup) == napi_ok) return 0;
	uv_close((uv_handle_t *)&reactor->poll, on_poll_closed);
	return ENOMEM;
}

NAPI_MODULE_INIT()
{
	int error = initialize(env);
	if (error != 0) return throw_errno(env, error);
	const struct {
		const char *name;
		napi_callback function;
	} functions[] = {
		{ "start", start }, { "listen", listen_at }, { "send", send_all },  { "pendingBytes", count_pending },
		{ "read", set_reading }, { "finish", finish_slot }, { "close", close_slot },
	};
	for (size_t index = 0; index < sizeof(functions) / sizeof(*functions); index++) {
		napi_value function;
		if (napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].function, NULL,
					 &function) != napi_ok ||
		    napi_set_named_property(env, exports, functions[index].name, function) != napi_ok)
			return NULL;
	}
	if (napi_set_named_property(env, exports, "interface", integer(env, INTERFACE)) != napi_ok) return NULL;
	return exports;
}
