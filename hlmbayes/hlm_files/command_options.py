"""The options of an HLM command file: every keyword but the equations.

Facts about the files HLM 6 to 8 and the programs around it write (their
command files name these keywords; nothing is copied from them):

- `numit:100,y` has a second field (whether to go on without asking), which is
  of no use here.
- `hypoth:y` asks for hypotheses interactively; those written as `gamma1:` lines
  are tested whatever `hypoth:` says.
- `RANDOM` and names may be in lower case; a level-2 line may list candidate
  predictors after its "/", for an exploratory analysis.
- `varianceknown:`, `level1weight:` and the like say `none` where there is none.
- HLM 7 and 8 add keywords (agq, autoimpute, fishertype, ...) for analyses that
  do not exist here: switched off they are passed over, switched on they warn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn

from ..errors import CommandFileError
from .mdm_template import own_name

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ResidualFile:
    """A residual file that is asked for: its own name, its type and the extra variables."""

    name: str
    type: str
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What a command file asks for beside the model; the defaults are HLM's.

    Attributes
    ----------
    max_iterations : int
    stopval : float
        As in the file: per cent. HLM stops when the log-likelihood changes by less than
        stopval / 100 of its size.
    accel : int
        The accelerator runs at every accel-th iteration.
    fixtau : int
        3: a bad starting tau is mended automatically.
    lev1ols : int
        How many units' OLS lines to print.
    method : {"REML", "ML"}
    title, output : str
        `output` is the path as written in the file, for the listing.
    full_output : bool
        Every iteration.
    hypotheses : tuple of hypotheses
        Each a tuple of rows; a row has one coefficient for each gamma of the model, in order.
    deviance, df : float, int or None
        Deviance and number of parameters of the model to compare with.
    homogeneity : bool
        Test of homogeneity of level-1 variance.
    residuals1, residuals2 : ResidualFile or None
    level1_weight, level2_weight, variance_known : str or None
        Names of design weights, and of the known level-1 variance (a precision weight).
    plausible_values : tuple of str
        Outcomes that are plausible values of one, or .mdm files of imputed data.
    fix_sigma2 : float or None
    print_vcov : bool
    graph_gammas : str
        Name of the file for graphs, "" for none.
    """

    max_iterations: int = 100
    stopval: float = 1e-6
    accel: int = 5
    fixtau: int = 3
    lev1ols: int = 10
    method: Literal["REML", "ML"] = "REML"
    title: str = "no title"
    output: str = "hlm2.txt"
    full_output: bool = False
    hypotheses: tuple[Rows, ...] = ()
    deviance: float | None = None
    df: int | None = None
    homogeneity: bool = False
    residuals1: ResidualFile | None = None
    residuals2: ResidualFile | None = None
    level1_weight: str | None = None
    level2_weight: str | None = None
    variance_known: str | None = None
    plausible_values: tuple[str, ...] = ()
    fix_sigma2: float | None = None
    print_vcov: bool = False
    graph_gammas: str = ""


# Options that are read but that nothing acts on yet: asked for, they warn.
NOT_ACTED_ON = {
    "fixtau": "a bad starting tau is mended automatically, as fixtau:3 asks",
    "fix_sigma2": "sigma squared is not fixed, it is estimated",
    "graph_gammas": "no graph file is written",
}

# Keywords without an option here: the value that asks for nothing, and what is not done otherwise.
_IGNORED = {
    "lvr": "no latent variable regression is done",
    "level1deletion": "deletion at level 1 is as the data source says",
    "level2deletion": "deletion at level 2 is as the data source says",
    "laplace": "it belongs to nonlinear models",
    "laplace6": "it belongs to nonlinear models",
    "emlaplace5": "it belongs to nonlinear models",
    "agq": "it belongs to nonlinear models",
    "autoimpute": "missing values are not imputed",
    "startvals": "the starting values are computed",
    "diagnose": "no such output",
    "dofisher": "the algorithm is chosen by --algorithm",
    "esttau2": "tau is estimated",
    "nobase": "it belongs to nonlinear models",
    "popavit": "it belongs to nonlinear models",
    "taylor": "it belongs to nonlinear models",
    "vagueprior": "priors are set in hlmbayes sample",
    "debug": "no such output",
    "growthmodel": "a growth model is estimated as any other model",
    "hasmissing": "missing values are found in the data",
    "restricted": "the method is set by mlf:",
    "rstricted": "the method is set by mlf:",
}
_SILENT = {  # say how often to iterate, stop or print in analyses that do not exist here
    "macroit", "microit", "stopmacro", "stopmicro", "hetit", "autoimputeiter", "autoimputekeep",
    "fishertype", "agqderivlevel",
}  # fmt: skip

# Keywords of HLM's other programs, refused by the name of the kind of model.
OTHER_MODELS = {
    "level3": "a three-level model", "fixtau2": "a three-level model", "fixtau3": "a three-level model",
    "level3weight": "a three-level model", "resfil3": "a three-level model", "level4": "a four-level model",
    "lvr-beta": "a three-level model", "rowcol": "a cross-classified model",
    "clus": "a cross-classified model", "r_e_model": "a multivariate model",
    "unrestricted": "a multivariate model",
}  # fmt: skip


class Line(NamedTuple):
    """A "keyword:value" line and its place."""

    where: str
    keyword: str
    value: str

    def fail(self, message: str) -> NoReturn:
        """Raise the CommandFileError for this line."""
        raise CommandFileError(f"{self.where}: {message}")


def parse_options(lines: list[Line]) -> tuple[Options, list[str]]:
    """Options and warnings from the lines that are not equations.

    Raises
    ------
    CommandFileError
        A value that cannot be read, or a kind of model that is not available.
    """
    values: dict[str, Any] = {}
    warnings: list[str] = []
    places: dict[str, Line] = {}
    residuals: dict[str, str] = {}
    gammas: dict[int, list[tuple[float, ...]]] = {}
    hypoth = None
    for line in lines:
        keyword = line.keyword
        _refuse_other_models(line)
        if keyword in _READERS:
            name, reader = _READERS[keyword]
            if name in places:
                warnings.append(f"{line.where}: {keyword}: is given a second time; this one counts")
            places[name] = line
            values[name] = reader(line)
        elif is_hypothesis(keyword):
            gammas.setdefault(int(keyword[5:]), []).extend(hypothesis_rows(line))
        elif keyword in ("resfil1", "resfil2", "resfil1name", "resfil2name", "resfiltype"):
            residuals[keyword] = line.value
        elif keyword == "hypoth":
            hypoth = line
        else:
            warnings += _ignored(line)
    values["hypotheses"] = tuple(tuple(rows) for _, rows in sorted(gammas.items()))
    values["residuals1"] = _residual_file(residuals, "resfil1")
    values["residuals2"] = _residual_file(residuals, "resfil2")
    options = Options(**values)
    if hypoth is not None and not _is_off(hypoth.value) and not gammas:
        warnings.append(
            f"{hypoth.where}: hypoth:{hypoth.value} without gamma1: lines; no hypothesis is tested"
        )
    return options, warnings + _unused(options, places)


def _refuse_other_models(line: Line) -> None:
    keyword = line.keyword
    if keyword in OTHER_MODELS:
        line.fail(f"{OTHER_MODELS[keyword]} ({keyword}:) is not available; only two-level linear models are")
    if keyword == "nonlin" and not _is_off(line.value):
        line.fail(f"a nonlinear model (nonlin:{line.value}) is not available; only linear models are")


def _ignored(line: Line) -> list[str]:
    """The warning for a keyword without an option: none where it asks for nothing."""
    keyword = line.keyword
    if keyword in _IGNORED:
        asks = f"{line.where}: {keyword}:{line.value} is not acted on; {_IGNORED[keyword]}"
        return [] if _is_off(line.value) else [asks]
    if keyword in _SILENT or keyword == "nonlin":
        return []
    return [f"{line.where}: {keyword!r} is not a known keyword; ignored"]


def _unused(options: Options, places: dict[str, Line]) -> list[str]:
    """Warnings for options that are asked for and not acted on, or only half given."""
    defaults = Options()
    warnings = [
        f"{line.where}: {line.keyword}:{line.value} is not acted on; {NOT_ACTED_ON[name]}"
        for name, line in places.items()
        if name in NOT_ACTED_ON and getattr(options, name) != getattr(defaults, name)
    ]
    if (options.deviance is None) != (options.df is None):
        given, lacking = ("deviance", "df") if options.df is None else ("df", "deviance")
        warnings.append(f"{given}: is given without {lacking}:, so models are not compared")
    return warnings


# ---------------------------------------------------------------- values


def _is_off(value: str) -> bool:
    return value.split(",")[0].strip().casefold() in ("", "n", "no", "none", "0")


def _yes(line: Line) -> bool:
    value = line.value.strip().casefold()
    if value in ("y", "yes"):
        return True
    if not _is_off(line.value):
        line.fail(f"{line.keyword}: wants y or n, got {line.value!r}")
    return False


def _integer(line: Line) -> int:
    field = line.value.split(",")[0].strip()
    if not (field.isascii() and field.isdecimal() and len(field) < 10):
        line.fail(f"{line.keyword}: wants a whole number, got {line.value!r}")
    return int(field)


def _number(line: Line, field: str | None = None) -> float:
    text = line.value if field is None else field
    try:
        number = float(text.strip().replace("D", "E").replace("d", "e"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        line.fail(f"{line.keyword}: wants a number, got {text.strip()!r}")
    return number


def _on(line: Line) -> bool:
    return not _is_off(line.value)


def _optional(line: Line) -> float | None:
    return None if _is_off(line.value) else _number(line)


def _optional_integer(line: Line) -> int | None:
    return None if _is_off(line.value) else _integer(line)


def _optional_positive(line: Line) -> float | None:
    return None if _is_off(line.value) else _positive(line)


def _positive(line: Line) -> float:
    number = _number(line)
    if number <= 0:
        line.fail(f"{line.keyword}: wants a number above 0, got {line.value!r}")
    return number


def _text(line: Line) -> str:
    return line.value.strip()


def _name(line: Line) -> str | None:
    return None if _is_off(line.value) else line.value.split(",")[0].strip()


def _names(line: Line) -> tuple[str, ...]:
    if _is_off(line.value):
        return ()
    return tuple(name.strip() for name in line.value.replace("/", ",").split(",") if name.strip())


def _file(line: Line) -> str:
    return "" if _is_off(line.value) else own_name(line.value)


def _method(line: Line) -> str:
    return "ML" if _yes(line) else "REML"


def is_hypothesis(keyword: str) -> bool:
    """Whether a keyword is gamma1, gamma2, ...: a row of that hypothesis."""
    return bool(re.fullmatch(r"gamma[0-9]{1,4}", keyword))


def hypothesis_rows(line: Line) -> list[tuple[float, ...]]:
    """Rows of a hypothesis: 0,1,0 or several with "/" between them; rows of zeros ask for nothing."""
    parts = [part.strip(" \t").rstrip(",") for part in line.value.split("/")]
    rows = [tuple(_number(line, field) for field in part.split(",")) for part in parts if part]
    if not rows:
        line.fail(f"{line.keyword}: wants one coefficient for each gamma, such as {line.keyword}:0.0,1.0,0.0")
    return [row for row in rows if any(row)]


def _residual_file(residuals: dict[str, str], keyword: str) -> ResidualFile | None:
    asked, _, variables = residuals.get(keyword, "n").partition("/")
    if _is_off(asked):
        return None
    kind = residuals.get("resfiltype", "spss").strip().casefold() or "spss"
    extension = {"stata": "dta", "sas": "sas7bdat", "systat": "csv", "ascii": "csv"}.get(kind, "sav")
    name = own_name(residuals.get(f"{keyword}name", "")) or f"{keyword}.{extension}"
    return ResidualFile(name, kind, tuple(v.strip() for v in variables.split(",") if v.strip()))


_READERS: dict[str, tuple[str, Callable[[Line], Any]]] = {
    "numit": ("max_iterations", _integer),
    "stopval": ("stopval", _positive),
    "accel": ("accel", _integer),
    "fixtau": ("fixtau", _integer),
    "lev1ols": ("lev1ols", _integer),
    "mlf": ("method", _method),
    "title": ("title", _text),
    "output": ("output", _text),
    "fulloutput": ("full_output", _yes),
    "deviance": ("deviance", _optional),
    "df": ("df", _optional_integer),
    "homvar": ("homogeneity", _yes),
    "level1weight": ("level1_weight", _name),
    "level2weight": ("level2_weight", _name),
    "varianceknown": ("variance_known", _name),
    "plausvals": ("plausible_values", _names),
    "fixsigma2": ("fix_sigma2", _optional_positive),
    "printvariance-covariance": ("print_vcov", _on),
    "prntvcmat": ("print_vcov", _on),
    "graphgammas": ("graph_gammas", _file),
}
