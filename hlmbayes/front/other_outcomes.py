"""What the faces of models whose outcome is not normal say of what only those of normal ones have."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import HLMError
from ..faces import Face


class OnlyNormalError(HLMError, AttributeError):
    """What normal outcomes have, asked of another one."""


class OtherOutcome(Face):
    """A face beside ``normal``, that of a normal outcome; ``instead`` says what there is."""

    __slots__ = ()
    normal: ClassVar[type]
    instead: ClassVar[str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self.normal, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        model = self._record.model
        raise OnlyNormalError(
            f"{name} is for normal outcomes, and {model.outcome} of this model is {model.outcome_law.name}: "
            f"{self.instead}"
        )
