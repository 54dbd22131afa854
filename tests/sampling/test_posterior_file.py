"""Files of a posterior: damage is told before HDF5 and zarr meet it, and nothing leads out of the file."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hlmbayes as hlm
from hlmbayes.errors import OutputError, SamplingError
from hlmbayes.sampling import posterior_file
from tests.small import small


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A posterior saved as .nc and as .zarr."""
    folder = tmp_path_factory.mktemp("saved")
    post = hlm.Model("y = b0 + r; b0 = g00 + u0").sample(
        small(3, n_units=8).data(), seed=1, draws=50, chains=2, keep_effects=False
    )
    return {kind: post.save(folder / f"p.{kind}") for kind in ("nc", "zarr")}


def seal(path: Path) -> None:
    """Give a file that somebody changed a checksum that is right."""
    content = path.read_bytes()
    path.write_bytes(content + posterior_file.SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n")


@pytest.mark.filterwarnings("ignore::hlmbayes.errors.HLMWarning")
def test_sealed_files_are_netcdf_and_zarr_to_others(saved: dict[str, Path]) -> None:
    read = posterior_file.read(saved["nc"])
    assert "sha256" not in posterior_file.read(saved["zarr"]).attrs
    for kind, options in (("nc", {"engine": "h5netcdf"}), ("zarr", {"consolidated": False})):
        tree = xr.open_datatree(saved[kind], **options)
        assert tree["posterior"].equals(read["posterior"])
        tree.close()


def test_bits_that_flip_are_told_in_a_moment(saved: dict[str, Path], tmp_path: Path) -> None:
    whole, rng, start = saved["nc"].read_bytes(), random.Random(1), time.process_time()
    path = tmp_path / "p.nc"
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with pytest.raises(SamplingError, match=r"damaged|checksum|does not begin"):
            hlm.load_posterior(path)
    for cut in (0, 1, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(SamplingError):
            hlm.load_posterior(path)
    assert time.process_time() - start < 3


def test_bits_of_a_folder_too(saved: dict[str, Path], tmp_path: Path) -> None:
    rng = random.Random(2)
    for k in range(40):
        folder = Path(shutil.copytree(saved["zarr"], tmp_path / f"p{k}.zarr"))
        files = sorted(each for each in folder.rglob("*") if each.is_file() and each.stat().st_size)
        chosen = folder / "zarr.json" if k % 8 == 0 else rng.choice(files)
        content = bytearray(chosen.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        chosen.write_bytes(content)
        try:
            hlm.load_posterior(folder)
        except SamplingError:
            continue
        assert chosen == folder / "zarr.json"  # a blank between its words may be another
        assert json.loads(chosen.read_bytes()) == json.loads((saved["zarr"] / "zarr.json").read_bytes())


def external(file: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(b"\0" * 800)
    del file["posterior/gamma"]
    file.create_dataset("posterior/gamma", (100,), "f8", external=[(str(folder / "secret"), 0, 800)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (4,))
    file.create_virtual_dataset("posterior/secret", layout)


def linked(file: h5py.File, folder: Path) -> None:
    file["posterior/secret"] = h5py.ExternalLink(str(folder / "other.h5"), "/x")


def softly_linked(file: h5py.File, folder: Path) -> None:
    file["posterior/more"] = h5py.SoftLink("/moments/n")


def circular(file: h5py.File, folder: Path) -> None:
    file["posterior/more"] = file["posterior"]


def enormous(file: h5py.File, folder: Path) -> None:
    file.create_dataset("posterior/more", (10**10,), "f8", chunks=(1000,))


@pytest.mark.parametrize("change", [external, virtual, linked, softly_linked, circular, enormous])
def test_what_leads_out_of_a_file_is_refused(
    change: Callable[[h5py.File, Path], None], saved: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(shutil.copy(saved["nc"], tmp_path / "p.nc"))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(4.0)
    with h5py.File(path, "r+") as file:
        change(file, tmp_path)
    with pytest.raises(SamplingError, match="checksum"):
        hlm.load_posterior(path)
    seal(path)
    with pytest.raises(SamplingError, match=r"another place|another file|another way|more values"):
        hlm.load_posterior(path)


def large(head: dict[str, Any]) -> None:
    head["shape"] = [10**10]


def large_pieces(head: dict[str, Any]) -> None:
    head["chunk_grid"]["configuration"]["chunk_shape"] = [10**10]


def pickled(head: dict[str, Any]) -> None:
    head["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})


@pytest.mark.parametrize("change", [large, large_pieces, pickled, None])
def test_what_leads_out_of_a_folder_is_refused(
    change: Callable[[dict[str, Any]], None] | None, saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved["zarr"], tmp_path / "p.zarr"))
    place = folder / "posterior" / "sigma2" / "zarr.json"
    if change is None:
        place.unlink()
        place.symlink_to(saved["zarr"] / "posterior" / "sigma2" / "zarr.json")
    else:
        head = json.loads(place.read_text())
        change(head)
        place.write_text(json.dumps(head))
        root = json.loads((folder / "zarr.json").read_text())
        root["attributes"]["sha256"] = posterior_file._sum_of_folder(folder, root)
        (folder / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(SamplingError, match=r"another place|more values|another way"):
        hlm.load_posterior(folder)
    with pytest.raises(OutputError, match="no posterior"):
        posterior_file.write(posterior_file.read(saved["nc"]), folder)


def test_parts_that_do_not_fit_together_are_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    for name, value in (
        ("priors", "{"),
        ("settings", "[]"),
        ("model", "y = b0 + r"),
        ("priors", '{"a": {}}'),
    ):
        tree = posterior_file.read(saved["nc"])
        tree.attrs[name] = value
        with pytest.raises(
            hlm.HLMError if name == "model" else SamplingError, match=r"fit together|level-2|b0"
        ):
            hlm.load_posterior(posterior_file.write(tree, tmp_path / "p.nc"))


def test_a_file_of_a_model_with_terms_does_not_forget_them(tmp_path):
    """It has the columns of a factor or a power: means took them for variables, and were other numbers."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(np.arange(20), 10), "x": rng.normal(size=200)})
    frame = frame.assign(kind=np.resize(["a", "b", "c"], 200), y=(rng.random(200) < 0.5).astype(int))
    model = hlm.Model("logit(y) = b0 + b1*x^2 + b2*x + b3*kind; b0 = g00 + u0; b1 = g10; b2 = g20; b3 = g30")
    post = model.sample(frame, id="id", seed=1, draws=300)
    again = hlm.load_posterior(post.save(tmp_path / "post.nc"))
    twice = hlm.load_posterior(again.save(tmp_path / "again.nc"))
    assert twice.model == again.model == post.model
    assert repr(twice) == repr(post)
    pd.testing.assert_frame_equal(twice.predict(), post.predict())
    new = {"x": [0.0], "kind": ["b"]}
    for found in (again, twice, again.rerun(seed=2)):
        for call in (
            lambda f=found: f.means("x"),
            lambda f=found: f.slopes("x"),
            lambda f=found: f.predict(new),
        ):
            with pytest.raises(hlm.HLMError, match="a posterior from a file has their columns"):
                call()
    plain = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").sample(
        frame, id="id", seed=1, draws=300
    )
    read = hlm.load_posterior(plain.save(tmp_path / "plain.nc"))
    assert read.means("x", values=[0]).frame().equals(plain.means("x", values=[0]).frame())
