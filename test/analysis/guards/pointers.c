#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    int key;
    char *label;
    struct node *next;
};

struct node *push(struct node *head, int key, const char *label) {
    struct node *n = malloc(sizeof(*n));
    if (n == NULL) { // guard CWE-476
        return head;
    }
    n->label = strdup(label);
    if (n->label == NULL) { // guard CWE-476
        free(n); // guard CWE-401
        return head;
    }
    n->label[0] = (char)(n->label[0] & 0x7f);
    n->key = key;
    n->next = head;
    return n;
}

const char *home_config(char *out, size_t size) {
    const char *home = getenv("HOME");
    if (!home) { // guard CWE-476
        return NULL;
    }
    if (strlen(home) + 12 > size) { // guard CWE-120
        return NULL;
    }
    strcpy(out, home);
    strcat(out, "/.config");
    return out;
}

int extension_length(const char *file) {
    const char *dot = strrchr(file, '.');
    if (dot == NULL) { // guard CWE-476
        return 0;
    }
    return (int)strlen(dot + 1);
}

int count_lines(const char *path) {
    FILE *fp = fopen(path, "r");
    int c;
    int lines = 0;
    if (fp == NULL) { // guard CWE-476
        perror(path);
        return -1;
    }
    while ((c = fgetc(fp)) != EOF) {
        if (c == '\n') {
            lines++;
        }
    }
    fclose(fp);
    return lines;
}
