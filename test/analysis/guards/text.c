#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char name[32];
    char email[64];
} Contact;

int set_name(Contact *c, const char *name) {
    if (strlen(name) >= sizeof(c->name)) { // guard CWE-120
        return -1;
    }
    strcpy(c->name, name);
    return 0;
}

void set_email(Contact *c, const char *email) {
    strncpy(c->email, email, sizeof(c->email) - 1); // guard CWE-120
    c->email[sizeof(c->email) - 1] = '\0'; // guard CWE-170
}

char *join(const char *a, const char *b) {
    size_t need = strlen(a) + strlen(b) + 2;
    char *out = malloc(need);
    if (out == NULL) { // guard CWE-476
        return NULL;
    }
    snprintf(out, need, "%s %s", a, b); // guard CWE-120
    return out;
}

/* Reads a line and takes its end off. */
int read_name(char *buf, size_t size) {
    if (fgets(buf, (int)size, stdin) == NULL) { // guard CWE-252
        return -1;
    }
    size_t len = strlen(buf);
    if (len > 0 && buf[len - 1] == '\n') { // guard CWE-787
        buf[len - 1] = '\0';
    }
    return 0;
}

void greet(void) {
    char name[20];
    char line[64];
    printf("Your name: ");
    if (scanf("%19s", name) != 1) { // guard CWE-120
        return;
    }
    snprintf(line, sizeof(line), "Hello, %s!", name); // guard CWE-120
    puts(line);
}

char *duplicate(const char *text) {
    size_t len = strlen(text);
    char *copy = malloc(len + 1); // guard CWE-131
    if (!copy) { // guard CWE-476
        return NULL;
    }
    memcpy(copy, text, len + 1);
    return copy;
}
