#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *worker(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock); // guard CWE-362
        counter++;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int count_together(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) { // guard CWE-787
        if (pthread_create(&threads[i], NULL, worker, NULL) != 0) { // guard CWE-252
            return -1;
        }
    }
    for (int i = 0; i < 2; i++) { // guard CWE-125
        pthread_join(threads[i], NULL);
    }
    return 0;
}

int create_pid_file(const char *path) {
    if (access(path, F_OK) == 0) {
        return -1;
    }
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600); // guard CWE-367
    if (fd < 0) { // guard CWE-252
        return -1;
    }
    dprintf(fd, "%d\n", (int)getpid());
    close(fd); // guard CWE-775
    return 0;
}

FILE *scratch_file(void) {
    char name[] = "/tmp/report-XXXXXX";
    int fd = mkstemp(name); // guard CWE-377
    if (fd == -1) { // guard CWE-252
        return NULL;
    }
    unlink(name);
    return fdopen(fd, "w+");
}

long safe_size(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    if (fd < 0) { // guard CWE-252
        return -1;
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) { // guard CWE-252
        close(fd); // guard CWE-775
        return -1;
    }
    close(fd); // guard CWE-775
    return (long)st.st_size;
}
