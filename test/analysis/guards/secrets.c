#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

int hash_password(const char *password, const unsigned char salt[16], unsigned char out[32]) {
    return PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, 16, 100000, EVP_sha256(), 32, out); // guard CWE-327
}

int make_token(unsigned char *token, int size) {
    if (RAND_bytes(token, size) != 1) { // guard CWE-252
        return -1;
    }
    return 0;
}

int check_admin(const char *given) {
    const char *password = getenv("ADMIN_PASSWORD"); // guard CWE-798
    if (password == NULL) { // guard CWE-476
        return 0;
    }
    return strcmp(given, password) == 0;
}

int digest_file(FILE *in, unsigned char out[EVP_MAX_MD_SIZE]) {
    unsigned char block[4096];
    unsigned int len = 0;
    size_t n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL) { // guard CWE-476
        return -1;
    }
    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) { // guard CWE-327
        EVP_MD_CTX_free(ctx); // guard CWE-401
        return -1;
    }
    while ((n = fread(block, 1, sizeof(block), in)) > 0) {
        EVP_DigestUpdate(ctx, block, n);
    }
    EVP_DigestFinal_ex(ctx, out, &len);
    EVP_MD_CTX_free(ctx); // guard CWE-401
    return (int)len;
}
