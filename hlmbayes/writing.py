"""Every file and folder the package writes: whole under its name, or not at all.

What is written has a temporary name beside its own, is flushed to the disk, and then renamed: a full disk, an
interrupt or a kill leave what was there before. Temporaries of a run that was killed go on the next.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from .errors import OutputError

MARK = f".hlmbayes-{zlib.crc32(platform.node().encode()):08x}-"  # of this machine; the process follows
STREAM = re.compile(r"/proc/|/dev/(stdout|stderr|fd/)")  # names that stand for what is open already


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with a temporary name (of a file or folder to be), then rename; or raise OutputError.

    A link is followed; what is no ordinary file (/dev/null, a pipe) is written to as it is.
    """
    try:
        special = target.exists() and not (target.is_file() or target.is_dir())
        if special or STREAM.match(str(target.absolute())):
            write(target)
            return
        place = target.resolve()
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(13, os.strerror(13))
        remove_leftovers(place.parent)
        prefix, suffix = f"{MARK}{os.getpid()}-", place.suffix if len(place.suffix) < 12 else ""
        with tempfile.TemporaryDirectory(prefix=prefix, dir=place.parent, ignore_cleanup_errors=True) as made:
            temporary = Path(made, f"new{suffix}")
            write(temporary)
            for path in [temporary, *temporary.rglob("*")]:
                _flush(path)
            _rename(temporary, place)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from None


def write_text(target: Path, text: str) -> None:
    """Write text as UTF-8 with the system's line ends, see `write_whole`."""
    write_bytes(target, text.replace("\n", os.linesep).encode(errors="backslashreplace"))


def write_bytes(target: Path, content: bytes | memoryview) -> None:
    """Write bytes, see `write_whole`."""

    def put(path: Path) -> None:
        path.write_bytes(content)
        if path.is_file() and path.stat().st_size != len(content):
            raise OSError("not all of it was written; the disk may be full")

    write_whole(target, put)


def restored(place: Path) -> Path:
    """Give the path; a folder that a killed run had put aside has its name again."""
    if not place.exists() and _aside(place).is_dir():
        _aside(place).rename(place)
    return place


def _aside(place: Path) -> Path:
    return place.with_name(f".{place.name}.hlmbayes-old")


def _rename(temporary: Path, place: Path) -> None:
    """Give what was written its name; a folder of that name is put aside first, a file keeps its mode."""
    if not place.is_dir():
        if place.is_file():
            temporary.chmod(place.stat().st_mode & 0o7777)
        temporary.replace(place)
    elif temporary.is_dir():
        shutil.rmtree(_aside(place), ignore_errors=True)  # of a run killed here
        try:
            place.rename(_aside(place))
            temporary.rename(place)
            _aside(place).rename(temporary)
        finally:
            restored(place)
    else:
        raise IsADirectoryError(21, os.strerror(21))


def remove_leftovers(folder: Path) -> None:
    """Remove temporaries in a folder whose process is no more."""
    for path in folder.glob(f"{MARK}*") if os.name == "posix" else ():
        try:
            os.kill(int(path.name.split("-")[2]), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, ValueError):  # another user's, or none of ours
            continue


def _flush(path: Path) -> None:
    """Have a file on the disk."""
    if path.is_file():
        with path.open("r+b") as file:
            os.fsync(file)
