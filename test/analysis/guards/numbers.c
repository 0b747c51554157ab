#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int parse_port(const char *text, uint16_t *port) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno == ERANGE) { // guard CWE-20
        return -1;
    }
    if (value < 1 || value > 65535) { // guard CWE-20
        return -1;
    }
    *port = (uint16_t)value;
    return 0;
}

int choose_item(const char *text) {
    static const int prices[10] = {3, 5, 8, 13, 21, 34, 55, 89, 144, 233};
    char *end = NULL;
    long index = strtol(text, &end, 10);
    if (end == text) { // guard CWE-20
        return -1;
    }
    if (index < 0 || index >= 10) { // guard CWE-125
        return -1;
    }
    return prices[index];
}

char *make_buffer(const char *text) {
    char *end = NULL;
    unsigned long size = strtoul(text, &end, 10);
    if (end == text || *end != '\0') { // guard CWE-20
        return NULL;
    }
    if (size == 0 || size > 65536) { // guard CWE-770
        return NULL;
    }
    return malloc(size);
}

int main(int argc, char **argv) {
    int sum = 0;
    for (int i = 1; i < argc; i++) {
        char *end;
        long v = strtol(argv[i], &end, 10);
        if (*end != '\0') { // guard CWE-20
            fprintf(stderr, "not a number: %s\n", argv[i]);
            return 1;
        }
        if (v > 1000 || v < -1000) { // guard CWE-190
            return 1;
        }
        sum += (int)v;
    }
    printf("%d\n", sum);
    return 0;
}
