#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A grid of zeroes. */
int *make_grid(size_t rows, size_t cols) {
    if (rows == 0 || cols == 0 || rows > SIZE_MAX / cols / sizeof(int)) { // guard CWE-190
        return NULL;
    }
    return malloc(rows * cols * sizeof(int));
}

double average(const int *values, int count) {
    long sum = 0;
    if (count <= 0) { // guard CWE-369
        return 0.0;
    }
    for (int i = 0; i < count; i++) {
        sum += values[i];
    }
    return (double)(sum / count);
}

int safe_add(int a, int b, int *result) {
    if ((b > 0 && a > INT_MAX - b) || (b < 0 && a < INT_MIN - b)) { // guard CWE-190
        return -1;
    }
    *result = a + b;
    return 0;
}

/* Copies a number of bytes that the peer sent as a signed number. */
int copy_record(char *dst, int dst_size, const char *src, int len) {
    if (len < 0 || len > dst_size) { // guard CWE-195
        return -1;
    }
    memcpy(dst, src, (size_t)len);
    return len;
}

int total_price(void) {
    int quantity = 0;
    int price = 0;
    int total;
    if (scanf("%d %d", &quantity, &price) != 2) { // guard CWE-252
        return -1;
    }
    if (__builtin_mul_overflow(quantity, price, &total)) { // guard CWE-190
        return -1;
    }
    return total;
}

unsigned percent(unsigned part, unsigned whole) {
    return whole == 0 ? 0 : part * 100ULL / whole; // guard CWE-369
}

uint8_t *read_blob(FILE *in) {
    uint32_t count;
    if (fread(&count, sizeof(count), 1, in) != 1) { // guard CWE-252
        return NULL;
    }
    if (count > 1024 * 1024) { // guard CWE-770
        return NULL;
    }
    uint8_t *blob = calloc(count, 16); // guard CWE-190
    if (blob == NULL) { // guard CWE-476
        return NULL;
    }
    if (fread(blob, 16, count, in) != count) { // guard CWE-252
        free(blob); // guard CWE-401
        return NULL;
    }
    return blob;
}
