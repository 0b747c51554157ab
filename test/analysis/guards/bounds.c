#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_PLAYERS 16
#define RING_SIZE 64

typedef struct {
    int width;
    int height;
    unsigned char *pixels;
} Image;

typedef struct {
    uint8_t type;
    uint16_t length;
    uint8_t body[256];
} Packet;

static int scores[MAX_PLAYERS];

void set_pixel(Image *img, int x, int y, unsigned char value) {
    if (x < 0 || x >= img->width || y < 0 || y >= img->height) { // guard CWE-787
        return;
    }
    img->pixels[y * img->width + x] = value;
}

int set_score(int player, int score) {
    if (player < 0 || player >= MAX_PLAYERS) { // guard CWE-787
        return -1;
    }
    scores[player] = score;
    return 0;
}

const char *day_name(int day) {
    static const char *names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    if (day < 0 || day > 6) { // guard CWE-125
        return "???";
    }
    return names[day];
}

/* Copies a packet's body out of a received buffer. */
int parse_packet(const uint8_t *data, size_t size, Packet *out) {
    if (size < 3) { // guard CWE-125
        return -1;
    }
    out->type = data[0];
    out->length = (uint16_t)(data[1] << 8 | data[2]);
    if (out->length > sizeof(out->body)) { // guard CWE-787
        return -1;
    }
    if ((size_t)out->length > size - 3) { // guard CWE-125
        return -1;
    }
    memcpy(out->body, data + 3, out->length);
    return 0;
}

/* Reads numbers until there are none or the table is full. */
int read_table(int table[32]) {
    int values[32];
    int count = 0;
    int value;
    while (count < 32 && scanf("%d", &value) == 1) { // guard CWE-787
        values[count++] = value;
    }
    for (int i = 0; i < count; i++) { // guard CWE-125
        table[i] = values[i];
    }
    return count;
}

int copy_payload(char *dst, size_t dst_size, const char *src, size_t n) {
    if (n > dst_size) { // guard CWE-787
        n = dst_size;
    }
    memcpy(dst, src, n);
    return (int)n;
}
