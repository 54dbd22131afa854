"""Damaged and enormous input: readers raise documented errors only, and none takes longer than a second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import read
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.errors import HLMError
from hlmbayes.hlm_files.command_file import has_equations_of_hlm, parse, read_command_file
from hlmbayes.hlm_files.mdm_template import DataSource, parse_template, read_template
from hlmbayes.hypotheses.combinations import combinations
from hlmbayes.unit_moments.record import load_moments, moments_of

SECONDS = 1.0  # of processor time, for one input
EQUATIONS = """mathach = b0 + b1*group(ses) + r   # level 1
b0 = g00 + g01*`sector 2` + u0; b1 = g10 + g11*grand(meanses) + u1
log(sigma2) = a0 + a1*female
g01 = g11
"""
FORMULA = "mathach ~ (sector + meanses)*group(ses) + 0 + `a b`:x - 1 + (1 + group(ses) | id)"
COMMANDS = """#WHLM CMD FILE FOR hsb.mdm
nonlin:n
numit:100,y
stopval:0.0000010000
level1:MATHACH=INTRCPT1+SES,1+RANDOM
level2:INTRCPT1=INTRCPT2+SECTOR+MEANSES,2+random/
level2:SES=INTRCPT2+SECTOR+random/
heterol1var:FEMALE
constrain:0,1,0,0,1
resfil1:n/SES,SECTOR
hypoth:y
gamma1:0.0,1.0,0.0,0.0,0.0
plausvals:PV1,PV2/PV3
"""
TEMPLATE = """#HLM2 MDM CREATION TEMPLATE
rawdattype:spss
l1fname:one.csv
l2fname:two.csv
l1missing:n
timeofdeletion:now
mdmname:hsb.mdm
*begin l1vars
level2id:ID
SES
MATHACH
*end l1vars
*begin l2vars
level2id:ID
SECTOR
*end l2vars
"""
SOURCE = DataSource(
    "hsb.mdm", Path("one.csv"), Path("two.csv"), "ID", ("SES", "MATHACH", "FEMALE"), ("SECTOR", "MEANSES")
)
PIECES = [
    *"`~+-*:|().,#;=/\\\n\r\t @$%^é²\0\u2028\u0301٣", "b0", "b1*x", "g00", "g1_10", "u0",
    "r", "log(", "sigma2", "a1", "0", "1" * 50, "group(", "grand", " | id)", "level1:", "level2:", "INTRCPT1",
    "RANDOM", "*begin ", "gamma1:", "nan", "1e999", "INF",
]  # fmt: skip


def damaged(rng: random.Random, text: str) -> str:
    """A text with pieces taken out, put in, doubled or repeated many times."""
    for _ in range(rng.randint(1, 4)):
        a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + rng.choice((0, 1, 3, 30)))
        times = rng.choice((0, 1, 1, 1, 2, 40))
        text = text[:a] + rng.choice((rng.choice(PIECES), text[a:b])) * times + text[b:]
    return text


def flipped(rng: random.Random, whole: bytes) -> bytes:
    """Bytes with some of them another, taken out or cut off."""
    content = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        a = rng.randrange(len(content))
        del content[a : a + rng.choice((1, 4, 100))]
    return bytes(content)


def seconds(reader: Callable[[], object]) -> float:
    """How long a reader takes; errors that are documented are well, others are not."""
    start = time.process_time()
    try:
        reader()
    except HLMError as error:
        assert str(error)  # noqa: PT017 - most inputs raise, some do not
    return time.process_time() - start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data files that the template names, and a moments file."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "one.csv").write_text("ID,SES,MATHACH\n1,2,3\n")
    (folder / "two.csv").write_text("ID,SECTOR\n1,2\n")
    rng = np.random.default_rng(1)
    columns = {"id": np.repeat(np.arange(12), 4), "y": rng.normal(size=48), "x": rng.normal(size=48)}
    moments_of(read(columns, id="id"), ["y", "x"]).save(folder / "whole.parquet")
    return folder


def readers(rng: random.Random, folder: Path) -> Iterator[Callable[[], object]]:
    """One damaged input for each reader."""
    formula, commands, template = (damaged(rng, text) for text in (FORMULA, COMMANDS, TEMPLATE))
    equations, hypothesis = damaged(rng, EQUATIONS), damaged(rng, LONG["hypothesis"])
    yield lambda: TwoLevelModel(equations)
    yield lambda: combinations(SMALL, hypothesis)
    yield lambda: TwoLevelModel.from_formula(formula, level2=rng.choice((None, ["sector", "meanses"])))
    yield lambda: parse(commands, "x.hlm", rng.choice((None, SOURCE)))
    yield lambda: parse_template(template, folder / "hsb.mdmt")
    (folder / "x.hlm").write_bytes(flipped(rng, commands.encode("utf-8")))
    (folder / "hsb.mdmt").write_bytes(
        flipped(rng, TEMPLATE.encode(rng.choice(("utf-8", "utf-16", "latin-1"))))
    )
    yield lambda: read_template(folder / "hsb.mdmt")
    yield lambda: read_command_file(folder / "x.hlm")
    (folder / "x.parquet").write_bytes(flipped(rng, (folder / "whole.parquet").read_bytes()))
    yield lambda: load_moments(folder / "x.parquet")


@pytest.mark.parametrize("seed", range(4))
def test_damaged_input_raises_documented_errors(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    slowest = max(seconds(reader) for _ in range(100) for reader in readers(rng, folder))
    assert slowest < SECONDS


SHORT = {  # seeds that a parser reads in a moment: most of what is damaged
    "equations": "y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10",
    "formula": "y ~ x + (1 | id)",
    "commands": "level1:Y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM/\ngamma1:1.0\n",
    "template": "l1fname:one.csv\n*begin l1vars\nlevel2id:ID\nX\n*end l1vars\n",
    "hypothesis": "g01 - 2*g10 = 0.5, `a b`:x",
}
LONG = {
    "equations": EQUATIONS, "formula": FORMULA, "commands": COMMANDS, "template": TEMPLATE,
    "hypothesis": "2*(g00 - g01) + .5e-3*ses:sector = 1; group(ses) = w[a] and -g10 = g11 = 0\n(g01)/2",
}  # fmt: skip
SMALL = TwoLevelModel(SHORT["equations"])
TEXTS: dict[str, Callable[[str, Path], object]] = {
    "equations": lambda text, folder: TwoLevelModel(text),
    "formula": lambda text, folder: TwoLevelModel.from_formula(text),
    "commands": lambda text, folder: parse(text, "x.hlm", SOURCE if len(text) % 2 else None),
    "template": lambda text, folder: parse_template(text, folder / "hsb.mdmt"),
    "hypothesis": lambda text, folder: combinations(SMALL, text),
}
BINARY = (".nc", ".moments", ".csv", ".sav", ".zsav", ".dta", ".xpt", ".parquet")
PARTS = 4  # of each kind of text, for those who have two processors
EACH_TEXT, EACH_BINARY = 48_000, 5_000
assert len(TEXTS) * PARTS * EACH_TEXT + len(BINARY) * EACH_BINARY == 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", TEXTS)
def test_a_million_damaged_inputs_texts(kind: str, part: int, folder: Path) -> None:
    rng, read_text, slowest = random.Random(f"{kind} {part}"), TEXTS[kind], 0.0
    for k in range(EACH_TEXT):
        text = damaged(rng, (SHORT if k % 16 else LONG)[kind])
        slowest = max(slowest, seconds(partial(read_text, text, folder)))
    assert slowest < SECONDS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file of each format that is read, whole."""
    folder, rng = tmp_path_factory.mktemp("whole"), np.random.default_rng(1)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(12.0), 4), "y": rng.normal(size=48), "t": ["a", "é"] * 24}
    )
    data = read({name: frame[name].to_numpy() for name in ("id", "y")})
    moments_of(data, ["y"]).save(folder / "a.moments")
    model = hlm.Model("y = b0 + r; b0 = g00 + u0")
    model.sample(data, seed=1, draws=20, chains=2, keep_effects=False).save(folder / "a.nc")
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "a.parquet")
    labels = {"column_labels": {"y": "Outcome"}, "variable_value_labels": {"id": {1.0: "one"}}}
    for suffix in (".sav", ".zsav"):
        pyreadstat.write_sav(frame, folder / f"a{suffix}", compress=suffix == ".zsav", **labels)
    pyreadstat.write_dta(frame, folder / "a.dta", **labels)
    pyreadstat.write_xport(frame, folder / "a.xpt")
    return {suffix: (folder / f"a{suffix}").read_bytes() for suffix in BINARY}


def read_any(path: Path) -> None:
    if path.suffix == ".nc":
        hlm.load_posterior(path)
    elif path.suffix == ".moments":
        load_moments(path)
    else:
        read(path).level1_column("y")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hlmbayes.errors.HLMWarning")
@pytest.mark.parametrize("suffix", BINARY)
def test_a_million_damaged_inputs_files(suffix: str, files: dict[str, bytes], tmp_path: Path) -> None:
    rng, path, slowest = random.Random(suffix), tmp_path / f"x{suffix}", 0.0
    for k in range(EACH_BINARY):
        content = files[suffix]
        head = rng.choice((200, 1000, len(content)))  # more is said in the beginning of a file
        path.write_bytes(flipped(rng, content[:head]) + content[head:] if k % 2 else flipped(rng, content))
        slowest = max(slowest, seconds(partial(read_any, path)))
    assert slowest < SECONDS


MANY = 12_000
NAMES = [f"x{k}" for k in range(MANY)]
GAMMAS = [f"g{i}_{j}" for i in range(10, 60) for j in range(10, 110)]
CONSTRAINED = "\n".join(
    [
        "y = " + " + ".join(f"b{i}*x{i}" for i in range(10, 60)),
        *(f"b{i} = " + " + ".join(f"g{i}_{j}*w{j}" for j in range(10, 110)) for i in range(10, 60)),
        *(f"{a} = {b}" for a, b in zip(GAMMAS[:1200:2], GAMMAS[1:1200:2], strict=True)),
    ]
)
LEVEL1 = "level1:Y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM\n"


def crossed(n: int) -> str:
    return f"y ~ ({' + '.join(NAMES[:n])})*({' + '.join(f'w{k}' for k in range(n))}) + (1 | id)"


@pytest.mark.parametrize(
    "text",
    [
        crossed(60), crossed(100), crossed(3000), "y ~ " + "+".join(NAMES) + "+ (1 | id)",
        "y ~ 1 + (" + "+".join(NAMES) + "| id)", "y ~ " + "+".join(NAMES[:6000]) + "+ 1" * 9000 + "+(1|id)",
        "y ~ " + "(x) + " * 15_000 + "(1 | id)", "y ~ 1" + "+ (1 | id)" * 9000, "y ~ " + "(" * 90_000,
        "y ~ (" + "+".join(NAMES[:5000]) + ")" + "*x1" * 12_000 + "+ (1 | id)", "y ~ x" + "*x" * 40_000,
        "y ~ x" + "`" * 90_001, "y ~ " + "x + " * 1_000_000,
    ],
    ids=lambda text: f"{text[:12]}-{len(text)}",
)  # fmt: skip
def test_long_formulas_take_no_longer_than_a_second(text: str) -> None:
    level2 = [f"w{k}" for k in range(100)] if "w99 " in text or "w99)" in text else []
    assert any(seconds(lambda: TwoLevelModel.from_formula(text, level2=level2)) < SECONDS for _ in range(3))


def test_long_formulas_that_are_models_are_read() -> None:
    model = TwoLevelModel.from_formula(crossed(60), level2=[f"w{k}" for k in range(60)])
    assert len(model.gamma_names) == 61**2
    assert model.gamma_names[-1] == "g60_60"


@pytest.mark.parametrize(
    "text",
    [
        CONSTRAINED, "y = b0 + r\nb0 = g00\n" + "g00 = g00\n" * 9000,
        "y = b0+\n" + "b1*x+\n" * 16_000 + "r\nb0 = g00",
        "y = b0\n" + "+ b1*x\\\n" * 11_000, "y = " + "b0 + " * 9000 + "r\nb0 = " + "g00 + " * 9000 + "u0",
        "y = b0 + r\nb0 = g00\nlog(sigma2) = " + "*".join(f"a{k % 900}" for k in range(18_000)), "`" * 99_999,
        "y = b0 + r\n" * 9000, "\n" * 99_999, "y = " + "*".join(NAMES),
    ],
    ids=lambda text: f"{text[:12]!r}-{len(text)}",
)  # fmt: skip
def test_long_equations_take_no_longer_than_a_second(text: str) -> None:
    assert any(seconds(lambda: TwoLevelModel(text)) < SECONDS for _ in range(3))


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 290_000, " " * 290_000, "\r" * 290_000, "#" + " " * 290_000, "*begin" + " " * 290_000,
        ":" * 290_000,
        LEVEL1 + "numit:1\n" * 30_000, LEVEL1 + "gamma1:" + "1," * 140_000, LEVEL1 + "gamma1:1\n" * 30_000,
        "level1:Y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2\n" + "+w\n" * 90_000,
        "level1:Y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+" + "+".join(NAMES) + "\n"
        + "\n".join(f"constrain{k}:g0_{2 * k + 10}=g0_{2 * k + 11}" for k in range(400)),
        "level1:Y=INTRCPT1+" + "+".join(NAMES[:5000]) + "\n"
        + "".join(f"level2:{x}=INTRCPT2\n" for x in NAMES[:5000]),
        "l1fname:one.csv\n*begin l1vars\nlevel2id:ID\n" + "X\n" * 120_000, "nonsense:1\n" * 26_000,
    ],
    ids=lambda text: f"{text[:12]!r}-{len(text)}",
)  # fmt: skip
def test_long_files_of_hlm_take_no_longer_than_a_second(folder: Path, text: str) -> None:
    assert any(seconds(lambda: has_equations_of_hlm(text)) < SECONDS for _ in range(3))
    assert any(seconds(lambda: parse(text, "x.hlm", SOURCE)) < SECONDS for _ in range(3))
    assert any(seconds(lambda: parse_template(text, folder / "x.mdmt")) < SECONDS for _ in range(3))


@pytest.mark.parametrize(
    "text",
    [
        "g01 - " + "1" * 9900, "g01 - " + "1." * 4900, "1e" * 4900, "g01 = " + "(" * 9000, "`" * 9999,
        "[" * 9999, "a[b" * 3000, "g01," * 2400, "g01 = " * 1600, "-" * 9999, "a:" * 4900, "a^" * 4900,
        "and " * 2400, "g01\n" * 2400, "." * 9999,
    ],
    ids=lambda text: f"{text[:8]!r}-{len(text)}",
)  # fmt: skip
def test_long_hypotheses_take_no_longer_than_a_second(text: str) -> None:
    assert any(seconds(lambda: combinations(SMALL, text)) < SECONDS for _ in range(3))


def test_files_larger_than_any_of_hlm_are_refused_by_size(folder: Path) -> None:
    path = folder / "large.hlm"
    path.write_text("level1:Y=INTRCPT1\n" * 20_000)
    with pytest.raises(HLMError, match="has 360000 bytes"):
        read_command_file(path)
