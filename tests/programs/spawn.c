/*
 * What a script costs whoever runs it: spawn PROGRAM TIMES BYTES
 *
 * Runs a program so many times with posix_spawn and waits for it each time, with an environment of so many bytes, and
 * sends as often a line of as many to another process, which answers with a short one. Prints the median of each as JSON,
 * in microseconds.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char ANSWER[] = "{\"seq\":1,\"exit\":0}\n";
static char line[1 << 20];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

/* Variables of usual length, as many as fill so many bytes. */
static char** environment_of(size_t bytes) {
    static char variable[] = "KEA_QUERY4_REMOTE_ADDRESS=192.0.2.1";
    size_t count = bytes / sizeof variable;
    char** environment = calloc(count + 1, sizeof *environment);
    for (size_t i = 0; environment && i < count; i++) {
        environment[i] = variable;
    }
    return environment;
}

static int spawn_and_wait(char* program, char** environment) {
    pid_t pid;
    int status;
    char* argv[] = {program, NULL};
    return posix_spawn(&pid, program, NULL, NULL, argv, environment) || waitpid(pid, &status, 0) != pid || status;
}

/* Reads up to the end of a line; false at the end of all. */
static int read_line(int from) {
    size_t length = 0;
    while (!length || line[length - 1] != '\n') {
        ssize_t n = read(from, line + length, sizeof line - length);
        if (n <= 0) {
            return 0;
        }
        length += (size_t)n;
    }
    return 1;
}

static void answer(int client) {
    while (read_line(client) && write(client, ANSWER, strlen(ANSWER)) > 0) {
    }
    _exit(0);
}

static int round_trip(int server, const char* question, size_t bytes) {
    return write(server, question, bytes) != (ssize_t)bytes || !read_line(server);
}

static int by_size(const void* a, const void* b) {
    double left = *(const double*)a, right = *(const double*)b;
    return (left > right) - (left < right);
}

static double median(double* values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

int main(int argc, char** argv) {
    int ends[2], times = argc == 4 ? atoi(argv[2]) : 0;
    if (times < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        return 2;
    }
    size_t bytes = (size_t)atol(argv[3]);
    char *question = malloc(bytes), **environment = environment_of(bytes);
    double *spawns = calloc((size_t)times, sizeof *spawns), *trips = calloc((size_t)times, sizeof *trips);
    if (!question || !environment || !spawns || !trips || !bytes) {
        return 2;
    }
    memset(question, ' ', bytes);
    question[bytes - 1] = '\n';
    if (!fork()) {
        close(ends[0]);
        answer(ends[1]);
    }
    close(ends[1]);
    for (int i = 0; i < times; i++) {
        double start = now();
        if (spawn_and_wait(argv[1], environment)) {
            return 1;
        }
        double spawned = now();
        if (round_trip(ends[0], question, bytes)) {
            return 1;
        }
        spawns[i] = spawned - start;
        trips[i] = now() - spawned;
    }
    printf("{\"spawn\": %.2f, \"round_trip\": %.2f}\n", median(spawns, times), median(trips, times));
    return 0;
}
