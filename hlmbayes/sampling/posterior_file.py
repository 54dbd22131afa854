"""A posterior's tree in a file, netCDF or zarr: sealed when written, looked at before it is read.

HDF5 and zarr believe what a file says: that its values are in another file of the disk, that there are more
than the memory holds, that its parts follow each other in a circle. So damage is told by a checksum over all
bytes before they see it, and links and shapes are judged before a value is read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, SamplingError
from ..words import one_line
from ..writing import restored, write_bytes, write_whole

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "hlmbayes posterior 1"
GROUPS = ("posterior", "variance_parameters", "sample_stats", "moments")  # without which it is none
HDF5 = b"\x89HDF\r\n\x1a\n"
SEAL = b"\nhlmbayes sha256 "  # HDF5 reads no further than its own last byte: the checksum follows it
SEALED = len(SEAL) + 65
ROOT, SUM = "zarr.json", "sha256"  # of a zarr folder, the checksum is among the root's attributes
CODECS = {"bytes", "zstd", "vlen-utf8"}  # what zarr writes; others may run what a stranger wrote
PACKED = 1000  # times that zarr's compression makes values smaller, at most


def write(data: xr.DataTree, path: str | Path) -> Path:
    """Write a tree as netCDF, or as zarr where the name ends in .zarr; an OutputError where it cannot be."""
    path = Path(path)
    if path.suffix != ".zarr":
        # in memory first: HDF5 that meets a full disk ends the whole program with a segmentation fault
        with data.to_netcdf(engine="h5netcdf") as content:
            seal = SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n"
            return write_bytes(path, content, seal)
    if restored(path).is_dir() and any(path.iterdir()):
        try:
            _check_folder(path)
        except (SamplingError, OSError):
            raise OutputError(f"{path} is a folder that is no posterior; name another") from None
    return write_whole(path, partial(_write_folder, data))


def read(path: str | Path) -> xr.DataTree:
    """Read a tree into memory; a SamplingError where there is no file of a posterior of this package."""
    import xarray as xr

    path = Path(path)
    if not restored(path).exists():
        raise SamplingError(f"{path}: no such file; wanted a posterior written by Posterior.save")
    folder = path.suffix == ".zarr"
    options: dict[str, Any] = {"engine": "h5netcdf"}
    if folder:
        options = {"engine": "zarr", "consolidated": False, "zarr_format": 3}
    try:
        _check_folder(path) if folder else _check_file(path)
        with xr.open_datatree(path, **options) as opened:
            data = opened.load()
    except (OSError, ValueError, LookupError, TypeError, RecursionError, MemoryError) as error:
        raise SamplingError(f"{path}: not a netCDF or zarr file ({one_line(str(error))[:200]})") from None
    data.attrs.pop(SUM, None)
    if data.attrs.get("format") != FORMAT:
        raise SamplingError(f"{path}: not a posterior written by Posterior.save of this version")
    if lacking := [name for name in GROUPS if name not in data.children]:
        raise SamplingError(f"{path}: a part of a posterior, without its {', '.join(lacking)}; save it again")
    return data


def _refuse(path: Path, what: str) -> None:
    raise SamplingError(f"{path}: {what}; wanted a posterior as Posterior.save writes it")


# --- netCDF ----------------------------------------------------------------------------------------


def _check_file(path: Path) -> None:
    """Refuse a file that is not what was written, follows links or claims more than it holds."""
    import h5py

    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            raise ValueError("it does not begin as HDF5 does")
        file.seek(max(0, size - SEALED))
        seal = file.read()
        if not seal.startswith(SEAL):
            _refuse(path, "it has no checksum at its end: it is cut off, or another program wrote it")
        file.seek(0)
        left = size - SEALED
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    if seal[len(SEAL) :].strip() != digest.hexdigest().encode():
        _refuse(path, "it is damaged: the checksum differs")
    with h5py.File(path, "r") as opened:
        if sum(_sizes(path, opened, depth=1)) > 2 * size:
            _refuse(path, "it claims more values than it has")


def _sizes(path: Path, group: Any, depth: int) -> Iterator[int]:
    """Give the bytes of the values of each variable; refuse what is elsewhere, or deeper than it may be."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            _refuse(path, "it links to another place")
        part = group[name]
        if isinstance(part, h5py.Group) and depth:
            yield from _sizes(path, part, depth - 1)
        elif isinstance(part, h5py.Dataset) and not (part.external or part.is_virtual):
            yield part.size * part.id.get_type().get_size()
        else:
            _refuse(path, "its values are in another file, or it is laid out in another way")


# --- zarr ------------------------------------------------------------------------------------------


def _write_folder(data: xr.DataTree, path: Path) -> None:
    from zarr.core.sync import sync

    try:
        data.to_zarr(path, mode="w", consolidated=False, zarr_format=3)
    except OSError:  # one part had no room; others are still written, after whoever called tidied up
        sync(_others_done())
        raise
    root = json.loads((path / ROOT).read_text("utf-8"))
    root["attributes"][SUM] = _sum_of_folder(path, root)
    (path / ROOT).write_text(json.dumps(root, indent=1), "utf-8")


async def _others_done() -> None:
    """Wait for what else zarr has begun."""
    import asyncio  # with SSL and all, for whoever saves or reads a folder

    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


def _sum_of_folder(path: Path, root: dict[str, Any]) -> str:
    """Sum up the files of a folder; of ``root``, zarr's description of it, all but the sum itself."""
    attributes = {name: value for name, value in root["attributes"].items() if name != SUM}
    digest = hashlib.sha256(json.dumps({**root, "attributes": attributes}, sort_keys=True).encode())
    for each in sorted(path.rglob("*")):
        if each.is_symlink():
            _refuse(path, "it links to another place")
        if each.is_file() and each != path / ROOT:
            content = each.read_bytes()
            digest.update(f"\0{each.relative_to(path).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _check_folder(path: Path) -> None:
    """Refuse a folder that is not what was written, follows links or claims more than it holds."""
    root = json.loads((path / ROOT).read_text("utf-8"))
    if root.get("zarr_format") != 3 or root["attributes"].get("format") != FORMAT:
        _refuse(path, "it is no posterior")
    if root["attributes"].get(SUM) != _sum_of_folder(path, root):
        _refuse(path, "it is damaged: the checksum differs")
    claimed = 0
    for each in path.rglob(ROOT):
        head = json.loads(each.read_text("utf-8"))
        if head["node_type"] == "array":
            if not {codec["name"] for codec in head["codecs"]} <= CODECS:
                _refuse(path, "its values are packed in another way")
            chunk = head["chunk_grid"]["configuration"]["chunk_shape"]
            claimed += 16 * (math.prod(head["shape"]) + math.prod(chunk))
    if claimed > PACKED * sum(each.stat().st_size for each in path.rglob("*")) + 1e7:
        _refuse(path, "it claims more values than it has")
