#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pings a host that a form sent. */
int ping_host(const char *host) {
    char cmd[128];
    size_t len = strlen(host);

    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)host[i]) && host[i] != '.' && host[i] != '-') { // guard CWE-78
            fprintf(stderr, "invalid host name\n");
            return -1;
        }
    }
    int written = snprintf(cmd, sizeof(cmd), "ping -c 1 %s", host); // guard CWE-120
    if (written < 0 || written >= (int)sizeof(cmd)) { // guard CWE-252
        return -1;
    }
    return system(cmd);
}

/* Archives a project directory. */
int archive_project(const char *project) {
    char cmd[256];

    if (strspn(project, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(project)) { // guard CWE-78
        return -1;
    }
    if ((size_t)snprintf(cmd, sizeof cmd, "tar czf /backup/%s.tgz /srv/%s", project, project) >= sizeof cmd) { // guard CWE-252
        return -1;
    }
    return system(cmd);
}

/* Starts or stops the service. */
int control_service(const char *action) {
    char command[64];

    if (strcmp(action, "start") != 0 && strcmp(action, "stop") != 0) { // guard CWE-78
        printf("unknown action\n");
        return 1;
    }
    snprintf(command, sizeof(command), "systemctl %s app", action); // guard CWE-120
    return system(command);
}
