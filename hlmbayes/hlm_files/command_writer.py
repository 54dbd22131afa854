"""Model and options -> the text of an HLM command file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import LINKS, OutcomeLaw
from ..equations.parts import Predictor
from ..equations.text import covariances
from ..errors import CommandFileError, OutputError
from ..writing import write_text
from .command_options import Options


def to_text(
    model: TwoLevelModel, options: Options | None = None, mdm: str = "data.mdm", count: int = 0
) -> str:
    """The command file of a model: reads back to the same options and the same model.

    ``count``: how many categories the outcome has in the data, which such a file says of ratings and choices.

    Coefficients are numbered anew (0 the intercept's, the others from 1), so a model whose
    equations skip numbers reads back with others.

    Raises
    ------
    CommandFileError
        A name of a variable that such a file cannot hold, residual files of two types, or a tau that is
        neither full nor diagonal.
    """
    options = options or Options()
    right = [_coded(c.predictor, "INTRCPT1") for c in model.coefficients]
    nonlin, *of_outcome = _outcome_lines(model.outcome_law, options, count)
    numit, stopval = _iteration_lines(options)
    lines = [f"#WHLM CMD FILE FOR {mdm}", nonlin, numit, *of_outcome]
    lines += [stopval, f"level1:{_safe(model.outcome)}={'+'.join([*right, 'RANDOM'])}"]
    for c in model.coefficients:
        parts = [_coded(gamma.predictor, "INTRCPT2") for gamma in c.gammas] + ["RANDOM"] * c.random
        lines.append(f"level2:{c.predictor.variable or 'INTRCPT1'}={'+'.join(parts)}/")
    return "\n".join([*lines, *_option_lines(model, options)]) + "\n"


def _outcome_lines(law: OutcomeLaw, options: Options, count: int) -> list[str]:
    """nonlin:, and what goes with it."""
    if law.is_normal:
        return ["nonlin:n"]
    usual = LINKS[law.family][0]
    if law.link != usual:
        raise CommandFileError(
            f"a command file has {law.name} outcomes with the {usual} link, not with {law.link}: save the "
            'equations as text instead, model.save("model.txt", data)'
        )
    if not law.has_mean and not count:
        raise CommandFileError(
            f"a command file says how many categories an outcome that is {law.name} has, which the data "
            'show: model.save("model.hlm", data)'
        )
    of_outcome = map(_safe, law.columns) if law.has_mean else [str(count)]
    lines = [f"nonlin:{','.join((law.family, *of_outcome))}"]
    lines += [] if options.most_macro is None else [f"macroit:{options.most_macro}"]
    lines += [] if options.stop_macro is None else [f"stopmacro:{options.stop_macro!r}"]
    lines += ["laplace:y"] if options.laplace else []
    return [*lines, f"fixsigma2:{'n' if law.overdispersed else '1.000000'}"]


def n_categories(model: TwoLevelModel, data: TwoLevelData) -> int:
    """How many categories the outcome has in the data, where it is of categories; else 0."""
    if model.outcome_law.has_mean:
        return 0
    values = data.level1_column(model.outcome)
    return len(np.unique(values[np.isfinite(values)]))


def changed_lines(model: TwoLevelModel, options: Options) -> list[str]:
    """The lines of options that are not HLM's defaults, for a text of equations, which has the others."""
    bare = TwoLevelModel.from_parts(*model.parts._replace(constraints=(), log_sigma2=None, blocks=()))
    plain = replace(options, method="REML", title="", output="")
    usual = Options(title="", output="")
    before = [*_iteration_lines(usual), *_option_lines(bare, usual), "hypoth:y"]
    return [line for line in (*_iteration_lines(plain), *_option_lines(bare, plain)) if line not in before]


def _iteration_lines(o: Options) -> list[str]:
    return [f"numit:{o.max_iterations}{',y' if o.keep_going else ''}", f"stopval:{o.stopval!r}"]


def _option_lines(model: TwoLevelModel, o: Options) -> list[str]:
    lines = [f"fixtau:{o.fixtau}", f"lev1ols:{o.lev1ols}", f"accel:{o.accel}"]
    lines += [f"level1weight:{o.level1_weight or 'none'}", f"level2weight:{o.level2_weight or 'none'}"]
    lines += [f"varianceknown:{o.variance_known or 'none'}", f"hypoth:{'y' if o.hypotheses else 'n'}"]
    for number, rows in enumerate(o.hypotheses, start=1):
        lines += [f"gamma{number}:{','.join(repr(c) for c in row)}" for row in rows]
    lines += [] if o.deviance is None else [f"deviance:{o.deviance!r}"]
    lines += [] if o.df is None else [f"df:{o.df}"]
    for keyword, residual in (("resfil1", o.residuals1), ("resfil2", o.residuals2)):
        if residual is None:
            lines.append(f"{keyword}:n")
            continue
        asked = "/".join(["y", *([",".join(residual.variables)] if residual.variables else [])])
        lines += [f"{keyword}:{asked}", f"{keyword}name:{residual.name}", f"resfiltype:{residual.type}"]
    types = {residual.type for residual in (o.residuals1, o.residuals2) if residual is not None}
    if len(types) > 1:
        raise CommandFileError(f"residual files of two types ({', '.join(sorted(types))}); choose one")
    lines += [f"homvar:{'y' if o.homogeneity else 'n'}", *_constraint_lines(model)]
    lines += [f"heterol1var:{_sigma_names(model)}", *_tau_lines(model), "lvr:n"]
    lines += [f"plausvals:{','.join(o.plausible_values)}"] if o.plausible_values else []
    lines += [] if o.fix_sigma2 is None else [f"fixsigma2:{o.fix_sigma2!r}"]
    lines += ["printvariance-covariance:y"] if o.print_vcov else []
    lines += [f"graphgammas:{o.graph_gammas}"] if o.graph_gammas else []
    lines += [f"title:{_one_line(o.title)}", f"output:{_one_line(o.output)}"]
    return [*lines, f"fulloutput:{'y' if o.full_output else 'n'}", f"mlf:{'y' if o.method == 'ML' else 'n'}"]


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text).strip()


def _constraint_lines(model: TwoLevelModel) -> list[str]:
    marks = {name: i for i, names in enumerate(model.constraints, start=1) for name in names}
    return [f"constrain:{','.join(str(marks.get(name, 0)) for name in model.gamma_names) if marks else 'N'}"]


def _tau_lines(model: TwoLevelModel) -> list[str]:
    """Say that tau is diagonal; files of a full tau stay as HLM 6 writes them, which has no such keyword."""
    if len(model.blocks) < 2:
        return []
    if len(model.blocks) < len(model.effects):
        raise CommandFileError(
            f"a command file has tau with all covariances or with none (diagonalizetau:y), this model has "
            f"some: {covariances(model.blocks)}. Save its equations as text instead, model.equations()"
        )
    return ["diagonalizetau:y"]


def _sigma_names(model: TwoLevelModel) -> str:
    if model.log_sigma2 is None:
        return "n"
    names = [_safe(name) for name in model.log_sigma2.variables]
    unclear = not names or (len(names) == 1 and names[0].casefold() in ("n", "no", "none", "y", "yes"))
    return ",".join(["INTRCPT1", *names] if unclear else names)


def _coded(predictor: Predictor, constant: str) -> str:
    if predictor.term is not None:
        raise CommandFileError(
            f"{predictor.variable} is a term, and a command file has variables only: save the model as text, "
            'model.save("model.txt", data), or make the term a column of the data'
        )
    code = {"none": "", "group": ",1", "grand": ",2"}[predictor.centering]
    return constant if predictor.variable is None else f"{_safe(predictor.variable)}{code}"


def _safe(name: str) -> str:
    if re.fullmatch(r"random|intrcpt[123]", name, re.IGNORECASE) or re.search(r"[=,/*()+]", name):
        raise CommandFileError(f"{name!r} cannot stand in a command file; rename the variable")
    return name


def write(
    path: str | Path, model: TwoLevelModel, options: Options | None = None, mdm: str = "data.mdm"
) -> None:
    """Write the command file of a model to `path`; raises as `to_text`, or where it cannot be written."""
    text = to_text(model, options, mdm)
    try:
        write_text(Path(path), text)
    except OutputError as error:
        raise CommandFileError(str(error)) from None


def template_text(
    mdm: str, files: tuple[str, str], ids: tuple[str, str], names: tuple[Sequence[str], Sequence[str]],
    missing: bool, kind: str = "spss",
) -> str:  # fmt: skip
    """The template of data files: their names, their ids, their variables without the id, by level.

    ``mdm`` is the name of the file that HLM makes of it; ``missing`` says whether level 1 has missing
    values, ``kind`` what files they are: spss, stata, sas or ascii (text).
    """
    lines = [
        "#HLM2 MDM CREATION TEMPLATE",
        f"rawdattype:{kind}",
        f"l1fname:{files[0]}",
        f"l2fname:{files[1]}",
    ]
    lines += [f"l1missing:{'y' if missing else 'n'}", "timeofdeletion:analysis", f"mdmname:{mdm}"]
    for level in (1, 2):
        own = [f"level2id:{ids[level - 1]}", *names[level - 1]]
        lines += [f"*begin l{level}vars", *own, f"*end l{level}vars"]
    return "\n".join(lines) + "\n"
