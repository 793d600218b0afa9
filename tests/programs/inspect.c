/*
 * A script that looks at its environment as a distrustful author would: inspect HOOK_POINT LOG
 *
 * One line a run: the hook point, and what is wrong with a variable if anything is. Nothing may be there but the
 * variables of the tables (variables.h), each once and of its kind; text is printable, and of one line where it is
 * not said to have several.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "variables.h"

extern char** environ;

/* Surrogates, private use, what steers a line's direction or ends it, and other characters that nobody sees. */
static int is_invisible(unsigned code) {
    static const unsigned ranges[][2] = {{0xad, 0xad},     {0x600, 0x605},   {0x61c, 0x61c},   {0x6dd, 0x6dd},
                                         {0x70f, 0x70f},   {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
                                         {0x2060, 0x206f}, {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
                                         {0xfffe, 0xffff}, {0xe0000, ~0u}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) {
            return 1;
        }
    }
    return 0;
}

/* Length of the character at `c`; 0 if it is none, or not printable. */
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
    return code >= least[length] && code <= 0x10ffff && !is_invisible(code) ? length : 0;
}

/* Length of an escape at `c`, as in \\ or \x0a; 0 if it is none. */
static size_t escape(const char* c) {
    return c[1] == '\\' ? 2 : c[1] == 'x' && strspn(c + 2, "0123456789abcdef") >= 2 ? 4 : 0;
}

static int is_text(const char* value, int of_several_lines) {
    while (*value) {
        size_t length = of_several_lines && *value == '\n' ? 1
                        : *value == '\\'                   ? escape(value)
                                                           : printable((const unsigned char*)value);
        if (!length) {
            return 0;
        }
        value += length;
    }
    return 1;
}

static int is_line_of(const char* line, size_t length, const char* name) {
    return length == strlen(name) && !memcmp(line, name, length);
}

/* Lines that are the names of client classes that a Kea without any of its own makes. */
static int are_classes(const char* value) {
    static const char *const names[] = {"ALL", "KNOWN", "UNKNOWN", "BOOTP"}, vendor[] = "VENDOR_CLASS_";
    for (;;) {
        size_t length = strcspn(value, "\n"), known = *value && !strncmp(value, vendor, sizeof vendor - 1);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            known |= is_line_of(value, length, names[i]);
        }
        if (!known || !value[length]) {
            return known;
        }
        value += length + 1;
    }
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

static int is_number(char c) { return c >= '0' && c <= '9'; }

/* The row of a variable's name, in which a number that counts is #. */
static int compare(const void* name, const void* row) {
    const char *left = name, *right = ((const struct variable*)row)->name;
    while (*left && *left != '=' && *right) {
        if (*right == '#' && is_number(*left)) {
            left += strspn(left, "0123456789"), right++;
        } else if (*left == *right) {
            left++, right++;
        } else {
            break;
        }
    }
    return (*left == '=' ? 0 : (unsigned char)*left) - (unsigned char)*right;
}

/* What the kinds of the tables may consist of; of the others there are functions. */
static const struct {
    const char *kind, *characters;
} KINDS[] = {
    {"number", "0123456789"},
    {"seconds", "0123456789"},
    {"flag", "01"},
    {"address", "0123456789abcdef:."},
    {"prefix", "0123456789abcdef:./"},
    {"bytes", "0123456789abcdef:"},
    {"hardware address", "0123456789abcdef:"},
    {"hex, upper case", "0123456789ABCDEFx"},
};

static int is_of(const char* kind, const char* value) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (!strcmp(kind, KINDS[i].kind)) {
            return strspn(value, KINDS[i].characters) == strlen(value);
        }
    }
    return !strcmp(kind, "hex")                   ? is_hex(value)
           : !strcmp(kind, "names")               ? !*value || (is_text(value, 1) && are_classes(value))
           : !strcmp(kind, "text, several lines") ? is_text(value, 1)
           : !strcmp(kind, "JSON")                ? *value == '{' && !strchr(value, '\n')
           : !strcmp(kind, "text")                ? is_text(value, 0)
                                                  : 0;
}

static const char* fault(const char* variable) {
    const size_t count = sizeof VARIABLES / sizeof *VARIABLES;
    const struct variable* row = bsearch(variable, VARIABLES, count, sizeof *VARIABLES, compare);
    if (!row) {
        return "is no name of ours";
    }
    return is_of(row->kind, strchr(variable, '=') + 1) ? NULL : "is not of its kind";
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
