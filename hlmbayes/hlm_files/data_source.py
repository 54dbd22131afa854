"""Where the data of a command file are: named by the caller, in its template's files, or in its .mdm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..data.mdm import MdmHeader, is_mdm, read_header
from ..errors import CommandFileError, DataError
from .mdm_template import (
    DataSource,
    RawDataError,
    beside,
    find_template,
    missing_file,
    own_name,
    read_template,
    stem,
)

Found = tuple[DataSource, tuple[str, ...]]
ID = "L2ID"  # HLM's word for the id, whose own name an .mdm does not hold


def find_source(
    path: Path, mdm: str, level1: str | Path | None, level2: str | Path | None, id_name: str | None
) -> Found:
    """Give the data of the command file ``path``, which names ``mdm``, and warnings.

    ``level1``, ``level2`` and ``id_name`` are what the caller says instead.

    Raises
    ------
    CommandFileError
        There are none, or they cannot be read.
    """
    if level1 is not None:
        return _named(path, mdm, Path(level1), None if level2 is None else Path(level2), id_name), ()
    known = source_of(path.parent, mdm) if mdm else None
    if level2 is not None or (id_name is not None and known is None):
        raise CommandFileError(f"{path.name}: the level-1 file is not named; add --level1 FILE")
    if known is None:
        raise CommandFileError(f"{path.name}: {_nothing(path.parent, mdm)}")
    source, warnings = known
    return (source if id_name is None else replace(source, id=id_name, id2="")), warnings


def source_of(folder: Path, mdm: str) -> Found | None:
    """Give what the template of an .mdm says, else the .mdm itself; None where neither is in the folder.

    The data files are read where they are there, since an .mdm has neither labels nor long names.
    """
    template, binary = find_template(folder, mdm), beside(folder, f"{stem(mdm)}.mdm")
    if template is None:
        return None if binary is None else (_of_mdm(mdm, binary, _header(binary)), ())
    try:
        source, warnings = read_template(template)
    except RawDataError as error:
        if binary is None:
            raise
        return _of_mdm(mdm, binary, _header(binary)), (f"{error}. The data are read from {binary.name}",)
    try:
        header = None if binary is None else read_header(binary)
    except (DataError, OSError):  # nothing depends on it
        header = None
    return replace(source, header=header), warnings


def _named(path: Path, mdm: str, level1: Path, level2: Path | None, id_name: str | None) -> DataSource:
    for file in (level1, level2):
        if file is not None and not file.is_file():
            missing_file(file)
    if is_mdm(level1):
        source = _of_mdm(level1.name, level1, _header(level1))
        return replace(source, level2=level2, id=id_name or source.id)
    template = find_template(path.parent, mdm) if mdm and id_name is None else None
    if template is not None:
        id_name = read_template(template)[0].id
    if id_name is None:
        raise CommandFileError(f"{path.name}: the data files are named but not the id; add --id NAME")
    return DataSource(mdm or level1.name, level1, level2, id_name)


def _of_mdm(mdm: str, file: Path, header: MdmHeader) -> DataSource:
    return DataSource(
        own_name(mdm), file, None, ID, header.level1, header.level2, "mdm", template=file.name, header=header
    )


def _header(file: Path) -> MdmHeader:
    try:
        return read_header(file)
    except DataError as error:
        raise CommandFileError(str(error)) from None
    except OSError as error:
        raise CommandFileError(f"{file} cannot be read: {error.strerror or error}") from None


def _nothing(folder: Path, mdm: str) -> str:
    advice = "say where the data are: --level1 FILE --level2 FILE --id NAME"
    if not mdm:
        wanted = "#WHLM CMD FILE FOR NAME.mdm with NAME.mdm or NAME.mdmt beside it"
        return f"its first line does not name the data; wanted {wanted}, or {advice}"
    either, place = f"{stem(mdm)}.mdm nor {stem(mdm)}.mdmt", folder.absolute()
    return f"its data come from {mdm}, but neither {either} is in {place}; put one there, or {advice}"
