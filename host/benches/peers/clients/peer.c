/* What a C program does with librabbitmq: counts the logs of a queue, or publishes logs with confirms.
 *
 * cc -O2 -Wall -Wextra peer.c -o peer -lrabbitmq
 * peer consume --broker URL --queue NAME --logs N
 * peer publish --broker URL --exchange NAME --logs N [--window N]
 *
 * Prints a line of JSON with what it took. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

enum { CHANNEL = 1, PREFETCH = 1000, EVERY = 200, WINDOW = 2048 };

static const char SOURCE[] = "web";
static const char BODY[] =
    "GET /api/v1/orders/1048576?expand=items,customer HTTP/1.1 200 5120 bytes in 23 ms, client 192.0.2.17, "
    "session 7f3a9c50e1";
_Static_assert(sizeof BODY == 120 + 1, "all peers carry the same log");

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void check_status(int status, const char *what)
{
    if (status < 0)
        fail("%s: %s", what, amqp_error_string2(status));
}

static void check_reply(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        fail("%s: %s", what, amqp_error_string2(reply.library_error));
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        fail("%s: the broker refused", what);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static double wall_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static amqp_connection_state_t open_connection(const char *url)
{
    char *parts = strdup(url);
    struct amqp_connection_info info;
    check_status(amqp_parse_url(parts, &info), "the URL of the broker");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket)
        fail("no socket");
    check_status(amqp_socket_open(socket, info.host, info.port), "cannot connect to the broker");
    check_reply(amqp_login(connection, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password),
                "cannot log in");
    amqp_channel_open(connection, CHANNEL);
    check_reply(amqp_get_rpc_reply(connection), "cannot open a channel");
    free(parts);
    return connection;
}

static void consume(amqp_connection_state_t connection, const char *queue, uint64_t logs)
{
    amqp_basic_qos(connection, CHANNEL, 0, PREFETCH, 0);
    check_reply(amqp_get_rpc_reply(connection), "cannot set the prefetch");
    amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(connection), "cannot consume");
    for (uint64_t counted = 1; counted <= logs; counted++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        check_reply(amqp_consume_message(connection, &envelope, NULL, 0), "cannot consume");
        if (counted % EVERY == 0 || counted == logs)
            check_status(amqp_basic_ack(connection, CHANNEL, envelope.delivery_tag, 1), "cannot acknowledge");
        amqp_destroy_envelope(&envelope);
    }
}

/* Which of the logs that are in flight are confirmed: RabbitMQ confirms in any order. */
struct window {
    uint64_t size;
    uint64_t sent;
    /* All up to this one are, and of those after it the ones noted in `beyond`, a ring. */
    uint64_t confirmed;
    bool *beyond;
};

static void confirm(struct window *window, const amqp_basic_ack_t *ack)
{
    if (ack->multiple) {
        for (; window->confirmed < ack->delivery_tag; window->confirmed++)
            window->beyond[(window->confirmed + 1) % window->size] = false;
    } else {
        window->beyond[ack->delivery_tag % window->size] = true;
    }
    while (window->confirmed < window->sent && window->beyond[(window->confirmed + 1) % window->size]) {
        window->confirmed++;
        window->beyond[window->confirmed % window->size] = false;
    }
}

/* Waits until another log may be sent, or until none is in flight, and takes in what is there by then. */
static void await_confirms(amqp_connection_state_t connection, struct window *window, uint64_t in_flight)
{
    while (window->sent - window->confirmed > in_flight || amqp_frames_enqueued(connection) ||
           amqp_data_in_buffer(connection)) {
        amqp_frame_t frame;
        amqp_maybe_release_buffers(connection);
        check_status(amqp_simple_wait_frame(connection, &frame), "no confirms");
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            fail("something else than a confirm");
        confirm(window, frame.payload.method.decoded);
    }
}

static void publish(amqp_connection_state_t connection, const char *exchange, uint64_t logs, struct window *window)
{
    amqp_confirm_select(connection, CHANNEL);
    check_reply(amqp_get_rpc_reply(connection), "cannot ask for confirms");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    /* As long as the names that loghost makes. */
    char producer[33];
    snprintf(producer, sizeof producer, "%016" PRIx64 "%016" PRIx64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, (uint64_t)getpid());
    amqp_bytes_t exchange_bytes = amqp_cstring_bytes(exchange), body = {sizeof BODY - 1, (void *)BODY};
    amqp_table_entry_t header = {.key = amqp_cstring_bytes("timestamp_in_ms"), .value.kind = AMQP_FIELD_KIND_I64};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                  AMQP_BASIC_APP_ID_FLAG,
        .content_type = amqp_cstring_bytes("text/plain"),
        .content_encoding = amqp_cstring_bytes("utf-8"),
        .headers = {1, &header},
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .app_id = amqp_cstring_bytes(SOURCE),
    };
    while (window->sent < logs) {
        if (window->sent - window->confirmed == window->size)
            await_confirms(connection, window, window->size - 1);
        char id[80];
        snprintf(id, sizeof id, "loghost:%s/%" PRIu64, producer, ++window->sent);
        clock_gettime(CLOCK_REALTIME, &now);
        properties.message_id = amqp_cstring_bytes(id);
        properties.timestamp = (uint64_t)now.tv_sec;
        header.value.value.i64 = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
        check_status(amqp_basic_publish(connection, CHANNEL, exchange_bytes, amqp_cstring_bytes(SOURCE), 1, 0,
                                        &properties, body),
                     "cannot publish");
    }
    await_confirms(connection, window, 0);
}

int main(int count, char **arguments)
{
    const char *broker = "amqp://guest:guest@127.0.0.1:5672/%2f", *queue = NULL, *exchange = "logs.info";
    uint64_t logs = 0;
    struct window window = {.size = WINDOW};
    static const struct option options[] = {
        {"broker", required_argument, NULL, 'b'}, {"queue", required_argument, NULL, 'q'},
        {"exchange", required_argument, NULL, 'e'}, {"logs", required_argument, NULL, 'n'},
        {"window", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (option) {
        case 'b': broker = optarg; break;
        case 'q': queue = optarg; break;
        case 'e': exchange = optarg; break;
        case 'n': logs = strtoull(optarg, NULL, 10); break;
        case 'w': window.size = strtoull(optarg, NULL, 10); break;
        default: return 2;
        }
    }
    const char *command = optind < count ? arguments[optind] : "";
    bool consumes = !strcmp(command, "consume");
    if ((!consumes && strcmp(command, "publish")) || (consumes && !queue) || !logs || !window.size)
        fail("usage: peer consume --queue NAME --logs N | peer publish --logs N; with --broker URL");
    window.beyond = calloc(window.size, sizeof *window.beyond);
    if (!window.beyond)
        fail("no memory");

    amqp_connection_state_t connection = open_connection(broker);
    double wall = wall_now(), cpu = cpu_now();
    if (consumes)
        consume(connection, queue, logs);
    else
        publish(connection, exchange, logs, &window);
    printf("{\"peer\": \"librabbitmq\", \"logs\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", logs,
           wall_now() - wall, cpu_now() - cpu);
    check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "cannot close the connection");
    amqp_destroy_connection(connection);
    free(window.beyond);
    return 0;
}
