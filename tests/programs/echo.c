/*
 * The quickest handler: answers each line with its number.
 *
 * echo [one-by-one | keep | reserve | TEXT MILLISECONDS]: reads lines on standard input, answers {"hello":1,"ahead":32} to the
 * first and {"seq":N} to each other one, all that have come at once; to a line that holds TEXT, only after so many milliseconds.
 * With one-by-one there is no "ahead" in its hello, nor with keep, whose answers hold for an hour. With reserve, each answer
 * reserves an address that is made of the last five bytes of the client's hardware address, or DUID.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char lines[4 << 20], answers[1 << 16];
static size_t said;

static void say(const char* text) {
    size_t length = strlen(text);
    memcpy(answers + said, text, length);
    said += length;
}

static int flush(void) {
    int ok = write(1, answers, said) == (ssize_t)said;
    said = 0;
    return ok;
}

/* The last five bytes of such a variable; 0 if the line has none. */
static int tail(const char* line, const char* name, unsigned bytes[5]) {
    const char* value = strstr(line, name);
    const char* end = value ? strchr(value + strlen(name), '"') : NULL;
    return end && sscanf(end - 14, "%x:%x:%x:%x:%x", bytes, bytes + 1, bytes + 2, bytes + 3, bytes + 4) == 5;
}

/* perfdhcp's clients are numbered in the last three bytes, its runs in those before. */
static void reserve(const char* line, unsigned long long seq) {
    unsigned bytes[5];
    char text[128];
    if (tail(line, "\"KEA_QUERY4_HWADDR\":\"", bytes)) {
        /* 128 runs of 131,072 clients are what a /8 has room for. */
        unsigned run = bytes[1] & 127, number = (bytes[2] << 16 | bytes[3] << 8 | bytes[4]) & 0x1ffff;
        unsigned host = run << 17 | number;
        snprintf(text, sizeof text, "{\"seq\":%llu,\"reservation\":{\"ip-address\":\"192.%u.%u.%u\"}}\n", seq, host >> 16,
                 host >> 8 & 255, host & 255);
    } else if (tail(line, "\"KEA_QUERY6_DUID\":\"", bytes)) {
        snprintf(text, sizeof text, "{\"seq\":%llu,\"reservation\":{\"ip-addresses\":[\"2001:db8::%x:%x:%x\"]}}\n", seq,
                 (bytes[0] << 8 | bytes[1]) + 1, bytes[2], bytes[3] << 8 | bytes[4]);
    } else {
        snprintf(text, sizeof text, "{\"seq\":%llu}\n", seq);
    }
    say(text);
}

static int answer(const char* line, int argc, char** argv) {
    char text[64];
    const unsigned long long seq = strtoull(line + strlen("{\"seq\":"), NULL, 10);
    if (argc == 2 && !strcmp(argv[1], "reserve")) {
        reserve(line, seq);
        return 1;
    }
    if (argc > 2 && strstr(line, argv[1])) {
        if (said && !flush()) {
            return 0;
        }
        usleep(1000 * atoi(argv[2]));
    }
    const char* more = argc == 2 && !strcmp(argv[1], "keep") ? ",\"keep-for\":3600" : "";
    snprintf(text, sizeof text, "{\"seq\":%llu%s}\n", seq, more);
    say(text);
    return 1;
}

int main(int argc, char** argv) {
    size_t length = 0, searched = 0;
    int greeted = 0;
    ssize_t n;
    while ((n = read(0, lines + length, sizeof lines - length)) > 0) {
        char *line = lines, *end;
        length += n;
        while ((end = memchr(lines + searched, '\n', length - searched))) {
            *end = 0;
            if (!greeted++) {
                say(argc == 2 ? "{\"hello\":1}\n" : "{\"hello\":1,\"ahead\":32}\n");
            } else if (!answer(line, argc, argv)) {
                return 1;
            }
            line = end + 1;
            searched = line - lines;
        }
        length -= line - lines;
        memmove(lines, line, length);
        searched = length;
        if (said && !flush()) {
            return 1;
        }
    }
    return 0;
}
