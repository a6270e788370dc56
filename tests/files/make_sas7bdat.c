/* Makes trial.sas7bdat, since SAS itself is not free. ReadStat's source (MIT) comes with the
   source package of pyreadstat 1.3.7:
     pip download --no-deps --no-binary :all: pyreadstat==1.3.7 && tar xzf pyreadstat-1.3.7.tar.gz
     S=pyreadstat-1.3.7/src
     gcc -w -DHAVE_ZLIB=1 -I $S -o make make_sas7bdat.c $S/*.c $S/*/*.c -lz -lm && ./make
   All values are made up: 6 rows of a number, a date, a datetime, a time and a text. */
#include <fcntl.h>
#include <unistd.h>
#include "readstat.h"

static ssize_t put(const void *data, size_t n, void *to) { return write(*(int *)to, data, n); }

int main(void) {
    int file = open("trial.sas7bdat", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    readstat_writer_t *writer = readstat_writer_init();
    readstat_set_data_writer(writer, put);
    readstat_writer_set_file_timestamp(writer, 1577836800);
    readstat_writer_set_table_name(writer, "TRIAL");
    readstat_variable_t *arm = readstat_add_variable(writer, "TRTPN", READSTAT_TYPE_DOUBLE, 0);
    readstat_variable_t *day = readstat_add_variable(writer, "ADT", READSTAT_TYPE_DOUBLE, 0);
    readstat_variable_t *when = readstat_add_variable(writer, "ADTM", READSTAT_TYPE_DOUBLE, 0);
    readstat_variable_t *stay = readstat_add_variable(writer, "STAY", READSTAT_TYPE_DOUBLE, 0);
    readstat_variable_t *site = readstat_add_variable(writer, "SITE", READSTAT_TYPE_STRING, 8);
    readstat_variable_set_label(arm, "Planned treatment");
    readstat_variable_set_format(day, "DATE9");
    readstat_variable_set_format(when, "DATETIME20");
    readstat_variable_set_format(stay, "TIME8");
    readstat_begin_writing_sas7bdat(writer, &file, 6);
    for (int row = 0; row < 6; row++) {
        readstat_begin_row(writer);
        if (row < 4) readstat_insert_double_value(writer, arm, row % 2);
        else if (row == 4) readstat_insert_tagged_missing_value(writer, arm, 'A');
        else readstat_insert_missing_value(writer, arm);
        readstat_insert_double_value(writer, day, 21974 + row);
        readstat_insert_double_value(writer, when, 1898553600.0);
        readstat_insert_double_value(writer, stay, 90000);
        readstat_insert_string_value(writer, site, row % 2 ? "south" : "north");
        readstat_end_row(writer);
    }
    readstat_end_writing(writer);
    readstat_writer_free(writer);
    return close(file);
}
