/* Shifts the clocks of one process: put before libc by LD_PRELOAD.
 *
 * CHATD_TEST_CLOCK names a file of two 64-bit numbers, in nanoseconds: what is added to the wall clock,
 * and what is added to the monotonic clock. A test changes them while the process runs, which is what
 * somebody who sets the machine's time does to it, and what time does. Timers of the kernel go on as they
 * were.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct shift {
    _Atomic int64_t wall_ns;
    _Atomic int64_t monotonic_ns;
};

static struct shift none;
static struct shift *shift = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHATD_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        _exit(97);
    }
    void *mapped = mmap(NULL, sizeof(struct shift), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        _exit(98);
    }
    close(file);
    shift = mapped;
}

static void add(struct timespec *time, int64_t ns) {
    int64_t sum = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + ns;
    time->tv_sec = sum / 1000000000;
    time->tv_nsec = sum % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result != 0) {
        return result;
    }
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        add(time, shift->wall_ns);
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        add(time, shift->monotonic_ns);
        break;
    default:
        break;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) {
        *where = now.tv_sec;
    }
    return now.tv_sec;
}
