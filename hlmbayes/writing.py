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
ASIDE = ".{}.hlmbayes-old"  # the name of a folder until its successor has its own
STREAM = re.compile(r"/proc/|/dev/(stdout|stderr|fd/)")  # names that stand for what is open already


def write_whole(target: Path, write: Callable[[Path], object]) -> Path:
    """Call ``write`` with a temporary name, of a file or folder to be, then rename; or raise OutputError.

    A link is followed; what is no ordinary file (/dev/null, a pipe) is written to as it is. Gives ``target``.
    """
    try:
        place = target.resolve()
        special = place.exists() and not (place.is_file() or place.is_dir())
        if special or STREAM.match(str(target.absolute())):
            write(target)
            return target
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(13, os.strerror(13))
        remove_leftovers(place.parent)
        prefix, suffix = f"{MARK}{os.getpid()}-", place.suffix if len(place.suffix) < 12 else ""
        with tempfile.TemporaryDirectory(prefix=prefix, dir=place.parent, ignore_cleanup_errors=True) as made:
            temporary = Path(made, f"new{suffix}")
            write(temporary)
            for path in (each for each in [temporary, *temporary.rglob("*")] if each.is_file()):
                with path.open("r+b") as file:
                    os.fsync(file)
            _rename(temporary, place)
        return target
    except (OSError, ValueError) as error:  # a ValueError: the name has a character no name may have
        raise OutputError(
            f"{target} cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from None


def refuse_special(target: Path) -> None:
    """Refuse with an OutputError what a command file, which may be a stranger's, may not write to.

    A link leads out of its folder; a pipe or a device waits.
    """
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise OutputError(f"{target.name} is there and is a link or no ordinary file; name another file")


def write_text(target: Path, text: str) -> Path:
    """Write text as UTF-8 with the system's line ends, see `write_whole`."""
    return write_bytes(target, text.replace("\n", os.linesep).encode(errors="backslashreplace"))


def page_place(path: str | Path) -> Path:
    """Give the place of an HTML page as a path; an OutputError where its name says another format."""
    place = Path(path)
    if place.suffix.lower() not in ("", ".html", ".htm"):
        raise OutputError(
            f"{place.name}: the page is HTML, so that its name ends with .html; a browser opens it, and "
            "prints it as a PDF"
        )
    return place


def write_bytes(target: Path, *content: bytes | memoryview) -> Path:
    """Write bytes, one part after the other, see `write_whole`."""

    def put(path: Path) -> None:
        with path.open("wb") as file:
            file.writelines(content)
        if path.is_file() and path.stat().st_size != sum(map(len, content)):
            raise OSError("not all of it was written; the disk may be full")

    return write_whole(target, put)


def restored(place: Path) -> Path:
    """Give the path; a folder that a killed run had put aside has its name again."""
    aside = place.with_name(ASIDE.format(place.name))
    if not place.exists() and aside.is_dir():
        aside.rename(place)
    return place


def _rename(temporary: Path, place: Path) -> None:
    """Give what was written its name; a folder of that name is put aside first, a file keeps its mode."""
    if not place.is_dir():
        if place.is_file():
            temporary.chmod(place.stat().st_mode & 0o7777)
        temporary.replace(place)
    elif temporary.is_dir():
        aside = place.with_name(ASIDE.format(place.name))
        shutil.rmtree(aside, ignore_errors=True)  # of a run killed here
        try:
            place.rename(aside)
            temporary.rename(place)
            aside.rename(temporary)
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
