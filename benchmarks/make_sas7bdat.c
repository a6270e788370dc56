/* Writes a large SAS data set for read_formats.py --sas: make ROWS COLUMNS FILE. Built as
   tests/files/make_sas7bdat.c says. An identifier, a site, an arm, and numbers of which every
   other column lacks a tenth, as in the tables of the other formats. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "readstat.h"

static ssize_t put(const void *data, size_t n, void *to) { return write(*(int *)to, data, n); }

int main(int count, char **words) {
    if (count != 4) return 2;
    int rows = atoi(words[1]), columns = atoi(words[2]);
    int file = open(words[3], O_CREAT | O_TRUNC | O_WRONLY, 0644);
    readstat_writer_t *writer = readstat_writer_init();
    readstat_set_data_writer(writer, put);
    readstat_writer_set_table_name(writer, "TRIAL");
    readstat_variable_t **made = malloc(columns * sizeof *made);
    for (int k = 0; k < columns; k++) {
        char name[16];
        snprintf(name, sizeof name, k == 0 ? "id" : k == 1 ? "site" : k == 2 ? "arm" : "x%d", k);
        made[k] = readstat_add_variable(
            writer, name, k < 2 ? READSTAT_TYPE_STRING : READSTAT_TYPE_DOUBLE, k < 2 ? 8 : 0);
    }
    const char *sites[] = {"north", "south", "east", "west"};
    srand(1);
    readstat_begin_writing_sas7bdat(writer, &file, rows);
    for (int row = 0; row < rows; row++) {
        char id[16];
        snprintf(id, sizeof id, "P%06d", row);
        readstat_begin_row(writer);
        readstat_insert_string_value(writer, made[0], id);
        readstat_insert_string_value(writer, made[1], sites[rand() % 4]);
        readstat_insert_double_value(writer, made[2], rand() % 2);
        for (int k = 3; k < columns; k++) {
            if (k % 2 && rand() % 10 == 0) readstat_insert_missing_value(writer, made[k]);
            else readstat_insert_double_value(writer, made[k], rand() % 10000 / 100.0);
        }
        readstat_end_row(writer);
    }
    readstat_end_writing(writer);
    readstat_writer_free(writer);
    return close(file);
}
