/*
 * A script that looks at its environment as a distrustful author would: inspect HOOK_POINT LOG
 *
 * One line a run: the hook point, and what is wrong with a variable if anything is. Nothing may be there but KEA_
 * variables, each once; text is printable UTF-8 of one line, unless documented otherwise; all else is what its name
 * says.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char** environ;

static const char DECIMAL[] = "0123456789", COLONS[] = "0123456789abcdef:", ADDRESS[] = "0123456789abcdef:.",
                  HEX[] = "0123456789abcdefx ", UPPER[] = "0123456789ABCDEFx", FLAG[] = "01";

/* Of what a value may consist, by the end of its name; the first that fits counts. */
static const struct {
    const char *end, *characters;
} KINDS[] = {
    {"_ADDRESS", ADDRESS},
    {"_RAI", UPPER},
    {"_CIRCUIT_ID", UPPER},
    {"_REMOTE_ID", UPPER},
    {"_HWADDR", COLONS},
    {"_CLIENT_ID", COLONS},
    {"_DUID", COLONS},
    {"ADDR", ADDRESS},
    {"_PORT", DECIMAL},
    {"_IFINDEX", DECIMAL},
    {"_HWADDR_TYPE", DECIMAL},
    {"_HWADDR_SOURCE", DECIMAL},
    {"_HOPS", DECIMAL},
    {"_RELAYS", DECIMAL},
    {"_SIZE", DECIMAL},
    {"_LIFETIME", DECIMAL},
    {"_IAID", DECIMAL},
    {"_SUBNET_ID", DECIMAL},
    {"_POOL_ID", DECIMAL},
    {"_TRANSACTION_ID", DECIMAL},
    {"_RELAYED", FLAG},
    {"_FAKE_ALLOCATION", FLAG},
    {"_REMOVE_LEASE", FLAG},
    {"_IS_EXPIRED", FLAG},
    {"_FWD", FLAG},
    {"_REV", FLAG},
    {"_UPDATE", FLAG},
    {"_HOST_IDENTIFIER", HEX},
};

static int ends_with(const char* name, size_t length, const char* end) {
    size_t size = strlen(end);
    return length >= size && !memcmp(name + length - size, end, size);
}

/* Length of the character at `c`; 0 if it is none, or a control character. */
static size_t printable(const unsigned char* c) {
    if (c[0] < 0x80) {
        return c[0] >= 0x20 && c[0] != 0x7f;
    }
    size_t length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    unsigned code = c[0] & (0x7fu >> length);
    if (c[0] < 0xc2 || c[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (c[i] & 0x3fu);
    }
    static const unsigned least[] = {0, 0, 0xa0, 0x800, 0x10000};
    return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? length : 0;
}

static int is_text(const char* value, int of_several_lines) {
    while (*value) {
        size_t length = of_several_lines && *value == '\n' ? 1 : printable((const unsigned char*)value);
        if (!length) {
            return 0;
        }
        value += length;
    }
    return 1;
}

/* 0x, digits in pairs; several with a space between. */
static int is_hex(const char* value) {
    for (;;) {
        if (strncmp(value, "0x", 2)) {
            return 0;
        }
        size_t digits = strspn(value += 2, "0123456789abcdef");
        if (digits % 2 || (value[digits] && value[digits] != ' ')) {
            return 0;
        }
        if (!value[digits]) {
            return 1;
        }
        value += digits + 1;
    }
}

static int is_option(const char* name, size_t length) {
    const char* option = memmem(name, length, "_OPTION_", 8);
    return option && option[8] >= '0' && option[8] <= '9';
}

static const char* fault(const char* variable) {
    size_t length = strcspn(variable, "=");
    const char* value = variable + length + 1;
    if (!variable[length] || strncmp(variable, "KEA_", 4) ||
        strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != length) {
        return "is no name of ours";
    }
    if (is_option(variable, length)) {
        return is_hex(value) ? NULL : "is not hex";
    }
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (ends_with(variable, length, KINDS[i].end)) {
            return strspn(value, KINDS[i].characters) == strlen(value) ? NULL : "is not of its kind";
        }
    }
    int of_several_lines = ends_with(variable, length, "_DEBUG") || ends_with(variable, length, "_CLASSES");
    return is_text(value, of_several_lines) ? NULL : "is not text";
}

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

int main(int argc, char** argv) {
    const char *what = NULL, *whose = "", *hook_point = getenv("KEA_HOOK_POINT");
    size_t count = 0;
    if (argc != 3) {
        return 2;
    }
    while (environ[count]) {
        count++;
    }
    qsort(environ, count, sizeof *environ, by_name);
    for (size_t i = 0; i < count && !what; i++) {
        whose = environ[i];
        size_t name = strcspn(whose, "=") + 1;
        what = i && !strncmp(environ[i - 1], whose, name) ? "comes twice" : fault(whose);
    }
    if (!what && (!hook_point || strcmp(hook_point, argv[1]) || !getenv("KEA_SERVER") || !getenv("KEA_VERSION"))) {
        what = "is wrong", whose = "KEA_HOOK_POINT";
    }
    char line[1024];
    int size = what ? snprintf(line, sizeof line, "%s %s: %.400s\n", argv[1], what, whose)
                    : snprintf(line, sizeof line, "%s\n", argv[1]);
    for (int i = 0; i < size - 1; i++) {
        if (line[i] == '\n') {
            line[i] = '|';
        }
    }
    int log = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return log < 0 || write(log, line, (size_t)size) != size;
}
