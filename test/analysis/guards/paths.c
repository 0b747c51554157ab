#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opens a static asset below the web root. */
FILE *open_asset(const char *root, const char *name) {
    char path[PATH_MAX];
    if (name[0] == '/' || strstr(name, "..") != NULL) { // guard CWE-22
        return NULL;
    }
    int n = snprintf(path, sizeof(path), "%s/%s", root, name); // guard CWE-120
    if (n < 0 || (size_t)n >= sizeof(path)) { // guard CWE-22
        return NULL;
    }
    return fopen(path, "rb");
}

/* Prints a document only if it resolves to a place below the base directory. */
int print_document(const char *base, const char *requested) {
    char full[PATH_MAX];
    char resolved[PATH_MAX];
    char line[256];

    if (snprintf(full, sizeof(full), "%s/%s", base, requested) >= (int)sizeof(full)) { // guard CWE-22
        return -1;
    }
    if (realpath(full, resolved) == NULL) { // guard CWE-252
        perror("realpath");
        return -1;
    }
    if (strncmp(resolved, base, strlen(base)) != 0) { // guard CWE-22
        fprintf(stderr, "access denied\n");
        return -1;
    }
    FILE *fp = fopen(resolved, "r");
    if (!fp) { // guard CWE-476
        return -1;
    }
    while (fgets(line, sizeof(line), fp) != NULL) {
        fputs(line, stdout);
    }
    fclose(fp);
    return 0;
}

static int is_safe_name(const char *name) {
    for (const char *p = name; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-') { // guard CWE-22
            return 0;
        }
    }
    return 1;
}

/* Removes a user's cached avatar. */
int remove_avatar(const char *user) {
    char path[512];
    if (!is_safe_name(user)) { // guard CWE-22
        return -1;
    }
    snprintf(path, sizeof(path), "/var/cache/avatars/%.200s.png", user); // guard CWE-120
    return remove(path);
}
