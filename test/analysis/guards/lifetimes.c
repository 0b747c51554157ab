#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *value;
    struct entry *next;
} Entry;

typedef struct {
    char *buffer;
    size_t used;
    size_t size;
} Buffer;

void free_list(Entry *head) {
    while (head != NULL) {
        Entry *next = head->next; // guard CWE-416
        free(head->value);
        free(head);
        head = next;
    }
}

void buffer_close(Buffer *b) {
    free(b->buffer);
    b->buffer = NULL; // guard CWE-415
    b->size = 0;
}

void buffer_reset(Buffer *b, int keep) {
    if (!keep) {
        free(b->buffer);
        b->buffer = NULL; // guard CWE-415
    }
    if (b->buffer != NULL) { // guard CWE-416
        b->buffer[0] = '\0';
    }
    free(b->buffer);
}

int buffer_grow(Buffer *b, size_t more) {
    if (more > (size_t)-1 - b->size) { // guard CWE-190
        return -1;
    }
    char *bigger = realloc(b->buffer, b->size + more); // guard CWE-401
    if (bigger == NULL) { // guard CWE-476
        return -1;
    }
    b->buffer = bigger;
    b->size += more;
    b->buffer[b->size - 1] = '\0';
    return 0;
}

int process(const char *input) {
    char *work = malloc(64);
    if (work == NULL) { // guard CWE-476
        return -1;
    }
    if (strlen(input) >= 64) { // guard CWE-120
        free(work); // guard CWE-401
        return -1; // guard CWE-416
    }
    strcpy(work, input);
    int sum = 0;
    for (char *p = work; *p; p++) {
        sum += *p;
    }
    free(work); // guard CWE-401
    return sum;
}
