/*
 * A handler that notes when it began with an event and when it had done: a script, a daemon, or a server on a socket.
 *
 * intervals HOOK_POINT LOG MILLISECONDS
 * intervals LOG MILLISECONDS
 * intervals --listen SOCKET LOG MILLISECONDS
 *
 * MILLISECONDS is how long each event takes; with 0-3000 the client decides, and few take long. Further arguments are
 * ignored. Two lines an event, each in one write: the moment (monotonic clock, ns), "begin" or "end", the process, the moment
 * at which it began to serve, the hook point, and the variables that say which event it is, and whom and what it is about.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static const char* duration;
static int notes;
static long long since;

/* Of the event at hand: " NAME=VALUE" of each variable that is noted, and a hash of who its client is. */
static char about[64 << 10];
static size_t used;
static unsigned client;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int starts(const char* name, const char* with) { return !strncmp(name, with, strlen(with)); }

static int ends(const char* name, const char* with) {
    size_t length = strlen(name), size = strlen(with);
    return length >= size && !strcmp(name + length - size, with);
}

/* Who and what an event is about, as in rig/spans.py. */
static int is_key(const char* name) {
    if (!starts(name, "KEA_QUERY") && !strstr(name, "LEASE")) {
        return 0;
    }
    return ends(name, "E4_ADDRESS") || ends(name, "E6_ADDRESS") || (strstr(name, "_AT") && ends(name, "_ADDRESS")) ||
           ends(name, "_CLIENT_ID") || ends(name, "_HWADDR") || ends(name, "_DUID");
}

static void hear(const char* name, const char* value) {
    if (!strcmp(name, "KEA_QUERY4_HWADDR") || !strcmp(name, "KEA_QUERY6_DUID")) {
        for (const char* c = value; *c; c++) {
            client = (client ^ (unsigned char)*c) * 16777619u;
        }
    }
    if (is_key(name) || starts(name, "KEA_EVENT_") || ends(name, "_TRANSACTION_ID")) {
        size_t size = strlen(name) + strlen(value) + 2;
        if (used + size < sizeof about) {
            used += (size_t)sprintf(about + used, " %s=%s", name, value);
        }
    }
}

static void hear_environment(void) {
    for (char** variable = environ; *variable; variable++) {
        char* value = strchr(*variable, '=');
        if (value) {
            *value = 0;
            hear(*variable, value + 1);
            *value = '=';
        }
    }
}

/* The text between the next two quotation marks, ended there; moves on behind it. What is escaped stays so. */
static char* quoted(char** rest) {
    char* text = strchr(*rest, '"');
    if (!text) {
        return NULL;
    }
    char* end = ++text;
    while (*end && *end != '"') {
        end += *end == '\\' ? 2 : 1;
    }
    *rest = end + 1;
    *end = 0;
    return text;
}

/* All values are texts. */
static void hear_line(char* line) {
    char *rest = strstr(line, "\"vars\":{"), *name, *value;
    if (rest) {
        rest += strlen("\"vars\":{");
        while (*rest != '}' && (name = quoted(&rest)) && (value = quoted(&rest))) {
            hear(name, value);
        }
    }
}

static long milliseconds(void) {
    const char* most = strchr(duration, '-');
    if (!most) {
        return atol(duration);
    }
    double share = client % 1000 / 999.0;
    return (long)(share * share * share * (double)atol(most + 1));
}

static int note(const char* what, const char* hook) {
    static char line[sizeof about + 256];
    // Whoever is killed may leave half a line: the next one begins on a line of its own, and a whole one ends in a full stop.
    int size = snprintf(line, sizeof line, "\n%lld %s %d %lld %s%s .\n", now(), what, getpid(), since, hook, about);
    return write(notes, line, (size_t)size) == size;
}

static void forget(void) {
    used = 0;
    about[0] = 0;
    client = 2166136261u;
}

static int work(const char* hook) {
    if (!note("begin", hook)) {
        return 1;
    }
    long wait = milliseconds();
    if (wait) {
        usleep((useconds_t)(1000 * wait));
    }
    return !note("end", hook);
}

static int answer(char* line, FILE* out) {
    char hook[64] = "-", *name = strstr(line, "\"hook\":\"");
    if (starts(line, "{\"hello\"")) {
        fprintf(out, strcmp(duration, "0") ? "{\"hello\":1}\n" : "{\"hello\":1,\"ahead\":16}\n");
        return fflush(out);
    }
    unsigned long long seq = strtoull(line + strlen("{\"seq\":"), NULL, 10);
    if (name) {
        sscanf(name + strlen("\"hook\":\""), "%63[^\"]", hook);
    }
    forget();
    hear_line(line);
    int failed = work(hook);
    fprintf(out, "{\"seq\":%llu}\n", seq);
    // Whoever has sent the lines may be gone; what has come is done all the same.
    fflush(out);
    return failed;
}

static int serve(int in, int out) {
    char* line = NULL;
    size_t size = 0;
    FILE *lines = fdopen(in, "r"), *answers = fdopen(out, "w");
    since = now();
    while (lines && answers && getline(&line, &size, lines) > 0) {
        if (answer(line, answers)) {
            return 1;
        }
    }
    return 0;
}

/* A process for each connection. */
static int listen_on(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), connection;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (server < 0 || bind(server, (struct sockaddr*)&address, sizeof address) || listen(server, 64)) {
        return 2;
    }
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    while ((connection = accept(server, NULL, NULL)) >= 0) {
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(server);
            _exit(serve(connection, dup(connection)));
        }
        close(connection);
    }
    return 1;
}

int main(int argc, char** argv) {
    int server = argc > 4 && !strcmp(argv[1], "--listen"), script = argc > 3 && !server && argv[1][0] != '/';
    int first = server ? 3 : script ? 2 : 1;
    if (argc < first + 2) {
        return 2;
    }
    since = now();
    duration = argv[first + 1];
    notes = open(argv[first], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    forget();
    if (notes < 0) {
        return 2;
    }
    if (script) {
        hear_environment();
        return work(argv[1]);
    }
    return server ? listen_on(argv[2]) : serve(0, dup(1));
}
