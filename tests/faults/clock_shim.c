/* Shifts the wall clock, and the clock that counts suspension, of one process: LD_PRELOAD with CLOCK_SHIM naming a file
   that holds two numbers of seconds, for CLOCK_REALTIME and for CLOCK_BOOTTIME. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void shifts(double *wall, double *boot) {
    const char *path = getenv("CLOCK_SHIM");
    *wall = *boot = 0;
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%lf %lf", wall, boot) < 1) *wall = 0;
        fclose(file);
    }
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, id, now);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME)) {
        double wall, boot;
        shifts(&wall, &boot);
        now->tv_sec += (time_t)(id == CLOCK_REALTIME ? wall : boot);
    }
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
