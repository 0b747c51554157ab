#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct reply {
    uint8_t status;
    uint32_t length;
    char name[32];
};

/* The padding and the rest of the name go out too. */
int send_reply(int sock, uint8_t status, uint32_t length) {
    struct reply r;
    memset(&r, 0, sizeof(r)); // guard CWE-908
    r.status = status;
    r.length = length;
    if (send(sock, &r, sizeof(r), 0) != (ssize_t)sizeof(r)) { // guard CWE-252
        return -1;
    }
    return 0;
}

int write_frame(int fd, const char *text) {
    char frame[64] = {0}; // guard CWE-908
    strncpy(frame, text, sizeof(frame) - 1);
    if (write(fd, frame, sizeof(frame)) != (ssize_t)sizeof(frame)) { // guard CWE-252
        return -1;
    }
    return 0;
}

int sign_of(int value) {
    int sign = 0; // guard CWE-457
    if (value > 0) {
        sign = 1;
    } else if (value < 0) {
        sign = -1;
    }
    return sign;
}

int mode_bits(const char *mode) {
    int bits;
    if (strcmp(mode, "r") == 0) {
        bits = 1;
    } else if (strcmp(mode, "w") == 0) {
        bits = 2;
    } else {
        bits = 0; // guard CWE-457
    }
    return bits;
}
