"""Make rows.sas7bdat and rows.por: pyreadstat reads these, and the ReadStat library inside it writes them.

    python tests/oracles/make_sas7bdat.py

Columns: School (in .por SCHOOL; text, 8 wide) A1 A1 B2 B2; Y ("Outcome") 1.0 2.5 missing 4.0.
"""

from __future__ import annotations

import ctypes as c
from pathlib import Path

import pyreadstat

ROWS = [(b"A1", 1.0), (b"A1", 2.5), (b"B2", None), (b"B2", 4.0)]
TEXT, DOUBLE = 0, 5

library = c.CDLL(str(next(Path(pyreadstat.__file__).parent.glob("_readstat_writer*.so"))))
library.readstat_writer_init.restype = c.c_void_p
library.readstat_add_variable.restype = c.c_void_p
output = bytearray()


@c.CFUNCTYPE(c.c_ssize_t, c.c_void_p, c.c_size_t, c.c_void_p)
def collect(data, size, _context):
    output.extend(c.string_at(data, size))
    return size


def variable(writer, name, kind, label):
    made = c.c_void_p(library.readstat_add_variable(writer, name, c.c_int(kind), c.c_size_t(8)))
    library.readstat_variable_set_label(made, label)
    return made


for suffix, name in (("sas7bdat", b"School"), ("por", b"SCHOOL")):
    output.clear()
    writer = c.c_void_p(library.readstat_writer_init())
    library.readstat_set_data_writer(writer, collect)
    school = variable(writer, name, TEXT, b"School")
    outcome = variable(writer, b"Y", DOUBLE, b"Outcome")
    getattr(library, f"readstat_begin_writing_{suffix}")(writer, None, c.c_long(len(ROWS)))
    for unit, value in ROWS:
        library.readstat_begin_row(writer)
        library.readstat_insert_string_value(writer, school, unit)
        if value is None:
            library.readstat_insert_missing_value(writer, outcome)
        else:
            library.readstat_insert_double_value(writer, outcome, c.c_double(value))
        library.readstat_end_row(writer)
    library.readstat_end_writing(writer)
    library.readstat_writer_free(writer)
    Path(__file__).with_name(f"rows.{suffix}").write_bytes(output)
