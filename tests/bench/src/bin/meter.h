/* What the programs in C share: how they fail, and the clocks that `src/meter.rs` reads. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static long long nanos(struct timeval time) {
    return 1000000000LL * time.tv_sec + 1000LL * time.tv_usec;
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1000000000LL * time.tv_sec + time.tv_nsec;
}

/* A sample, as `Sample` is printed. */
static void print_sample(long long ops, struct rusage before, struct rusage after, long long wall) {
    printf("%lld %lld %lld %lld\n", ops, nanos(after.ru_utime) - nanos(before.ru_utime),
           nanos(after.ru_stime) - nanos(before.ru_stime), wall);
}
