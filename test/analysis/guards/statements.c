#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

/* The id of a user, or -1. */
int find_user(sqlite3 *db, const char *name) {
    sqlite3_stmt *stmt = NULL;
    int id = -1;

    if (sqlite3_prepare_v2(db, "SELECT id FROM users WHERE name = ?1", -1, &stmt, NULL) != SQLITE_OK) { // guard CWE-252
        return -1;
    }
    if (sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT) != SQLITE_OK) { // guard CWE-89
        sqlite3_finalize(stmt);
        return -1;
    }
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        id = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return id;
}

/* Deletes an order, whose number came as text. */
int delete_order(sqlite3 *db, const char *order_id) {
    char sql[128];
    char *end = NULL;
    errno = 0;
    long id = strtol(order_id, &end, 10);
    if (errno != 0 || end == order_id || *end != '\0') { // guard CWE-20
        return -1;
    }
    snprintf(sql, sizeof(sql), "DELETE FROM orders WHERE id = %ld", id);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Lists products in an order that the user picked. */
int list_products(sqlite3 *db, const char *column, int (*row)(void *, int, char **, char **)) {
    char sql[160];
    char *message = NULL;

    if (strcmp(column, "name") != 0 && strcmp(column, "price") != 0) { // guard CWE-89
        return SQLITE_ERROR;
    }
    snprintf(sql, sizeof(sql), "SELECT name, price FROM products ORDER BY %s", column);
    int rc = sqlite3_exec(db, sql, row, NULL, &message);
    if (rc != SQLITE_OK) {
        fprintf(stderr, "SQL error: %s\n", message);
        sqlite3_free(message);
    }
    return rc;
}
