/*
 * The quickest handler: answers each line with its number.
 *
 * echo [TEXT MILLISECONDS]: reads lines on standard input, answers {"hello":1} to the first and {"seq":N} to each other
 * one; to a line that holds TEXT, only after so many milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char line[1 << 20];

/* Reads up to a newline; no more comes before we have answered. */
static int next_line(void) {
    size_t length = 0;
    while (length < sizeof line - 1) {
        ssize_t n = read(0, line + length, sizeof line - 1 - length);
        if (n <= 0) {
            return 0;
        }
        length += n;
        if (line[length - 1] == '\n') {
            line[length] = 0;
            return 1;
        }
    }
    return 0;
}

static int say(const char* text) {
    ssize_t length = strlen(text);
    return write(1, text, length) == length;
}

int main(int argc, char** argv) {
    char answer[64];
    if (!next_line() || !say("{\"hello\":1}\n")) {
        return 1;
    }
    while (next_line()) {
        if (argc > 2 && strstr(line, argv[1])) {
            usleep(1000 * atoi(argv[2]));
        }
        snprintf(answer, sizeof answer, "{\"seq\":%llu}\n", strtoull(line + strlen("{\"seq\":"), NULL, 10));
        if (!say(answer)) {
            return 1;
        }
    }
    return 0;
}
