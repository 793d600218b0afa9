/*
 * Loaded into a server beside a sanitizer's runtime, which makes itself ready at the first allocation: here. The first one
 * else is under a lock of libc's (newlocale, for p11-kit), which the runtime breaks by asking for an error's text; then Kea
 * never ends.
 */
#include <stdlib.h>

__attribute__((constructor)) static void allocate(void) {
    void* volatile memory = malloc(1);
    free(memory);
}
