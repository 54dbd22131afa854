"""Damaged and enormous input: readers raise documented errors only, and none takes longer than a second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hlmbayes.data.two_level import read
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.errors import HLMError
from hlmbayes.hlm_files.command_file import has_equations_of_hlm, parse, read_command_file
from hlmbayes.hlm_files.mdm_template import DataSource, parse_template, read_template
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
    equations = damaged(rng, EQUATIONS)
    yield lambda: TwoLevelModel(equations)
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


@pytest.mark.slow
def test_much_damaged_input_raises_documented_errors(folder: Path) -> None:
    rng, start, n = random.Random(20), time.process_time(), 0
    while time.process_time() - start < 50:
        assert max(seconds(reader) for reader in readers(rng, folder)) < SECONDS
        n += 1
    assert n > 1000


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
    assert seconds(lambda: TwoLevelModel.from_formula(text, level2=level2)) < SECONDS


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
    assert seconds(lambda: TwoLevelModel(text)) < SECONDS


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
    assert seconds(lambda: has_equations_of_hlm(text)) < SECONDS
    assert seconds(lambda: parse(text, "x.hlm", SOURCE)) < SECONDS
    assert seconds(lambda: parse_template(text, folder / "x.mdmt")) < SECONDS


def test_files_larger_than_any_of_hlm_are_refused_by_size(folder: Path) -> None:
    path = folder / "large.hlm"
    path.write_text("level1:Y=INTRCPT1\n" * 20_000)
    with pytest.raises(HLMError, match="has 360000 bytes"):
        read_command_file(path)
