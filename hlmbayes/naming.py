"""Names of parameters: a code of the equations ("g11") and the variables it is of ("ses x sector").

`Parameters` is the one place where what users write is resolved; `hlmbayes.equations.names` makes them of a
model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from .words import composed, nearest, some

TIMES = " x "  # between the variables of a product, as it is shown
_LABEL = re.compile(r"\[[^\[\]]*\](?=$|[*:,\]]|\s+x\s)")  # of a term's column
MOST_SHOWN = 24  # in a refusal


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its ``code``, the ``name`` shown beside it, and what else may be written for it."""

    code: str
    name: str
    spellings: tuple[str, ...] = ()

    @property
    def typed(self) -> str:
        """The name as it is typed: "ses:sector"."""
        return self.spellings[0] if self.spellings else self.name or self.code

    def __str__(self) -> str:
        return f"{self.code} ({self.name})" if self.name else self.code


@dataclass(frozen=True)
class Parameters:
    """Parameters in the order of a table; ``kind`` says in a refusal what they are ("fixed effect").

    A name stands for a parameter however it is spelled: case, blanks and backticks do not count, and the
    variables of a product stand in any order with ``:``, ``*`` or `` x `` between them.
    """

    kind: str
    each: tuple[Parameter, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, in order."""
        return tuple(parameter.code for parameter in self.each)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are shown beside the codes, in order."""
        return tuple(parameter.name for parameter in self.each)

    @cached_property
    def by_code(self) -> Mapping[str, Parameter]:
        """The parameters by their codes."""
        return {parameter.code: parameter for parameter in self.each}

    @cached_property
    def name_of(self) -> Mapping[str, str]:
        """The names by their codes."""
        return dict(zip(self.codes, self.names, strict=True))

    @cached_property
    def _spelled(self) -> Mapping[str, tuple[str, ...]]:
        """The codes that a spelling may mean."""
        found: dict[str, dict[str, None]] = {}
        for parameter in self.each:
            for text in filter(None, (parameter.code, parameter.name, *parameter.spellings)):
                found.setdefault(spelled(text), {})[parameter.code] = None
        return {text: tuple(codes) for text, codes in found.items()}

    def matching(self, text: str) -> tuple[str, ...]:
        """Give the codes of the parameters that a text may mean: one, as a rule. A code means itself."""
        text = spelled(str(text))
        return (text,) if text in self.by_code else self._spelled.get(text, ())

    def columns(self, text: str) -> tuple[str, ...]:
        """Give the codes of the columns of a term: those of track[a], track[b] for "track" and "C(track)"."""
        stem = re.sub(r"c\(([^(),]*)\)", r"\1", spelled(str(text)))
        forms = ((p.code, (p.code, p.name, *p.spellings)) for p in self.each)
        return tuple(code for code, own in forms if stem in {spelled(_LABEL.sub("", form)) for form in own})

    def find(self, text: str, error: Callable[[str], Exception]) -> str:
        """Give the code of the one parameter that a text means.

        Raises
        ------
        error
            It means none, or could mean several: which are meant, or which there are.
        """
        found = self.matching(text)
        if len(only := found or self.columns(text)) == 1:  # a factor of two levels has one column
            return only[0]
        if found:
            raise error(f"{text} could be {' or '.join(self.shown(found))}: write its code")
        stem = f"{spelled(str(text))}["
        whole = self.columns(text) or [p.code for p in self.each if stem in spelled(p.name)]
        if text and whole:
            each = f"{text} is several: {', '.join(self.shown(whole))}"
            raise error(f"{each}. Name one of them, or test all together with test_variable")
        known = some(self.shown(self.codes), MOST_SHOWN) if self.each else "it has none"
        close = nearest(str(text), {form for p in self.each for form in (p.code, p.typed)})
        hint = f". Did you mean {close}?" if close else ""
        raise error(f"{text!r} is not a {self.kind} of this model: {known}{hint}")

    def place(self, text: str, error: Callable[[str], Exception]) -> int:
        """Give the place of the one parameter that a text means; see `find`."""
        return self.codes.index(self.find(text, error))

    def shown(self, codes: Iterable[str]) -> list[str]:
        """Give codes with their names: "g11 (ses x sector)"."""
        return [str(self.by_code[code]) for code in codes]

    def only(self, codes: Iterable[str]) -> Parameters:
        """Give the parameters of some codes, in their order."""
        return Parameters(self.kind, tuple(self.by_code[code] for code in codes))


def spelled(text: str) -> str:
    """Reduce a name to what counts in it: no case, no blanks, no backticks, one sign of a product."""
    text = re.sub(r"\s+[x×]\s+", ":", composed(text).strip().casefold())
    return re.sub(r"[\s`]+", "", text).replace("×", ":").replace("*", ":")
