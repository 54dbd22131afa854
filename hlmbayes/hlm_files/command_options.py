"""The options of an HLM command file: every keyword but the equations.

Facts about the files HLM 6 to 8 and the programs around it write (their
command files name these keywords; nothing is copied from them):

- `numit:100,y` goes on after the 100th iteration until the iterations converge,
  `numit:100,n` stops there; without the second field HLM asks, here it stops.
- `hypoth:y` asks for hypotheses interactively; those written as `gamma1:` lines
  are tested whatever `hypoth:` says.
- `RANDOM` and names may be in lower case; a level-2 line may list candidate
  predictors after its "/", for an exploratory analysis.
- `varianceknown:`, `level1weight:` and the like say `none` where there is none.
- `fixsigma2:36.7` holds sigma squared at that value.
- `nonlin:` is with the equations; `macroit:`, `microit:`, `stopmacro:` and `stopmicro:` say how long the two
  kinds of iterations of such models go on. `fixsigma2:1` of them is no overdispersion, `fixsigma2:n` is one.
- HLM 7 and 8 add keywords (agq, autoimpute, fishertype, ...) for analyses that
  do not exist here: switched off they are passed over, switched on they are named.

What is asked for and not done is of two kinds. A warning is of what the numbers
depend on, or of what is not understood; the rest (a graph file, say) is only named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..equations.outcome_law import Asked
from . import keyword_values as read
from .keyword_values import Line, hypothesis_rows, is_hypothesis, is_off
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
    """What a command file asks for beside the model; the defaults are HLM's."""

    max_iterations: int = 100
    keep_going: bool = False  # iterate on after max_iterations, until the iterations converge
    stopval: float = 1e-6  # per cent: HLM stops when the log-likelihood changes by less of its size
    accel: int = 5  # the accelerator runs at every accel-th iteration
    fixtau: int = 3  # 3: a bad starting tau is mended automatically
    lev1ols: int = 10  # how many units' OLS lines to print
    method: Literal["REML", "ML"] = "REML"
    title: str = "no title"
    output: str = "hlm2.txt"  # the path as written in the file, for the listing
    full_output: bool = False  # every iteration
    hypotheses: tuple[Rows, ...] = ()  # rows of one coefficient for each gamma of the model, in order
    deviance: float | None = None  # of the model to compare with, and its number of parameters
    df: int | None = None
    homogeneity: bool = False  # test of homogeneity of level-1 variance
    residuals1: ResidualFile | None = None
    residuals2: ResidualFile | None = None
    level1_weight: str | None = None  # names of design weights
    level2_weight: str | None = None
    variance_known: str | None = None  # name of the known level-1 variance
    variance_known_is: Literal["variance", "precision"] = "variance"  # how that was read: no keyword says it
    plausible_values: tuple[str, ...] = ()  # outcomes that are values of one, or .mdm files of imputed data
    fix_sigma2: float | None = None  # the level-1 variance, where it is held at a value
    n_categories: int | None = field(default=None, compare=False)  # of the outcome, as nonlin: counts them
    most_macro: int | None = None  # macro iterations of a nonlinear model
    stop_macro: float | None = None  # relative change at which they end
    laplace: bool = False  # Laplace's approximation after penalised quasi-likelihood
    print_vcov: bool = False
    graph_gammas: str = ""  # name of the file for graphs, "" for none
    explore: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # candidates, by coefficient
    hlm: str = "6"  # the version of HLM whose rules and words are followed
    hlm_sign: str = ""  # by what the file shows that they are those of HLM 7


# Options that are read but that nothing acts on: asked for, they are named.
NOT_ACTED_ON = {
    "fixtau": "a bad starting tau is mended automatically, as fixtau:3 asks",
    "graph_gammas": "no graph file is written",
}
_NAMED = ("level1_weight", "level2_weight", "variance_known")  # that name a variable
_NOT_HLMS = "the results are not those of HLM with this keyword"
# Keywords without an option here, and what is not done where they ask for something.
_CHANGES = {  # numbers depend on them
    "level1deletion": f"rows are left out as timeofdeletion: of the template says; {_NOT_HLMS}",
    "level2deletion": f"take units that miss a level-2 value out of the data; {_NOT_HLMS}",
    "autoimpute": f"missing values are not imputed: impute them first, see plausvals:; {_NOT_HLMS}",
    "startvals": "the starting values are computed, so HLM's path differs; --algorithm exact needs none",
    "dofisher": "the algorithm is chosen by --algorithm",
    "firc": f"no such model is estimated; centre the predictor instead (NAME,1); {_NOT_HLMS}",
    **dict.fromkeys(("restricted", "rstricted"), "the method is set by mlf:"),
} | dict.fromkeys(
    ("contau2", "contau3", "diagonalizetaubeta", "diagonalizetaupi"),
    f"tau is estimated without such a restriction; equations can have cov(u0, u1) = 0; {_NOT_HLMS}",
)  # fmt: skip
_MISSING_ONLY = {  # the numbers of a two-level linear model do not depend on them
    **dict.fromkeys(("lvr", "lvr-beta"), "no latent variable regression is done"),
    **dict.fromkeys(("diagnose", "debug"), "no such output"),
    "growthmodel": "a growth model is estimated as any other model",
    "vagueprior": "priors are set in hlmbayes sample",
} | dict.fromkeys(("laplace6", "emlaplace5", "agq", "nobase", "taylor"), "it belongs to nonlinear models")
_SILENT = {  # how often to iterate, when to stop, what to print in analyses that do not exist here
    "microit", "stopmicro", "hetit", "autoimputeiter", "autoimputekeep",
    "fishertype", "agqderivlevel", "popavit", "hasmissing",
}  # fmt: skip

# Keywords of HLM's other programs, refused by the name of the kind of model.
_HARMLESS_WHEN_OFF = {"level3weight", "level3deletion", "resfil3", "resfil3name", "esttau3"}
OTHER_MODELS = {
    **dict.fromkeys(("level3", "fixtau2", "fixtau3", *_HARMLESS_WHEN_OFF), "a three-level model"),
    "level4": "a four-level model",
    **dict.fromkeys(("rowcol", "clus"), "a cross-classified model"),
    **dict.fromkeys(("r_e_model", "unrestricted"), "a multivariate model"),
}


class Found(NamedTuple):
    """What the lines that are not equations hold."""

    options: Options
    warnings: tuple[str, ...]  # what the numbers depend on, or is not understood
    not_done: tuple[str, ...]  # what is asked for beside the numbers


def parse_options(lines: list[Line]) -> Found:
    """Read the lines that are not equations.

    Raises
    ------
    CommandFileError
        A value that cannot be read, or a kind of model that is not available.
    """
    refuse_other_models(lines)
    values: dict[str, Any] = {}
    warnings: list[str] = []
    not_done: list[str] = []
    places: dict[str, Line] = {}
    residuals: dict[str, Line] = {}
    gammas: dict[int, list[tuple[float, ...]]] = {}
    hypoth = None
    for line in lines:
        keyword = line.keyword
        if keyword in _READERS:
            name, reader = _READERS[keyword]
            places[name] = line
            values[name] = reader(line)
        elif is_hypothesis(keyword):
            gammas.setdefault(int(keyword[5:]), []).extend(hypothesis_rows(line))
        elif keyword in _OF_RESIDUALS:
            residuals[keyword] = line
        elif keyword == "hypoth":
            hypoth = line
        elif keyword == "nonlin":
            values["n_categories"] = _categories(line)
        else:
            _not_an_option(line, warnings, not_done)
    if "max_iterations" in places:
        values["keep_going"] = read.keep_going(places["max_iterations"])
    values["hypotheses"] = tuple(tuple(rows) for _, rows in sorted(gammas.items()) if rows)
    values["residuals1"] = _residual_file(residuals, "resfil1", warnings)
    values["residuals2"] = _residual_file(residuals, "resfil2", warnings)
    options = Options(**values)
    if hypoth is not None and not is_off(hypoth.value) and not values["hypotheses"]:
        what = "with nothing but zeros in its gamma1: lines" if gammas else "without gamma1: lines"
        warnings.append(f"{hypoth.where}: hypoth:{hypoth.value} {what}; no hypothesis is tested")
    _unused(options, places, warnings, not_done)
    return Found(options, tuple(warnings), tuple(not_done))


def given_twice(lines: Iterable[Line]) -> list[str]:
    """Say which keywords are given a second time, of those that are given once."""
    seen: set[str] = set()
    said = []
    for line in lines:
        name = _READERS[line.keyword][0] if line.keyword in _READERS else line.keyword
        if name in seen and name not in _SILENT and not _SEVERAL.fullmatch(name):
            said.append(f"{line.where}: {line.keyword}: is given a second time; this one counts")
        seen.add(name)
    return said


_SEVERAL = re.compile(r"level[12]|gamma[0-9]+|constrain[0-9]*")  # there may be several such lines


def is_option(keyword: str) -> bool:
    """Whether a keyword is an option that is acted on."""
    return keyword in _READERS or is_hypothesis(keyword) or keyword in _OF_RESIDUALS


def refuse_other_models(lines: Iterable[Line]) -> None:
    """Refuse with a CommandFileError the kinds of models that are not available."""
    for line in lines:
        keyword = line.keyword
        if keyword in OTHER_MODELS and not (keyword in _HARMLESS_WHEN_OFF and is_off(line.value)):
            what = f"{OTHER_MODELS[keyword]} ({keyword}:)"
            line.fail(f"{what} is not available; only two-level linear models are")
        if keyword == "nonlin":
            outcome_asked(line)


def outcome_asked(line: Line) -> Asked:
    """Read nonlin:, what is said of the outcome: n, bernoulli, binomial,TRIALS, poisson, ordinal,3, ..."""
    if is_off(line.value):
        return Asked()
    kind, *more = (part.strip() for part in line.value.split(","))
    size = more[0] if more and more[0] else None
    family = kind.casefold()
    if family not in _NONLINEAR or len(more) > 1:
        line.fail(
            f"a nonlinear model (nonlin:{line.value}) is not available; there are n (linear), bernoulli, "
            "binomial,TRIALS, poisson, poisson,EXPOSURE (level-1 variables), ordinal,CATEGORIES and "
            "multinomial,CATEGORIES (how many)"
        )
    if family in _COUNTED:
        if size is not None and not re.fullmatch(r"\d{1,9}", size, re.ASCII):
            line.fail(
                f"nonlin:{family} wants the number of categories, as in nonlin:{family},3, got {size!r}"
            )
        return Asked(family)
    if family == "binomial" and size is None:
        line.fail(
            "nonlin:binomial wants the variable with the number of trials: nonlin:binomial,TRIALS; an "
            "outcome of 0 and 1 is nonlin:bernoulli"
        )
    if family == "bernoulli" and size is not None:
        line.fail(f"nonlin:bernoulli has one trial a row; nonlin:binomial,{size} has {size} trials")
    return Asked(family, trials=size) if family == "binomial" else Asked(family, exposure=size)


def _categories(line: Line) -> int | None:
    """How many categories nonlin: says that the outcome has."""
    family, _, size = line.value.partition(",")
    return int(size) if family.strip().casefold() in _COUNTED and size.strip() else None


_COUNTED = ("ordinal", "multinomial")  # whose number of categories may stand beside
_NONLINEAR = ("bernoulli", "binomial", "poisson", *_COUNTED)


def _not_an_option(line: Line, warnings: list[str], not_done: list[str]) -> None:
    """Name a keyword without an option, unless it asks for nothing."""
    keyword = line.keyword
    if keyword == "esttau2" and is_off(line.value):  # here "n" is what asks for something
        words = f"tau is estimated; {_NOT_HLMS}"
        warnings.append(f"{line.where}: {keyword}:{line.value} is not acted on; {words}")
    elif keyword in _CHANGES or keyword in _MISSING_ONLY:
        if not is_off(line.value):
            words = _CHANGES.get(keyword) or _MISSING_ONLY[keyword]
            place = warnings if keyword in _CHANGES else not_done
            place.append(f"{line.where}: {keyword}:{line.value} is not acted on; {words}")
    elif keyword not in _SILENT | _HARMLESS_WHEN_OFF | {"esttau2"}:
        warnings.append(f"{line.where}: {keyword!r} is not a known keyword; ignored")


def _unused(options: Options, places: dict[str, Line], warnings: list[str], not_done: list[str]) -> None:
    """Name options that are asked for and not acted on, or only half given."""
    defaults = Options()
    for name, line in places.items():
        if name in NOT_ACTED_ON and getattr(options, name) != getattr(defaults, name):
            place = warnings if name == "fixtau" else not_done
            place.append(f"{line.where}: {line.keyword}:{line.value} is not acted on; {NOT_ACTED_ON[name]}")
        if name in _NAMED and not is_off(line.value) and line.value.partition(",")[2].strip():
            what = "what stands after the comma is not acted on"
            warnings.append(f"{line.where}: {line.keyword}:{line.value} is one variable; {what}")
    if (options.deviance is None) != (options.df is None):
        given, lacking = ("deviance", "df") if options.df is None else ("df", "deviance")
        where = places[given].where
        warnings.append(f"{where}: {given}: is given without {lacking}:; models are not compared")


def _residual_file(lines: dict[str, Line], keyword: str, warnings: list[str]) -> ResidualFile | None:
    if keyword not in lines:
        return None
    line = lines[keyword]
    asked, _, variables = line.value.partition("/")
    if is_off(asked):
        return None
    if asked.strip().casefold() not in ("y", "yes"):
        warnings.append(
            f"{line.where}: {keyword}:{line.value} is taken as {keyword}:y; variables stand after a slash, "
            f"{keyword}:y/NAME,NAME, and the name of the file in {keyword}name:"
        )
        variables = ""
    given = own_name(lines[f"{keyword}name"].value) if f"{keyword}name" in lines else ""
    kind = lines["resfiltype"].value.strip().casefold() if "resfiltype" in lines else ""
    stem, _, ending = given.rpartition(".")
    kind = kind or next((kind for kind, own in _ENDINGS.items() if ending.casefold() in own), "spss")
    if kind not in _ENDINGS:
        lines["resfiltype"].fail(f"resfiltype: wants one of {', '.join(_ENDINGS)}, got {kind!r}")
    if not stem or ending.casefold() in _OF_COMMANDS:
        name = f"{stem or given or keyword}.{_ENDINGS[kind][0]}"
    else:
        name = given
    return ResidualFile(name, kind, tuple(v.strip() for v in re.split("[,/]", variables) if v.strip()))


_OF_RESIDUALS = ("resfil1", "resfil2", "resfil1name", "resfil2name", "resfiltype")
_ENDINGS = {  # of the types: of a file that has none, then others that say the type
    "spss": ("sav", "sps"), "stata": ("dta", "do"), "sas": ("sas7bdat", "sas", "xpt"),
    "systat": ("csv", "cmd", "sys"), "ascii": ("csv", "txt", "dat"),
}  # fmt: skip
_OF_COMMANDS = ("sps", "do", "sas", "cmd", "sys")  # programs open these as commands, and data are written
_READERS: dict[str, tuple[str, Callable[[Line], Any]]] = {
    "numit": ("max_iterations", read.iterations),
    "stopval": ("stopval", read.positive),
    "accel": ("accel", read.whole),
    "fixtau": ("fixtau", read.whole),
    "lev1ols": ("lev1ols", read.whole),
    "mlf": ("method", read.method),
    "title": ("title", read.words),
    "output": ("output", read.words),
    "fulloutput": ("full_output", read.yes),
    "deviance": ("deviance", read.or_none(read.number)),
    "df": ("df", read.or_none(read.whole)),
    "homvar": ("homogeneity", read.yes),
    "level1weight": ("level1_weight", read.name),
    "level2weight": ("level2_weight", read.name),
    "varianceknown": ("variance_known", read.name),
    "plausvals": ("plausible_values", read.names),
    "fixsigma2": ("fix_sigma2", read.or_none(read.positive)),
    "printvariance-covariance": ("print_vcov", read.on),
    "prntvcmat": ("print_vcov", read.on),
    "graphgammas": ("graph_gammas", read.file),
    "macroit": ("most_macro", read.or_none(read.whole)),
    "stopmacro": ("stop_macro", read.or_none(read.positive)),
    "laplace": ("laplace", read.on),
}
