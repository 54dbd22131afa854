"""What is asked beside the model and no keyword of a command file says: replicates, imputed data, counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.weights import Frequencies
from ..many_fits.replicate_weights import Replication
from ..runs.jobs import Job


@dataclass(frozen=True, slots=True)
class Beside:
    """The fields of a `Job` of these names; ``frequency`` is in its ``level1``."""

    replication: Replication | None = None
    sampling_from: str = "all"
    frequency: Frequencies | None = None
    imputed: tuple[Path, ...] = ()
    imputed_by: str = ""

    def put(self, job: Job) -> Job:
        """Give a job that asks for this, too."""
        level1: Any = {} if self.frequency is None else {"frequency": self.frequency}
        return replace(
            job, replication=self.replication, sampling_from=self.sampling_from, level1=level1,
            imputed=self.imputed, imputed_by=self.imputed_by,
        )  # fmt: skip

    def lines(self) -> list[str]:
        """What a file of equations says of it."""
        found = {
            "frequency": self.frequency and self.frequency.level1,
            "frequency2": self.frequency and self.frequency.level2,
            "imputed": ", ".join(file.name for file in self.imputed), "imputed_by": self.imputed_by,
        }  # fmt: skip
        if (asked := self.replication) is not None:
            found |= {
                "replicates": ", ".join(asked.names), "replicate_method": asked.method,
                "fay": "" if asked.fay is None else f"{asked.fay!r}", "replicates_of": asked.of,
                "sampling_from": self.sampling_from,
            }  # fmt: skip
        return [f"{key}: {value}" for key, value in found.items() if value]


def beside_of(job: Job) -> Beside:
    """What a job asks beside its command file."""
    frequency = job.level1.get("frequency")
    return Beside(job.replication, job.sampling_from, frequency, job.imputed, job.imputed_by)
