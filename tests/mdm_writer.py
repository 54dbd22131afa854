"""Write small .mdm files in the layout that hlmbayes/data/mdm.py describes; rows of given moments."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

ORACLES = Path(__file__).parent / "oracles"
FLAGS = {6.05: (0, 1, 0, -6), 7.0: (0, 1, 0, 0, -6), 8.2: (0, 1, 0, 0, 0, -6)}


def to_mdm(
    ids: Sequence[float] | Sequence[str],
    rows: Sequence[np.ndarray],
    names: tuple[Sequence[str], Sequence[str]],
    level2: np.ndarray,
    *,
    version: float = 7.0,
    tag: bytes = b"SSHLM2",
    means: np.ndarray | None = None,
) -> bytes:
    """A file of ``rows``, (n_j, n1) a unit, ``level2``, (J, n2), and ``means``, (J, n1), if not theirs."""
    n1, n2 = map(len, names)
    n = [len(r) for r in rows]
    every = np.concatenate(rows)
    own = np.array([r.mean(axis=0) for r in rows]) if means is None else means
    parts = [tag, struct.pack("<f4i", version, n1, n2, len(every), len(rows))]
    flags = FLAGS[version]
    if isinstance(ids[0], str):
        flags = (*flags[:-1], 12)
    parts.append(struct.pack(f"<{len(flags) + 1}i", *flags, max(n)))
    every_name = ("INTRCPT1", *names[0], "INTRCPT2", *names[1])
    parts += [f"{name[:8]:>8}".encode("cp1252").ljust(12) + b"\0" for name in every_name]
    parts.append(struct.pack("<i", 20) + b"C:\\data\\one.sav".ljust(20, b"\0") + b"two.sav".ljust(20, b"\0"))
    parts.append(np.concatenate([every.mean(axis=0), level2.mean(axis=0)]).tobytes())
    if version > 8:
        parts.append(np.concatenate([every.std(axis=0, ddof=1), level2.std(axis=0, ddof=1)]).tobytes())
    parts += [
        str(i).encode("cp1252").ljust(12) + b"\0" if isinstance(i, str) else struct.pack("<d", i) for i in ids
    ]
    parts.append(np.ascontiguousarray(level2, dtype="<f8").tobytes())
    for n_j, mean, r in zip(n, own, rows, strict=True):
        parts.append(
            struct.pack("<i", n_j) + mean.astype("<f8").tobytes() + np.ascontiguousarray(r).tobytes()
        )
    return b"".join(parts)


def rows_of(n: int, mean: np.ndarray, sscp: np.ndarray) -> np.ndarray:
    """Rows, (n, k), with a mean, (k,), and sums of squares and products about it, (k, k); n > k."""
    powers = np.vander(np.linspace(-1.0, 1.0, n), len(mean) + 1, increasing=True)
    basis = np.linalg.qr(powers)[0][:, 1:]  # orthonormal, orthogonal to 1
    values, vectors = np.linalg.eigh(sscp)
    return mean + basis @ (vectors * np.sqrt(np.maximum(values, 0.0))).T


def popular2(version: float = 7.0) -> bytes:
    """An .mdm with the moments of HLM 7's genuine popular2.mdm; its rows are others."""
    kept = json.loads((ORACLES / "popular2.json").read_text())
    sscp = np.zeros((len(kept["n"]), 3, 3))
    sscp[:, *np.tril_indices(3)] = kept["sscp"]
    sscp = sscp + np.tril(sscp, -1).transpose(0, 2, 1)
    moments = zip(kept["n"], np.array(kept["mean"]), sscp, strict=True)
    rows = [rows_of(*each) for each in moments]
    level2 = np.array(kept["level2"])[:, None]
    return to_mdm(kept["ids"], rows, (kept["columns"], ["TEXP"]), level2, version=version)


def small_mdm(
    seed: int = 1, n_units: int = 8, version: float = 7.0, text: bool = False
) -> tuple[bytes, Mapping[str, np.ndarray]]:
    """A file of 2 to 6 rows a unit, units not in order, and its columns: id and W repeated on the rows."""
    rng = np.random.default_rng(1)
    n, ids = rng.integers(2, 7, n_units), rng.permutation(n_units) + 101.0
    rng = np.random.default_rng(seed)
    level2 = rng.normal(size=(n_units, 1)).round(3)
    rows = [rng.normal(size=(k, 2)).round(3) for k in n]
    named = [f"U{i:.0f}" for i in ids] if text else ids.tolist()
    columns = {
        "id": np.repeat(np.array(named, dtype=object if text else float), n),
        "W": np.repeat(level2[:, 0], n),
    }
    columns |= dict(zip("XY", np.concatenate(rows).T, strict=True))
    return to_mdm(named, rows, (["X", "Y"], ["W"]), level2, version=version), columns
