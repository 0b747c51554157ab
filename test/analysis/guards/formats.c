#include <stdio.h>
#include <string.h>
#include <syslog.h>

void log_message(FILE *log, const char *message) {
    fprintf(log, "%s", message); // guard CWE-134
}

void report_error(const char *user_text) {
    syslog(LOG_ERR, "%s", user_text); // guard CWE-134
}

int main(int argc, char **argv) {
    char banner[128];
    if (argc < 2) { // guard CWE-125
        fprintf(stderr, "usage: show TEXT\n");
        return 1;
    }
    snprintf(banner, sizeof(banner), "%s", argv[1]); // guard CWE-134
    printf("%s\n", banner); // guard CWE-134
    log_message(stdout, argv[1]);
    return 0;
}
