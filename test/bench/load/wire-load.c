/*
 * wire-load: what benchmarks ask of an xenstored beside plain requests. Any xenstored, through its privileged socket.
 *
 *   wire-load reader    SOCKET IDLE WARMUP SECONDS
 *   wire-load fan-out   SOCKET CONNECTIONS WATCHES DEPTH WARMUP SECONDS
 *   wire-load broadcast SOCKET CONNECTIONS WARMUP SECONDS
 *   wire-load play      SOCKET SCRIPT SECONDS_MAX
 *
 * reader     one connection reads one node, a request at a time, beside IDLE connections that have nothing to say
 * fan-out    each of the connections watches WATCHES nodes of its own; one writer changes all nodes in turn. At most DEPTH
 *            changes are under way: each until its reply has come and its watcher has read the event
 * broadcast  all connections watch one node; one write after the other, each when all have the event of the one before
 * play       requests out of a file, for many machines at once (see "Scripts")
 *
 * Owns the connections and the clock. It is one thread that sleeps in epoll_wait, so what it measures is the daemon's
 * answer and not a wait of its own. Prints one line of NAME=NUMBER on standard output; what goes wrong is told on standard
 * error, with exit code 1. Times of single requests are in microseconds, up to the moment in which the answer was read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Numbers of xs_wire.h. */
enum operation {
    OPERATION_READ = 2,
    OPERATION_WATCH = 4,
    OPERATION_TRANSACTION_START = 6,
    OPERATION_TRANSACTION_END = 7,
    OPERATION_WRITE = 11,
    OPERATION_WATCH_EVENT = 15,
    OPERATION_ERROR = 16,
};

#define PAYLOAD_MAX 4096
#define EVENTS_AT_ONCE 256
/* A daemon that says nothing for so long has hung. */
#define SILENCE_MILLISECONDS_MAX 60000

struct header {
    uint32_t operation;
    uint32_t request_id;
    uint32_t transaction_id;
    uint32_t length;
};

/* A buffer that grows at its end and is read from its beginning. */
struct buffer {
    char *bytes;
    size_t begin, end, capacity;
};

struct connection {
    int fd;
    size_t index;
    bool waits_to_write;
    struct buffer input, output;
};

/* A message that has arrived; the payload ends with a zero that is not part of it. */
struct message {
    struct header header;
    const char *payload;
};

/* What is told of each message. */
typedef void (*receiver)(struct connection *connection, const struct message *message);

static const char *socket_path;
static int poller;
static receiver receive;
/* Whose messages are being handed on: its requests leave together, when all have been looked at. */
static struct connection *reading;

/* ---- Ends, time and samples ---- */

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("wire-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *must_allocate(void *before, size_t bytes)
{
    void *after = realloc(before, bytes);
    if (after == NULL) fail("no memory for %zu bytes", bytes);
    return after;
}

static uint64_t now_nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Processor time of this program, in seconds. */
static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* What was measured between the end of the warm-up and the end of the run. */
static struct {
    uint64_t begin, end;
    /* What this program had used when the warm-up began. */
    double processor_seconds;
    double *microseconds;
    size_t count, capacity;
    /* For those who count something else too. */
    uint64_t events;
} window;

static void open_window(double warmup_seconds, double seconds)
{
    window.begin = now_nanoseconds() + (uint64_t)(warmup_seconds * 1e9);
    window.end = window.begin + (uint64_t)(seconds * 1e9);
    window.processor_seconds = processor_seconds();
}

static bool is_in_window(uint64_t time)
{
    return time >= window.begin && time < window.end;
}

static void note_sample(uint64_t sent, uint64_t answered)
{
    if (!is_in_window(answered)) return;
    if (window.count == window.capacity) {
        window.capacity = window.capacity == 0 ? 65536 : window.capacity * 2;
        window.microseconds = must_allocate(window.microseconds, window.capacity * sizeof *window.microseconds);
    }
    window.microseconds[window.count++] = (double)(answered - sent) / 1000;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The window's samples as a line, with the events where there were any. */
static void print_window(const char *name)
{
    double seconds = (double)(window.end - window.begin) / 1e9;
    if (window.count == 0) fail("nothing was answered within %.1f seconds", seconds);
    qsort(window.microseconds, window.count, sizeof *window.microseconds, compare_doubles);
    printf("op=%s ops=%zu ops_s=%.1f errors=0 p50_us=%.1f p99_us=%.1f", name, window.count,
           (double)window.count / seconds, window.microseconds[(window.count - 1) / 2],
           window.microseconds[(size_t)((double)(window.count - 1) * 0.99)]);
    if (window.events > 0) printf(" events_s=%.1f", (double)window.events / seconds);
    printf(" client_cpu_s=%.2f\n", processor_seconds() - window.processor_seconds);
}

/* ---- Connections ---- */

/* Makes room for more bytes at the end. */
static void reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->begin == buffer->end) buffer->begin = buffer->end = 0;
    if (buffer->end + bytes <= buffer->capacity) return;
    if (buffer->begin > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    if (buffer->end + bytes <= buffer->capacity) return;
    buffer->capacity = (buffer->end + bytes) * 2;
    buffer->bytes = must_allocate(buffer->bytes, buffer->capacity);
}

static void append(struct buffer *buffer, const void *bytes, size_t length)
{
    reserve(buffer, length);
    memcpy(buffer->bytes + buffer->end, bytes, length);
    buffer->end += length;
}

static void open_connection(struct connection *connection, size_t index)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path) fail("the path of the socket is too long: %s", socket_path);
    strcpy(address.sun_path, socket_path);
    memset(connection, 0, sizeof *connection);
    connection->index = index;
    connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The connecting blocks: a daemon whose queue is full is waited for. */
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connection %zu to %s: %s", index + 1, socket_path, strerror(errno));
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &interest) != 0) fail("epoll: %s", strerror(errno));
}

static void close_connection(struct connection *connection)
{
    close(connection->fd);
    free(connection->input.bytes);
    free(connection->output.bytes);
    memset(connection, 0, sizeof *connection);
    connection->fd = -1;
}

static struct connection *open_connections(size_t count)
{
    struct connection *connections = must_allocate(NULL, (count + 1) * sizeof *connections);
    for (size_t index = 0; index < count; index++) open_connection(&connections[index], index);
    return connections;
}

/* Writes what waits, as far as the socket takes it. */
static void flush(struct connection *connection)
{
    struct buffer *output = &connection->output;
    while (output->begin < output->end) {
        ssize_t written = write(connection->fd, output->bytes + output->begin, output->end - output->begin);
        if (written >= 0) output->begin += (size_t)written;
        else if (errno == EAGAIN) break;
        else if (errno != EINTR) fail("connection %zu: %s", connection->index + 1, strerror(errno));
    }
    bool waits = output->begin < output->end;
    if (waits == connection->waits_to_write) return;
    struct epoll_event interest = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &interest);
    connection->waits_to_write = waits;
}

/* Puts a request behind those that wait. It leaves with the next flush. */
static void queue_request(struct connection *connection, struct header header, const void *payload)
{
    append(&connection->output, &header, sizeof header);
    append(&connection->output, payload, header.length);
}

/* Path and value, or path and token with its zero: whatever stands behind the first zero. */
static void queue_pair(struct connection *connection, uint32_t operation, uint32_t request_id, const char *path,
                       const char *rest, size_t rest_length)
{
    char payload[PAYLOAD_MAX];
    size_t path_length = strlen(path) + 1;
    memcpy(payload, path, path_length);
    memcpy(payload + path_length, rest, rest_length);
    struct header header = {operation, request_id, 0, (uint32_t)(path_length + rest_length)};
    queue_request(connection, header, payload);
}

static bool is_error(const struct message *message, const char *name)
{
    return message->header.operation == OPERATION_ERROR && strcmp(message->payload, name) == 0;
}

/* Hands on the messages that are complete. */
static void take_messages(struct connection *connection)
{
    struct buffer *input = &connection->input;
    char payload[PAYLOAD_MAX + 1];
    while (connection->fd >= 0 && input->end - input->begin >= sizeof(struct header)) {
        struct message message;
        memcpy(&message.header, input->bytes + input->begin, sizeof message.header);
        uint32_t length = message.header.length;
        if (length > PAYLOAD_MAX) fail("a message of %u bytes", length);
        if (input->end - input->begin < sizeof message.header + length) return;
        memcpy(payload, input->bytes + input->begin + sizeof message.header, length);
        payload[length] = '\0';
        message.payload = payload;
        input->begin += sizeof message.header + length;
        receive(connection, &message);
    }
}

static void read_some(struct connection *connection)
{
    struct buffer *input = &connection->input;
    reserve(input, 16 * 1024);
    ssize_t bytes = read(connection->fd, input->bytes + input->end, input->capacity - input->end);
    if (bytes == 0) fail("the daemon closed connection %zu", connection->index + 1);
    if (bytes < 0 && errno != EAGAIN && errno != EINTR)
        fail("connection %zu: %s", connection->index + 1, strerror(errno));
    if (bytes <= 0) return;
    input->end += (size_t)bytes;
    take_messages(connection);
}

/* Lets a connection's requests leave, unless that is about to happen. */
static void flush_soon(struct connection *connection)
{
    if (connection != reading) flush(connection);
}

/* Waits until something can be read or written, and does that. Returns after `milliseconds_max` at the latest. */
static void pump(int milliseconds_max)
{
    static uint64_t last_activity;
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(poller, events, EVENTS_AT_ONCE, milliseconds_max);
    if (count < 0 && errno != EINTR) fail("epoll: %s", strerror(errno));
    uint64_t now = now_nanoseconds();
    if (count > 0 || last_activity == 0) last_activity = now;
    if (now - last_activity > (uint64_t)SILENCE_MILLISECONDS_MAX * 1000000u)
        fail("the daemon has answered nothing for %d seconds", SILENCE_MILLISECONDS_MAX / 1000);
    for (int index = 0; index < count; index++) {
        struct connection *connection = events[index].data.ptr;
        if (connection->fd < 0) continue;
        if (events[index].events & EPOLLOUT) flush(connection);
        reading = connection;
        if (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_some(connection);
        reading = NULL;
        if (connection->fd >= 0) flush(connection);
    }
}

/* ---- What is asked before the clock runs ---- */

static size_t awaited_replies, awaited_events;

static void expect_success(struct connection *connection, const struct message *message)
{
    (void)connection;
    if (message->header.operation == OPERATION_ERROR) fail("a request was answered %s", message->payload);
    if (message->header.operation == OPERATION_WATCH_EVENT) awaited_events--;
    else awaited_replies--;
}

/* Sends what the connections have, and waits for so many replies, all of which must be successes, and so many events. */
static void settle(struct connection *connections, size_t count, size_t replies, size_t events)
{
    receive = expect_success;
    awaited_replies = replies;
    awaited_events = events;
    for (size_t index = 0; index < count; index++) flush(&connections[index]);
    while (awaited_replies > 0 || awaited_events > 0) pump(1000);
}

static void write_node(struct connection *connection, const char *path)
{
    queue_pair(connection, OPERATION_WRITE, 0, path, "value", 5);
    settle(connection, 1, 1, 0);
}

static void run_window(void)
{
    while (now_nanoseconds() < window.end) pump(100);
}

/* ---- reader ---- */

static struct {
    struct connection connection;
    uint64_t sent;
} reader;

static const char reader_path[] = "/bench/reader";

static void ask_again(void)
{
    struct header header = {OPERATION_READ, 0, 0, sizeof reader_path};
    queue_request(&reader.connection, header, reader_path);
    reader.sent = now_nanoseconds();
}

static void receive_value(struct connection *connection, const struct message *message)
{
    if (connection != &reader.connection) fail("an idle connection was told something");
    if (message->header.operation == OPERATION_ERROR) fail("READ was answered %s", message->payload);
    note_sample(reader.sent, now_nanoseconds());
    ask_again();
}

static void run_reader(size_t idle, double warmup_seconds, double seconds)
{
    open_connection(&reader.connection, 0);
    write_node(&reader.connection, reader_path);
    struct connection *connections = open_connections(idle);
    struct header header = {OPERATION_READ, 0, 0, sizeof reader_path};
    /* What has been answered once has been accepted by the daemon, and not only by the kernel. */
    for (size_t index = 0; index < idle; index++) queue_request(&connections[index], header, reader_path);
    settle(connections, idle, idle, 0);
    receive = receive_value;
    open_window(warmup_seconds, seconds);
    ask_again();
    flush(&reader.connection);
    run_window();
    print_window("reader");
}

/* ---- fan-out and broadcast ---- */

#define NODES_AT_ONCE 64

/* A change that is under way. */
struct change {
    size_t node;
    uint64_t sent;
    bool is_answered, is_noticed;
};

static struct {
    struct connection writer;
    size_t connections, watches;
    struct change *changes;
    /* By node: the change that is under way there. */
    struct change **change_at;
    size_t next_node;
} fan_out;

static void name_node(char *path, size_t node)
{
    /* Neighbours in this order are watched by different connections. */
    sprintf(path, "/bench/watched/%zu/%zu", node % fan_out.connections, node / fan_out.connections);
}

static void begin_change(struct change *change)
{
    char path[64];
    size_t nodes = fan_out.connections * fan_out.watches;
    *change = (struct change){.node = fan_out.next_node++ % nodes};
    fan_out.change_at[change->node] = change;
    name_node(path, change->node);
    queue_pair(&fan_out.writer, OPERATION_WRITE, (uint32_t)(change - fan_out.changes), path, "value", 5);
    change->sent = now_nanoseconds();
}

static void receive_change(struct connection *connection, const struct message *message)
{
    struct change *change;
    if (message->header.operation == OPERATION_ERROR) fail("WRITE was answered %s", message->payload);
    if (message->header.operation == OPERATION_WATCH_EVENT) {
        /* The token, which is the node's number, stands behind the path. */
        size_t node = strtoul(message->payload + strlen(message->payload) + 1, NULL, 10);
        if (node % fan_out.connections != connection->index) fail("an event on another connection's watch");
        change = fan_out.change_at[node];
        if (change == NULL) fail("an event of a node that nobody changes");
        uint64_t now = now_nanoseconds();
        note_sample(change->sent, now);
        if (is_in_window(now)) window.events++;
        change->is_noticed = true;
    } else {
        change = &fan_out.changes[message->header.request_id];
        change->is_answered = true;
    }
    if (!change->is_answered || !change->is_noticed) return;
    fan_out.change_at[change->node] = NULL;
    begin_change(change);
    flush_soon(&fan_out.writer);
}

static void run_fan_out(size_t connections, size_t watches, size_t depth, double warmup_seconds, double seconds)
{
    size_t nodes = connections * watches;
    if (depth > nodes) fail("%zu changes under way need as many nodes", depth);
    fan_out.connections = connections;
    fan_out.watches = watches;
    fan_out.change_at = calloc(nodes, sizeof *fan_out.change_at);
    fan_out.changes = calloc(depth, sizeof *fan_out.changes);
    open_connection(&fan_out.writer, connections);
    char path[64], token[32];
    for (size_t node = 0; node < nodes; node++) {
        name_node(path, node);
        queue_pair(&fan_out.writer, OPERATION_WRITE, 0, path, "value", 5);
        bool is_enough = node % NODES_AT_ONCE == NODES_AT_ONCE - 1 || node == nodes - 1;
        if (is_enough) settle(&fan_out.writer, 1, node % NODES_AT_ONCE + 1, 0);
    }
    struct connection *watchers = open_connections(connections);
    for (size_t node = 0; node < nodes; node++) {
        name_node(path, node);
        size_t length = (size_t)sprintf(token, "%zu", node) + 1;
        queue_pair(&watchers[node % connections], OPERATION_WATCH, 0, path, token, length);
    }
    /* Each watch begins with an event. */
    settle(watchers, connections, nodes, nodes);
    receive = receive_change;
    open_window(warmup_seconds, seconds);
    for (size_t index = 0; index < depth; index++) begin_change(&fan_out.changes[index]);
    flush(&fan_out.writer);
    run_window();
    print_window("fan-out");
}

static struct {
    struct connection writer;
    size_t connections, unnoticed;
    bool is_answered;
    uint64_t sent;
} broadcast;

static const char broadcast_path[] = "/bench/watched-by-all";

static void tell_all(void)
{
    broadcast.unnoticed = broadcast.connections;
    broadcast.is_answered = false;
    queue_pair(&broadcast.writer, OPERATION_WRITE, 0, broadcast_path, "value", 5);
    broadcast.sent = now_nanoseconds();
}

static void receive_broadcast(struct connection *connection, const struct message *message)
{
    (void)connection;
    if (message->header.operation == OPERATION_ERROR) fail("WRITE was answered %s", message->payload);
    if (message->header.operation == OPERATION_WATCH_EVENT) {
        if (broadcast.unnoticed-- == 0) fail("more events than watches");
        uint64_t now = now_nanoseconds();
        if (is_in_window(now)) window.events++;
        if (broadcast.unnoticed == 0) note_sample(broadcast.sent, now);
    } else {
        broadcast.is_answered = true;
    }
    if (broadcast.unnoticed > 0 || !broadcast.is_answered) return;
    tell_all();
    flush_soon(&broadcast.writer);
}

static void run_broadcast(size_t connections, double warmup_seconds, double seconds)
{
    broadcast.connections = connections;
    open_connection(&broadcast.writer, connections);
    write_node(&broadcast.writer, broadcast_path);
    struct connection *watchers = open_connections(connections);
    for (size_t index = 0; index < connections; index++)
        queue_pair(&watchers[index], OPERATION_WATCH, 0, broadcast_path, "t", 2);
    settle(watchers, connections, connections, connections);
    receive = receive_broadcast;
    open_window(warmup_seconds, seconds);
    tell_all();
    flush(&broadcast.writer);
    run_window();
    print_window("broadcast");
}

/* ---- play ---- */

/*
 * Scripts. A script is a text of lines; words are separated by one space:
 *
 *   machine                                      a new machine begins
 *   ask CONNECTION OPERATION ANSWER PAYLOAD      a request outside of transactions
 *   start CONNECTION                             a transaction, which the next `end` ends
 *   inside CONNECTION OPERATION ANSWER PAYLOAD   a request in it
 *   end CONNECTION ANSWER PAYLOAD                its end; after EAGAIN it begins anew, at once and as often as that takes
 *   close CONNECTION                             closes a connection
 *
 * CONNECTION is a number from 0; a connection is opened when it is used first. OPERATION is the number of xs_wire.h, ANSWER
 * `ok`, the name of an error, or `any`, PAYLOAD has `%XX` for bytes outside of 0x21 to 0x7e and for `%`, and may be empty.
 *
 * The first machine is played alone, before the clock runs: it makes what the others find, and may find there what an
 * earlier run has made, so its answers are not looked at. Then the others run at once, each with one request under way,
 * however many connections it has. Watch events are read and counted, and nobody waits for them.
 */
enum step_kind { STEP_ASK, STEP_START, STEP_INSIDE, STEP_END, STEP_CLOSE };

struct step {
    enum step_kind kind;
    size_t connection;
    uint32_t operation;
    const char *answer;
    char *payload;
    uint32_t length;
};

struct machine {
    /* Steps from `first` up to, but not including, `end`; `at` is under way. */
    size_t first, end, at;
    /* The START of the transaction that is open. */
    size_t start;
    uint32_t transaction_id;
};

static struct {
    struct step *steps;
    size_t step_count;
    struct machine *machines;
    size_t machine_count;
    /* Of fixed place: epoll knows their addresses. */
    struct connection *connections;
    size_t connection_count;
    size_t running, done;
    bool has_begun;
    uint64_t requests, transactions, conflicts, events, surprises;
} play;

static const char success[] = "ok";
static const char any_answer[] = "any";
#define SURPRISES_TOLD_MAX 5

static int hexadecimal(char digit)
{
    const char *const digits = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    if (found == NULL) fail("the script has %%%c where two digits are due", digit);
    return (int)(found - digits);
}

/* In its place; the bytes that it comes to. */
static uint32_t unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '%') {
            *to++ = (char)(hexadecimal(from[1]) << 4 | hexadecimal(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    return (uint32_t)(to - text);
}

static char *next_word(char **rest, size_t line)
{
    char *word = strsep(rest, " ");
    if (word == NULL) fail("line %zu of the script lacks a word", line);
    return word;
}

static struct step parse_step(char *text, size_t line)
{
    static const char *const names[] = {"ask", "start", "inside", "end", "close"};
    struct step step = {.answer = success};
    char *rest = text;
    const char *name = next_word(&rest, line);
    size_t kind = 0;
    while (kind < sizeof names / sizeof *names && strcmp(names[kind], name) != 0) kind++;
    if (kind == sizeof names / sizeof *names) fail("line %zu of the script begins with %s", line, name);
    step.kind = (enum step_kind)kind;
    step.connection = strtoul(next_word(&rest, line), NULL, 10);
    step.operation = OPERATION_TRANSACTION_START;
    step.length = 1;
    step.payload = "";
    if (step.kind == STEP_START || step.kind == STEP_CLOSE) return step;
    step.operation = OPERATION_TRANSACTION_END;
    if (step.kind != STEP_END) step.operation = (uint32_t)strtoul(next_word(&rest, line), NULL, 10);
    step.answer = next_word(&rest, line);
    step.payload = next_word(&rest, line);
    step.length = unescape(step.payload);
    return step;
}

/* The text of a file, which stays: steps point into it. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) fail("%s: %s", path, strerror(errno));
    struct buffer text = {0};
    size_t bytes;
    do {
        reserve(&text, 65536);
        bytes = fread(text.bytes + text.end, 1, 65535, file);
        text.end += bytes;
    } while (bytes > 0);
    fclose(file);
    text.bytes[text.end] = '\0';
    return text.bytes;
}

static void load_script(const char *path)
{
    char *rest = read_file(path);
    size_t step_capacity = 0, machine_capacity = 0, line = 0;
    for (char *text = strsep(&rest, "\n"); text != NULL; text = strsep(&rest, "\n")) {
        line++;
        if (*text == '\0') continue;
        if (strcmp(text, "machine") == 0) {
            if (play.machine_count == machine_capacity) {
                machine_capacity = machine_capacity * 2 + 16;
                play.machines = must_allocate(play.machines, machine_capacity * sizeof *play.machines);
            }
            struct machine machine = {.first = play.step_count, .at = play.step_count, .end = play.step_count};
            play.machines[play.machine_count++] = machine;
            continue;
        }
        if (play.machine_count == 0) fail("the script does not begin with a machine");
        if (play.step_count == step_capacity) {
            step_capacity = step_capacity * 2 + 1024;
            play.steps = must_allocate(play.steps, step_capacity * sizeof *play.steps);
        }
        struct step step = parse_step(text, line);
        if (step.connection >= play.connection_count) play.connection_count = step.connection + 1;
        play.steps[play.step_count++] = step;
        play.machines[play.machine_count - 1].end = play.step_count;
    }
    play.connections = must_allocate(NULL, (play.connection_count + 1) * sizeof *play.connections);
    for (size_t index = 0; index < play.connection_count; index++)
        play.connections[index] = (struct connection){.fd = -1, .index = index};
}

/* Sends the machine's step, and closes what is to be closed before it. */
static void advance(struct machine *machine)
{
    while (machine->at < machine->end) {
        struct step *step = &play.steps[machine->at];
        struct connection *connection = &play.connections[step->connection];
        if (step->kind == STEP_CLOSE) {
            if (connection->fd >= 0) close_connection(connection);
            machine->at++;
            continue;
        }
        if (connection->fd < 0) open_connection(connection, step->connection);
        if (step->kind == STEP_START) machine->start = machine->at;
        bool is_inside = step->kind == STEP_INSIDE || step->kind == STEP_END;
        struct header header = {step->operation, (uint32_t)(machine - play.machines),
                                is_inside ? machine->transaction_id : 0, step->length};
        queue_request(connection, header, step->payload);
        flush_soon(connection);
        play.requests++;
        return;
    }
    play.running--;
    play.done++;
}

static void tell_surprise(const struct step *step, const struct message *message)
{
    if (!play.has_begun || play.surprises++ >= SURPRISES_TOLD_MAX) return;
    fprintf(stderr, "wire-load: request %u of %s was answered %s, and %s where it was recorded\n", step->operation,
            step->payload, message->header.operation == OPERATION_ERROR ? message->payload : success, step->answer);
}

static void receive_step(struct connection *connection, const struct message *message)
{
    if (message->header.operation == OPERATION_WATCH_EVENT) {
        play.events++;
        return;
    }
    if (message->header.request_id >= play.machine_count) fail("a reply to a request that was not sent");
    struct machine *machine = &play.machines[message->header.request_id];
    if (machine->at >= machine->end) fail("a reply to a machine that has ended");
    struct step *step = &play.steps[machine->at];
    if (&play.connections[step->connection] != connection) fail("a reply on another connection");
    bool is_refusal = message->header.operation == OPERATION_ERROR;
    if (step->kind == STEP_END && is_error(message, "EAGAIN")) {
        play.conflicts++;
        machine->at = machine->start;
        advance(machine);
        return;
    }
    if (strcmp(step->answer, any_answer) != 0 && strcmp(is_refusal ? message->payload : success, step->answer) != 0)
        tell_surprise(step, message);
    if (step->kind == STEP_START) {
        if (is_refusal) fail("TRANSACTION_START was answered %s", message->payload);
        machine->transaction_id = (uint32_t)strtoul(message->payload, NULL, 10);
    }
    if (step->kind == STEP_END) play.transactions++;
    machine->at++;
    advance(machine);
}

/* Plays machines until they have ended, or until the time. */
static void play_machines(size_t first, size_t end, uint64_t time_max)
{
    play.running = end - first;
    play.done = 0;
    for (size_t index = first; index < end; index++) advance(&play.machines[index]);
    while (play.running > 0 && now_nanoseconds() < time_max) pump(100);
}

static void run_play(const char *script, double seconds_max)
{
    load_script(script);
    if (play.machine_count < 2) fail("%s has no machines", script);
    receive = receive_step;
    play_machines(0, 1, UINT64_MAX);
    play.has_begun = true;
    play.requests = play.transactions = play.conflicts = play.events = 0;
    double processor_before = processor_seconds();
    uint64_t start = now_nanoseconds();
    play_machines(1, play.machine_count, start + (uint64_t)(seconds_max * 1e9));
    double seconds = (double)(now_nanoseconds() - start) / 1e9;
    printf("op=play machines=%zu done=%zu seconds=%.4f requests=%lu transactions=%lu eagain=%lu events=%lu "
           "unexpected=%lu client_cpu_s=%.3f\n",
           play.machine_count - 1, play.done, seconds, (unsigned long)play.requests, (unsigned long)play.transactions,
           (unsigned long)play.conflicts, (unsigned long)play.events, (unsigned long)play.surprises,
           processor_seconds() - processor_before);
}

/* ---- The command line ---- */

static double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(value >= 0)) fail("%s is not a number", text);
    return value;
}

static size_t count(const char *text)
{
    return (size_t)number(text);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argument_count, char **arguments)
{
    const char *mode = argument_count > 2 ? arguments[1] : "";
    char **rest = arguments + 3;
    int given = argument_count - 3;
    socket_path = argument_count > 2 ? arguments[2] : "";
    raise_file_limit();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (strcmp(mode, "reader") == 0 && given == 3) {
        run_reader(count(rest[0]), number(rest[1]), number(rest[2]));
    } else if (strcmp(mode, "fan-out") == 0 && given == 5) {
        run_fan_out(count(rest[0]), count(rest[1]), count(rest[2]), number(rest[3]), number(rest[4]));
    } else if (strcmp(mode, "broadcast") == 0 && given == 3) {
        run_broadcast(count(rest[0]), number(rest[1]), number(rest[2]));
    } else if (strcmp(mode, "play") == 0 && given == 2) {
        run_play(rest[0], number(rest[1]));
    } else {
        fputs("usage: see the head of wire-load.c\n", stderr);
        return 2;
    }
    return 0;
}
