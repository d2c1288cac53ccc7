/*
 * A peer: hiredis' reader and its encoder. In C, so that this workspace needs no `unsafe`; takes and
 * prints the same as the subjects in Rust (`src/codec/job.rs`), and is linked against the library's
 * static form with `--wrap` for the functions that allocate.
 *
 * The reader has a buffer of its own, which chunks are copied into. Bytes in one buffer are fed in
 * chunks too: after each reply it moves what is left to the front, which in one large buffer would
 * be all of it each time.
 */
#include <string.h>

#include <hiredis/hiredis.h>

#include "../meter.h"

#define CHUNK (16 * 1024)
#define BATCH 100
#define REQUESTS (100 * BATCH)

static unsigned long allocations;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    allocations++;
    return __real_realloc(old, size);
}

/* The job. */
static const char *task;
static size_t chunk, values, expected;
static long limit_ms;
static char *input;
static size_t input_len;

/* What a walk touches, added up as it goes: the reader tells of each value, and no object is built. */
static size_t sum;
#define TOUCHED ((void *)1)

static void *touch_string(const redisReadTask *t, char *text, size_t len) {
    (void)t, (void)text;
    sum += len;
    return TOUCHED;
}

static void *touch_array(const redisReadTask *t, size_t elements) {
    sum += t->type == REDIS_REPLY_MAP ? elements / 2 : elements;
    return TOUCHED;
}

static void *touch_integer(const redisReadTask *t, long long value) {
    (void)t;
    sum += (size_t)value;
    return TOUCHED;
}

static void *touch_double(const redisReadTask *t, double value, char *text, size_t len) {
    (void)t, (void)value, (void)text, (void)len;
    sum++;
    return TOUCHED;
}

static void *touch_nil(const redisReadTask *t) {
    (void)t;
    sum++;
    return TOUCHED;
}

static void *touch_bool(const redisReadTask *t, int value) {
    (void)t, (void)value;
    sum++;
    return TOUCHED;
}

static void touch_nothing(void *object) {
    (void)object;
}

static redisReplyObjectFunctions touching = {
    .createString = touch_string,
    .createArray = touch_array,
    .createInteger = touch_integer,
    .createDouble = touch_double,
    .createNil = touch_nil,
    .createBool = touch_bool,
    .freeObject = touch_nothing,
};

/* Feeds the input and has `take` look at each reply; gives what it says, added up. */
static size_t replies(redisReader *reader, size_t (*take)(void *)) {
    size_t total = 0, step = chunk ? chunk : CHUNK;
    for (size_t at = 0; at < input_len; at += step) {
        size_t len = input_len - at < step ? input_len - at : step;
        void *reply = NULL;
        if (redisReaderFeed(reader, input + at, len) != REDIS_OK)
            fail("%s", reader->errstr);
        for (;;) {
            if (redisReaderGetReply(reader, &reply) != REDIS_OK)
                fail("%s", reader->errstr);
            if (reply == NULL)
                break;
            total += take(reply);
        }
    }
    return total;
}

static size_t count_one(void *reply) {
    (void)reply;
    return 1;
}

/* An array of strings that are copies, which is what its objects are. */
static size_t free_objects(void *object) {
    redisReply *reply = object;
    size_t elements = reply->elements;
    freeReplyObject(reply);
    return elements;
}

/* Without functions it builds nothing. */
static size_t frame(void) {
    redisReader *reader = redisReaderCreateWithFunctions(NULL);
    size_t count = replies(reader, count_one);
    redisReaderFree(reader);
    return count;
}

static size_t walk(void) {
    redisReader *reader = redisReaderCreateWithFunctions(&touching);
    sum = 0;
    replies(reader, count_one);
    redisReaderFree(reader);
    return sum;
}

static size_t vecs(void) {
    redisReader *reader = redisReaderCreate();
    size_t count = replies(reader, free_objects);
    redisReaderFree(reader);
    return count;
}

static char out[BATCH * 256];
static size_t out_len;

static void append(int argc, const char **argv, const size_t *lens) {
    char *request;
    long long len = redisFormatCommandArgv(&request, argc, argv, lens);
    if (len < 0)
        fail("no request");
    memcpy(out + out_len, request, (size_t)len);
    out_len += (size_t)len;
    redisFreeCommand(request);
}

static void one_set(void) {
    static const char key[] = "kkkkkkkkkkkkkkkk";
    static const char value[] =
        "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";
    const char *argv[] = {"SET", key, value};
    const size_t lens[] = {3, sizeof key - 1, sizeof value - 1};
    append(3, argv, lens);
}

/* Integers are written as text, and the text is the caller's to make. */
static void one_incrby(void) {
    static volatile long long number = 123456;
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", number);
    const char *argv[] = {"INCRBY", "kkkkkkkkkkkkkkkk", text};
    const size_t lens[] = {6, 16, (size_t)len};
    append(3, argv, lens);
}

static void (*one)(void);

static size_t encode(void) {
    size_t total = 0;
    for (int batch = 0; batch < REQUESTS / BATCH; batch++) {
        out_len = 0;
        for (int i = 0; i < BATCH; i++)
            one();
        total += out_len;
    }
    return total;
}

/* As `Job::measure` does it. */
static void measure(size_t (*pass)(void)) {
    double limit = 1e6 * (double)limit_ms;
    for (long long count = 1;;) {
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        long long began = now();
        for (long long i = 0; i < count; i++) {
            size_t is = pass();
            if (is != expected)
                fail("came to %zu, and not to %zu", is, expected);
        }
        long long wall = now() - began;
        getrusage(RUSAGE_SELF, &after);
        if ((double)wall >= limit / 2) {
            print_sample(count * (long long)values, before, after, wall);
            return;
        }
        double times = limit / (double)(wall > 0 ? wall : 1);
        count = (long long)((double)count * (times < 2 ? 2 : times > 16 ? 16 : times));
    }
}

static void read_input(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail("`%s` can't be read", path);
    input_len = (size_t)ftell(file);
    rewind(file);
    input = malloc(input_len + 1);
    if (input == NULL || fread(input, 1, input_len, file) != input_len)
        fail("`%s` can't be read", path);
    fclose(file);
}

/*
 * Without objects, as `frame` does it. What functions are told of values takes nothing more, so that
 * a walk is free. With objects it would be two for each string.
 */
static void count_allocations(void) {
    unsigned long before = allocations;
    redisReader *reader = redisReaderCreateWithFunctions(NULL);
    size_t count = replies(reader, count_one);
    unsigned long framed = allocations - before;
    redisReaderFree(reader);
    if (count != expected)
        fail("found %zu frames", count);
    printf("%lu 0\n", framed);
}

int main(int argc, char **argv) {
    if (argc < 7)
        fail("usage: SUBJECT TASK CHUNK VALUES SUM MS FILE");
    task = argv[1];
    chunk = strtoul(argv[2], NULL, 10);
    values = strtoul(argv[3], NULL, 10);
    expected = strtoul(argv[4], NULL, 10);
    limit_ms = strtol(argv[5], NULL, 10);
    read_input(argv[6]);
    if (strcmp(task, "frame") == 0) {
        measure(frame);
    } else if (strcmp(task, "walk") == 0) {
        measure(walk);
    } else if (strcmp(task, "vecs") == 0) {
        measure(vecs);
    } else if (strcmp(task, "encode") == 0 || strcmp(task, "encode-integer") == 0) {
        one = strcmp(task, "encode") == 0 ? one_set : one_incrby;
        one();
        if (out_len != input_len || memcmp(out, input, input_len) != 0)
            fail("wrote %.*s", (int)out_len, out);
        measure(encode);
    } else if (strcmp(task, "allocations") == 0) {
        count_allocations();
    } else {
        fail("`%s` is nothing that this subject can do", task);
    }
    return 0;
}
