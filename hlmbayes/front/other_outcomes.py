"""What a face says of what only the fit of a normal outcome in memory has."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from ..errors import HLMError
from ..faces import Face


class NotHereError(HLMError, AttributeError):
    """What another face has, asked of one that has not."""


class Narrower(Face):
    """A face that has not all that ``normal`` has, that of a normal outcome; `_lacks` says why."""

    __slots__ = ()
    normal: ClassVar[type]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self.normal, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        self._lacks(name)

    def _lacks(self, name: str) -> NoReturn:
        raise NotHereError(f"{name} is not here")


class OtherOutcome(Narrower):
    """A face of an outcome that is not normal; ``instead`` says what there is."""

    __slots__ = ()
    instead: ClassVar[str]

    def _lacks(self, name: str) -> NoReturn:
        model = self._record.model
        raise NotHereError(
            f"{name} is for normal outcomes, and {model.outcome} of this model is {model.outcome_law.name}: "
            f"{self.instead}"
        )
