#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* A whole file in memory, with a zero behind it. */
char *load_file(const char *path, size_t *size) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0) { // guard CWE-252
        return NULL;
    }
    if (fstat(fd, &st) != 0) { // guard CWE-252
        close(fd); // guard CWE-775
        return NULL;
    }
    if (st.st_size < 0 || st.st_size > 16 * 1024 * 1024) {
        close(fd); // guard CWE-775
        return NULL;
    }
    char *data = malloc((size_t)st.st_size + 1); // guard CWE-131
    if (data == NULL) { // guard CWE-476
        close(fd); // guard CWE-775
        return NULL;
    }
    ssize_t got = read(fd, data, (size_t)st.st_size);
    close(fd); // guard CWE-775
    if (got < 0) { // guard CWE-252
        free(data); // guard CWE-401
        return NULL;
    }
    data[got] = '\0';
    *size = (size_t)got;
    return data;
}

int drop_privileges(uid_t uid, gid_t gid) {
    if (setgid(gid) != 0) { // guard CWE-252
        perror("setgid");
        return -1;
    }
    if (setuid(uid) != 0) { // guard CWE-252
        perror("setuid");
        return -1;
    }
    return 0;
}

int enter_jail(const char *dir) {
    if (chroot(dir) < 0 || chdir("/") < 0) { // guard CWE-252
        return -1;
    }
    return 0;
}

int write_all(int fd, const char *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, data + done, size - done);
        if (n <= 0) { // guard CWE-252
            return -1;
        }
        done += (size_t)n;
    }
    return 0;
}

int read_header(int fd) {
    char header[64];
    ssize_t n = read(fd, header, sizeof(header) - 1);
    if (n < 0) { // guard CWE-252
        return -1;
    }
    header[n] = '\0';
    return header[0];
}
