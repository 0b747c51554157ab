#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64

/* Skips a value in brackets, however often it is nested. */
int skip_value(const char *text, int at, int depth) {
    if (depth > MAX_DEPTH) { // guard CWE-674
        return -1;
    }
    while (text[at] != '\0' && text[at] != ']') {
        if (text[at] == '[') {
            at = skip_value(text, at + 1, depth + 1);
            if (at < 0) {
                return -1;
            }
        }
        at++;
    }
    return at;
}

int countdown(int from) {
    int steps = 0;
    while (from > 0) { // guard CWE-835
        from--; // guard CWE-835
        steps++;
    }
    return steps;
}

char *read_block(void) {
    unsigned size = 0;
    if (scanf("%u", &size) != 1) { // guard CWE-252
        return NULL;
    }
    if (size > 4096) { // guard CWE-770
        return NULL;
    }
    return malloc(size + 1);
}

unsigned long factorial(unsigned n) {
    if (n <= 1) { // guard CWE-674
        return 1;
    }
    return n * factorial(n - 1);
}
