"""gamvc.dat, gamvcr.dat and tauvc.dat: estimates, then their covariance matrix, 60 numbers a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import EstimationError
from hlmbayes.faces import record_of
from hlmbayes.report.matrix_files import MATRIX_FILES, gammas, gammas_robust, taus

from ..small import model, small


def numbers(text: str) -> np.ndarray:
    assert all(len(line.split()) <= 60 for line in text.splitlines())
    return np.array([float(word) for word in text.split()])


def test_standard_errors_are_in_the_files() -> None:
    fit = model("slopes").fit(small(n_units=60).data(), method="ML")
    record = record_of(fit)
    for text, se in (
        (gammas(record), fit.fixed_effects()["se"]),
        (gammas_robust(record), fit.fixed_effects(robust=True)["se"]),
    ):
        found = numbers(text)
        np.testing.assert_allclose(found[:4], fit.gamma, rtol=1e-9)
        np.testing.assert_allclose(np.sqrt(np.diag(found[4:].reshape(4, 4))), se, rtol=1e-8)
    found = numbers(taus(record))
    np.testing.assert_allclose(found[:3], np.asarray(fit.tau)[np.tril_indices(2)], rtol=1e-9)
    se = np.asarray(fit.se_tau)[np.tril_indices(2)]
    np.testing.assert_allclose(np.sqrt(np.diag(found[3:].reshape(3, 3))), se, rtol=1e-8)


def test_a_line_has_sixty_numbers_at_most() -> None:
    rng = np.random.default_rng(1)
    x = {f"x{k:02d}": rng.normal(size=400) for k in range(64)}
    terms = " + ".join(f"b{k + 1}*{name}" for k, name in enumerate(x))
    slopes = "\n".join(f"b{k + 1} = g{k + 1}_0" for k in range(64))
    data = hlm.read({"id": np.repeat(np.arange(20), 20), "y": rng.normal(size=400), **x}, id="id")
    fit = hlm.Model(f"y = b0 + {terms} + r\nb0 = g00 + u0\n{slopes}").fit(data)
    lines = gammas(record_of(fit)).splitlines()
    assert len(lines) == 2 * 66
    assert [len(line.split()) for line in lines[:4]] == [60, 5, 60, 5]


def test_tau_on_its_boundary_has_no_covariance_matrix() -> None:
    fit = model("slopes").fit(small(seed=4, n_units=14, sd=0.05).data())
    with pytest.raises(EstimationError, match=r"no covariance matrix of tau: .*tau is singular"):
        taus(record_of(fit))


def test_the_command_writes_them_beside_the_command_file_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "level1:Y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM/\nprintvariance-covariance:y\n"
    (tmp_path / "m.hlm").write_text(f"#WHLM CMD FILE FOR x.mdm\n{lines}")
    rng, unit = np.random.default_rng(0), np.repeat(np.arange(9), 5)
    y = rng.normal(size=45) + rng.normal(size=9)[unit]
    rows = "\n".join(f"{i},{value}" for i, value in zip(unit, y, strict=True))
    (tmp_path / "one.csv").write_text(f"id,Y\n{rows}\n")
    arguments = ["run", str(tmp_path / "m.hlm"), "--level1", str(tmp_path / "one.csv"), "--id", "id"]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert [f"wrote: covariance matrix {tmp_path / name}\n" in said for name in MATRIX_FILES] == [True] * 3
    (tmp_path / "gamvcr.dat").write_text("notes of 2009\n")
    (tmp_path / "tauvc.dat").unlink()
    (tmp_path / "tauvc.dat").symlink_to(tmp_path / "elsewhere")
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert "gamvc.dat; it took the place of one that was there" in said
    assert (
        "gamvcr.dat (printvariance-covariance:) was not written: gamvcr.dat is there and is no file of"
        in said
    )
    assert "tauvc.dat is there and is a link or no ordinary file" in said
    assert (tmp_path / "gamvcr.dat").read_text() == "notes of 2009\n"
    assert not (tmp_path / "elsewhere").exists()
