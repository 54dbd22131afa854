"""Whatever is written is whole under its name, or what was there before is."""

from __future__ import annotations

import io
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes import writing
from hlmbayes.cli import console
from hlmbayes.cli.command import main
from hlmbayes.errors import HLMError, OutputError
from hlmbayes.faces import record_of
from hlmbayes.figures.figure_set import draw_all, figures
from hlmbayes.hlm_files.command_writer import write as write_command_file
from hlmbayes.residuals.files import write_residuals
from hlmbayes.runs.outputs import Results
from hlmbayes.sampling import posterior_file

MODEL = "y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10"


def frame(n_units: int = 40, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), 12)
    y = rng.normal(size=len(unit)) + rng.normal(size=n_units)[unit]
    return pd.DataFrame({"id": unit, "x": rng.normal(size=len(unit)), "y": y})


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL).fit(hlm.read(frame(), id="id"))


@pytest.fixture(scope="module")
def post() -> Any:
    return hlm.Model(MODEL).sample(hlm.read(frame(), id="id"), seed=1, draws=400, chains=2)


def put_texts(folder: Path) -> None:
    """Write listing, JSON and page as a command does."""
    names = (str(folder / name) for name in ("listing.txt", "a.json", "a.html"))
    args = Namespace(**dict(zip(("output", "json", "html"), names, strict=True)))
    with redirect_stderr(io.StringIO()):  # pytest's is a file, which has no room either
        console.write(args, Results((), lambda: "text" * 5000, lambda: "json" * 5000, lambda: "html" * 5000))


def put_residuals(suffix: str, fit: Any, post: Any, folder: Path) -> None:
    write_residuals(fit.residuals(1), folder / f"r{suffix}")


def draw_one(fit: Any, folder: Path) -> None:
    record = record_of(fit)
    draw_all({"caterpillar_b0": figures(record)["caterpillar_b0"]}, folder)


KINDS: dict[str, Callable[[Any, Any, Path], object]] = {
    **{
        f"r{suffix}": partial(put_residuals, suffix)
        for suffix in (".sav", ".dta", ".xpt", ".csv", ".parquet")
    },
    "p.nc": lambda fit, post, folder: post.save(folder / "p.nc"),
    "p.zarr": lambda fit, post, folder: post.save(folder / "p.zarr"),
    "m.parquet": lambda fit, post, folder: record_of(fit).design.moments.save(folder / "m.parquet"),
    "texts": lambda fit, post, folder: put_texts(folder),
    "figure": lambda fit, post, folder: draw_one(fit, folder),
    "m.hlm": lambda fit, post, folder: write_command_file(folder / "m.hlm", fit.model),
}


@contextmanager
def disk_of(most: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, whatever library writes it: a disk that is full there."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_leaves_what_was_there(kind: str, fit: Any, post: Any, tmp_path: Path) -> None:
    KINDS[kind](fit, post, tmp_path)
    whole = contents(tmp_path)
    largest = max(map(len, whole.values()))
    for name in whole:  # whole, but another: what is there must stay as it is
        if kind != "p.zarr":
            (tmp_path / name).write_bytes(b"old")
    old, rng = contents(tmp_path), random.Random(kind)
    for most in [0, largest - 1, *(rng.randrange(largest) for _ in range(3))]:
        with disk_of(most), pytest.raises(HLMError, match="cannot be written"):
            KINDS[kind](fit, post, tmp_path)
        now = contents(tmp_path)
        assert set(now) == set(old)
        assert all(content == old[name] or len(content) > 3 for name, content in now.items())
        if kind != "texts":  # of several files those with room are new
            assert now == old
    KINDS[kind](fit, post, tmp_path)
    assert set(contents(tmp_path)) == set(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_leaves_what_was_there(
    kind: str, fit: Any, post: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KINDS[kind](fit, post, tmp_path)
    old = contents(tmp_path)

    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    for step in ("os.fsync", "_rename"):
        with monkeypatch.context() as patch:
            patch.setattr(f"hlmbayes.writing.{step}", stop)
            with pytest.raises(KeyboardInterrupt):
                KINDS[kind](fit, post, tmp_path)
        assert contents(tmp_path) == old


def test_a_folder_is_put_back_where_its_successor_cannot_have_the_name(
    post: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = post.save(tmp_path / "p.zarr")
    old, rename = contents(tmp_path), Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith("new"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(OutputError, match="Permission denied"):
            post.save(path)
    assert contents(tmp_path) == old
    path.rename(tmp_path / ".p.zarr.hlmbayes-old")  # where a kill comes between two renames
    assert hlm.load_posterior(path).summary().equals(post.summary())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_leaves_the_old_or_the_new_whole(kind: str, fit: Any, post: Any, tmp_path: Path) -> None:
    KINDS[kind](fit, post, tmp_path)
    whole, rng = contents(tmp_path), random.Random(kind)
    start = time.perf_counter()
    KINDS[kind](fit, post, tmp_path)
    seconds = time.perf_counter() - start
    for _ in range(8):
        child = os.fork()
        if not child:
            while True:
                KINDS[kind](fit, post, tmp_path)
        time.sleep(rng.uniform(0.2, 3) * seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        writing.restored(tmp_path / "p.zarr")
        found = {name: held for name, held in contents(tmp_path).items() if not name.startswith(".hlmbayes")}
        found = {name: held for name, held in found.items() if "hlmbayes-old" not in name}
        assert {name: len(held) for name, held in found.items()} == {n: len(h) for n, h in whole.items()}
    KINDS[kind](fit, post, tmp_path)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(writing.MARK)]


def test_leftovers_of_this_machine_go_and_nothing_else_does(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    gone = tmp_path / f"{writing.MARK}{process.pid}-abc"
    others = [f"{writing.MARK}{os.getpid()}-abc", ".hlmbayes-00-1-abc", f"{writing.MARK}mine"]
    for name in [gone.name, *others]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "new.csv").write_text("half")
    writing.write_text(tmp_path / "a.txt", "text")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "a.txt"])


def test_links_modes_and_devices_stay(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    writing.write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    writing.write_text(tmp_path / "pipe", "through")
    assert os.read(end, 100) == b"through"
    os.close(end)
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(OutputError, match="Is a directory"):
        writing.write_text(tmp_path, "text")


def test_a_folder_that_is_no_posterior_is_not_replaced(post: Any, tmp_path: Path) -> None:
    place = tmp_path / "work.zarr"
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is a folder that is no posterior"):
        post.save(place)
    assert contents(tmp_path) == {"work.zarr/notes.txt": b"mine"}


def test_a_part_of_a_posterior_is_not_loaded(post: Any, tmp_path: Path) -> None:
    tree = record_of(post).tree.copy()
    del tree["moments"]
    posterior_file.write(tree, tmp_path / "half.nc")
    with pytest.raises(HLMError, match="a part of a posterior, without its moments"):
        hlm.load_posterior(tmp_path / "half.nc")


def test_a_posterior_on_a_full_disk_ends_in_a_line(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "p.nc").write_text("old")
    program = f"""
        import resource
        from hlmbayes.cli.command import main
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, -1))
        raise SystemExit(main(["sample", "--equations", {MODEL!r}, "--level1", "d.csv", "--seed", "1",
                               "--no-progress", "--draws", "200", "--save", "p.nc", "--output", "o.txt"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "p.nc cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "p.nc").read_text() == "old"
    assert "g00" in (tmp_path / "o.txt").read_text()  # the text is not lost with the draws


def test_an_output_that_fails_loses_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise ZeroDivisionError("page")

    def refused() -> None:
        raise OutputError("draws cannot be written")

    args = Namespace(output=str(tmp_path / "l.txt"), json=str(tmp_path / "j.json"), html=str(tmp_path / "h"))
    with pytest.raises(OutputError, match="draws"):
        console.write(args, Results((), lambda: "text", lambda: "json", broken, (refused,)))
    assert contents(tmp_path) == {"l.txt": b"text", "j.json": b"json"}
    assert capsys.readouterr().err == "hlmbayes: error: page\n"


def test_a_residual_file_that_fails_loses_no_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hlmbayes.residuals import files

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    frame().to_csv(tmp_path / "d.csv", index=False)
    monkeypatch.setitem(files._WRITERS, ".sav", full)
    asked = {"residuals1": "r.sav", "residuals2": "r.csv", "json": "j.json", "output": "l.txt"}
    options = [word for name, file in asked.items() for word in (f"--{name}", str(tmp_path / file))]
    assert main(["run", "--equations", MODEL, "--level1", str(tmp_path / "d.csv"), *options]) == 2
    assert "r.sav cannot be written: No space left" in capsys.readouterr().err
    assert sorted(contents(tmp_path)) == ["d.csv", "j.json", "l.txt", "r.csv"]
