/*
 * A script that notes when it ran and for what: span HOOK_POINT LOG MICROSECONDS
 *
 * It takes a random time, up to MICROSECONDS. One line a run: start and end (monotonic clock, ns), a hash of the
 * environment by which one event is known in two logs, the hook point, and the variables that say whom and what it
 * is about.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int ends_with(const char* name, size_t length, const char* end) {
    size_t size = strlen(end);
    return length >= size && !memcmp(name + length - size, end, size);
}

static int is_key(const char* name, size_t length) {
    if (strncmp(name, "KEA_QUERY", 9) && !memmem(name, length, "LEASE", 5)) {
        return 0;
    }
    return ends_with(name, length, "E4_ADDRESS") || ends_with(name, length, "E6_ADDRESS") ||
           (memmem(name, length, "_AT", 3) && ends_with(name, length, "_ADDRESS")) ||
           ends_with(name, length, "_CLIENT_ID") || ends_with(name, length, "_HWADDR") ||
           ends_with(name, length, "_DUID");
}

int main(int argc, char** argv) {
    static char line[256 * 1024];
    long long start = now();
    if (argc != 4) {
        return 2;
    }
    unsigned long long hash = 14695981039346656037ULL;
    size_t used = 0;
    for (char** variable = environ; *variable; variable++) {
        if (strncmp(*variable, "KEA_EVENT_", strlen("KEA_EVENT_")) == 0) {
            continue; // each script's own
        }
        for (const char* c = *variable;; c++) {
            hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
            if (!*c) {
                break;
            }
        }
        size_t length = strcspn(*variable, "=");
        if (is_key(*variable, length) && used + strlen(*variable) + 200 < sizeof line) {
            used += (size_t)sprintf(line + 128 + used, " %s", *variable);
        }
    }
    srandom((unsigned)start ^ (unsigned)getpid());
    long most = atol(argv[3]);
    if (most) {
        usleep((useconds_t)(random() % most));
    }
    int log = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    line[128 + used] = '\n';
    char head[128];
    size_t size = (size_t)snprintf(head, sizeof head, "%lld %lld %016llx %s", start, now(), hash, argv[1]);
    char* whole = line + 128 - size;
    memcpy(whole, head, size);
    return log < 0 || write(log, whole, size + used + 1) < 0;
}
