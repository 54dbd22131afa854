"""What a face says of what only the fit of a normal outcome has."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from ..errors import NotHereError
from ..faces import Face, kinds_with


class OtherOutcome(Face):
    """A face of an outcome that is not normal.

    It has not all that ``normal`` has, that of a normal outcome; ``instead`` says what there is.
    """

    __slots__ = ()
    normal: ClassVar[type]
    instead: ClassVar[str]

    def _lacks(self, name: str) -> NoReturn:
        model = self._record.model
        if any(issubclass(kind, OtherOutcome) for kind in kinds_with(name)) or not hasattr(self.normal, name):
            raise NotHereError(f"{self._has_not(name)}: {self.instead}")
        raise NotHereError(
            f"{name} is for normal outcomes, and {model.outcome} of this model is {model.outcome_law.name}: "
            f"{self.instead}"
        )
