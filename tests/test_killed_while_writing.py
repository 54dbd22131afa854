"""SIGKILL and full disks, 200 at random moments while each kind of output is written: old or new, whole."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes import writing
from hlmbayes.errors import HLMError
from tests.test_writing import KINDS, MODEL, disk_of, frame

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]

More = Callable[[Any, Any, Path], object]
TABLES = (".docx", ".xlsx", ".tex", ".html", ".md", ".typ", ".txt")


def table(suffix: str) -> More:
    return lambda fit, post, folder: hlm.table(fit).save(folder / f"t{suffix}")


ALL: dict[str, More] = {
    **{name: write for name, write in KINDS.items() if name not in ("texts", "m.hlm")},  # the same of all
    **{f"t{suffix}": table(suffix) for suffix in TABLES},
    "listing": lambda fit, post, folder: writing.write_text(folder / "l.txt", fit.listing()),
    "json": lambda fit, post, folder: writing.write_text(folder / "l.json", fit.to_json()),
    "page": lambda fit, post, folder: writing.write_text(folder / "l.html", fit.to_html()),
    "model.hlm": lambda fit, post, folder: fit.model.save(folder / "model.hlm", fit.data),
    "model.txt": lambda fit, post, folder: fit.model.save(folder / "model.txt", fit.data),
}
TIMES = -(-200 // len(ALL))  # of each kind: 200 in all


@pytest.fixture(scope="module")
def states() -> list[tuple[Any, Any]]:
    """A fit and a posterior of two data sets: what is there, and what is written."""
    found = []
    for n_units, seed in ((25, 1), (40, 2)):
        data = hlm.read(frame(n_units, seed), id="id")
        model = hlm.Model(MODEL)
        found.append((model.fit(data), model.sample(data, seed=seed, draws=400, chains=2)))
    return found


def held(path: Path) -> str:
    """What a file says, without the moment it was written; it must be readable to its end."""
    if path.suffix in (".nc", ".zarr"):
        return str(hlm.load_posterior(path).draws("gamma").sum())
    if path.name == "m.parquet":
        return str(hlm.load_moments(path).mean.sum())
    if path.suffix in (".sav", ".dta", ".xpt"):
        kind = {".xpt": "xport"}.get(path.suffix, path.suffix[1:])
        content = getattr(pyreadstat, f"read_{kind}")(str(path))[0].to_csv().encode()
    elif path.suffix in (".docx", ".xlsx"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = [name for name in archive.namelist() if "core.xml" not in name]
            content = b"".join(archive.read(name) for name in names)
    elif path.suffix == ".parquet":
        content = pd.read_parquet(path).to_csv().encode()
    else:
        content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()


def visible(folder: Path) -> dict[str, str]:
    """What a folder holds, by name, but for what a killed run leaves: the next run removes that."""
    writing.restored(folder / "p.zarr")
    names = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return {path.name: held(path) for path in names if path.name != "fill"}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 4 MB; None where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
    except OSError:
        mounted = False
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.parametrize("kind", ALL)
def test_a_kill_or_a_full_disk_leaves_the_old_or_the_new(
    kind: str, states: list[tuple[Any, Any]], tmp_path: Path
) -> None:
    write, rng = ALL[kind], random.Random(kind)
    known: list[dict[str, str]] = []
    for state in states:
        folder = tmp_path / f"state{len(known)}"
        folder.mkdir()
        start = time.perf_counter()
        write(*state, folder)
        seconds = time.perf_counter() - start
        known.append(visible(folder))
    assert known[0] != known[1]
    (tmp_path / "killed").mkdir()
    write(*states[0], tmp_path / "killed")
    with small_disk(tmp_path / "disk") as disk:
        for k in range(TIMES):
            if k % 2:
                killed(write, states, tmp_path / "killed", rng.uniform(0.0, 3.0) * seconds)
                found = visible(tmp_path / "killed")
            else:
                found = full(write, states, disk or tmp_path, rng, known[0])
            assert found.keys() == known[0].keys()
            for name, content in found.items():
                assert content in (known[0][name], known[1][name]), name
    write(*states[1], tmp_path / "killed")
    assert visible(tmp_path / "killed") == known[1]
    assert not [name for name in os.listdir(tmp_path / "killed") if name.startswith(".")]


def killed(write: More, states: list[tuple[Any, Any]], folder: Path, after: float) -> None:
    """Kill a process that writes the one and the other."""
    child = os.fork()
    if not child:
        while True:
            for state in (states[1], states[0]):
                write(*state, folder)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def full(
    write: More, states: list[tuple[Any, Any]], disk: Path, rng: random.Random, before: dict[str, str]
) -> dict[str, str]:
    """Write the new where there is not enough room, or hardly; what fails says so and leaves the old."""
    folder = disk / f"full{rng.random()}"
    folder.mkdir()
    write(*states[0], folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    room = int(rng.uniform(0.0, 2.0) * size)
    try:
        if disk.name == "disk":
            free = os.statvfs(disk)
            (folder / "fill").write_bytes(b"0" * max(0, free.f_bavail * free.f_frsize - room))
            write(*states[1], folder)
        else:
            with disk_of(room):
                write(*states[1], folder)
    except HLMError as error:
        assert "cannot be written" in str(error)  # noqa: PT017 - where there is room it is written
        assert kind_of_several(folder) or visible(folder) == before
    found = visible(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    return found


def kind_of_several(folder: Path) -> bool:
    """Of several files those with room are new."""
    return len(list(folder.glob("*.*"))) > 1
