/*
 * A peer: hiredis, blocking. In C, so that this workspace needs no `unsafe`; takes and prints the same
 * as the subjects in Rust (`src/job.rs`), and has the same bytes on the wire (`src/wire.rs`).
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "meter.h"

#define KEYS 1000
#define KEY_LEN 16
#define VALUE_LEN 64
#define CHANNEL "channel"
#define WINDOW 4000
#define AHEAD 2
/* Seconds: a subject that has not ended by then has hung. */
#define LIMIT 120

static const char *addr;
static redisContext *context;
static char keys[KEYS][KEY_LEN + 1];
static char value[VALUE_LEN];

static redisReply *next_reply(void) {
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK)
        fail("%s", context->errstr);
    return reply;
}

static void expect_value(const redisReply *reply) {
    if (reply->type != REDIS_REPLY_STRING || reply->len != VALUE_LEN)
        fail("no value: %s", reply->str ? reply->str : "");
}

static void append(int argc, const char **argv, const size_t *lens) {
    if (redisAppendCommandArgv(context, argc, argv, lens) != REDIS_OK)
        fail("%s", context->errstr);
}

static void append_get(const char *key) {
    append(2, (const char *[]){"GET", key}, (const size_t[]){3, KEY_LEN});
}

static void append_set(const char *key) {
    append(3, (const char *[]){"SET", key, value}, (const size_t[]){3, KEY_LEN, VALUE_LEN});
}

static void gets_one_by_one(long long turns) {
    for (long long i = 0; i < turns; i++) {
        append_get(keys[0]);
        redisReply *reply = next_reply();
        expect_value(reply);
        freeReplyObject(reply);
    }
}

static void pipelined_sets(long long turns) {
    for (long long i = 0; i < turns; i++) {
        for (int key = 0; key < KEYS; key++)
            append_set(keys[key]);
        for (int key = 0; key < KEYS; key++) {
            redisReply *reply = next_reply();
            if (reply->type != REDIS_REPLY_STATUS)
                fail("a value was not taken");
            freeReplyObject(reply);
        }
    }
}

static void pipelined_gets(long long turns) {
    for (long long i = 0; i < turns; i++) {
        for (int key = 0; key < KEYS; key++)
            append_get(keys[key]);
        for (int key = 0; key < KEYS; key++) {
            redisReply *reply = next_reply();
            expect_value(reply);
            freeReplyObject(reply);
        }
    }
}

/* As `src/publisher.rs` does it. */
static int asks = -1;
static pid_t publisher;

static void start_publisher(const char *program) {
    char path[4096];
    const char *slash = strrchr(program, '/');
    int folder = slash ? (int)(slash - program) : 1;
    snprintf(path, sizeof path, "%.*s/bench-publisher", folder, slash ? program : ".");
    int ends[2];
    if (pipe(ends) != 0 || (publisher = fork()) < 0)
        fail("the publisher can't be started");
    if (publisher == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        close(STDOUT_FILENO);
        execl(path, path, addr, (char *)NULL);
        fail("`%s` can't be started", path);
    }
    close(ends[0]);
    asks = ends[1];
}

static void subscribe(const char *program) {
    append(2, (const char *[]){"SUBSCRIBE", CHANNEL}, (const size_t[]){9, strlen(CHANNEL)});
    freeReplyObject(next_reply());
    start_publisher(program);
}

static void messages(long long turns) {
    for (long long turn = 1, asked = 0; turn <= turns; turn++) {
        for (; asked < turns && asked < turn + AHEAD - 1; asked++)
            if (write(asks, ".", 1) != 1)
                fail("the publisher has ended");
        for (int i = 0; i < WINDOW; i++) {
            redisReply *reply = next_reply();
            if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
                fail("no message");
            expect_value(reply->element[2]);
            freeReplyObject(reply);
        }
    }
}

static void pin(const char *place) {
    cpu_set_t allowed, only;
    if (strcmp(place, "any") == 0)
        return;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        fail("the processors are not known");
    int found = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && (found < 0 || strcmp(place, "last") == 0))
            found = cpu;
    CPU_ZERO(&only);
    CPU_SET(found, &only);
    if (sched_setaffinity(0, sizeof only, &only) != 0)
        fail("no place on processor %d", found);
}

/* As `Job::measure` does it. */
static void measure(void (*run)(long long), long long unit, const char *kind, long long count) {
    long long turns = 1;
    if (strcmp(kind, "ops") == 0) {
        turns = (count + unit - 1) / unit;
    } else {
        for (;; turns *= 2) {
            long long began = now();
            run(turns);
            long long took = now() - began;
            if (took >= 1000000 * count / 8) {
                double scaled = (double)turns * 1e6 * (double)count / (double)took;
                turns = scaled < 1 ? 1 : (long long)scaled;
                break;
            }
        }
    }
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    long long began = now();
    run(turns);
    long long wall = now() - began;
    getrusage(RUSAGE_SELF, &after);
    print_sample(turns * unit, before, after, wall);
}

static void connect_to(const char *text) {
    char host[256];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon - text >= (long)sizeof host)
        fail("no address: `%s`", text);
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    context = redisConnect(host, atoi(colon + 1));
    if (context == NULL || context->err)
        fail("%s", context ? context->errstr : "no memory");
}

int main(int argc, char **argv) {
    if (argc != 8)
        fail("usage: SUBJECT HOST:PORT WORKLOAD TASKS THREADS any|first|last ms|ops COUNT");
    addr = argv[1];
    const char *workload = argv[2], *kind = argv[6];
    long long count = atoll(argv[7]);
    alarm(LIMIT);
    pin(argv[5]);
    connect_to(addr);
    memset(value, 'v', sizeof value);
    for (int key = 0; key < KEYS; key++)
        snprintf(keys[key], sizeof keys[key], "key:%012d", key);
    if (strcmp(workload, "get") == 0) {
        measure(gets_one_by_one, 1, kind, count);
    } else if (strcmp(workload, "pipeline-set") == 0) {
        measure(pipelined_sets, KEYS, kind, count);
    } else if (strcmp(workload, "pipeline-get") == 0) {
        measure(pipelined_gets, KEYS, kind, count);
    } else if (strcmp(workload, "get-message") == 0 || strcmp(workload, "listen") == 0) {
        subscribe(argv[0]);
        measure(messages, WINDOW, kind, count);
        close(asks);
        waitpid(publisher, NULL, 0);
    } else {
        fail("`%s` is nothing that this subject can do", workload);
    }
    redisFree(context);
    return 0;
}
