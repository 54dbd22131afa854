"""What a person waits for: processor time of commands on the High School data, beside `import pandas`.

    python -m tests.bench.start [--repeat N]

Each command is a fresh process; they take turns, so that a busy machine is busy for all. Medians of user and
system seconds, and their ratio to the median of `import pandas`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = str(ROOT / "models" / "model4_intercepts_slopes.hlm")
HLMBAYES = ["-m", "hlmbayes"]
COMMANDS = {
    "import pandas": ["-c", "import pandas"],
    "hlmbayes --help": [*HLMBAYES, "--help"],
    "hlmbayes run": [*HLMBAYES, "run", MODEL],
    "hlmbayes run --html": [*HLMBAYES, "run", MODEL, "--html", "page.html"],
    "hlmbayes sample": [*HLMBAYES, "sample", MODEL, "--seed", "1"],
    "hlmbayes sample --sampler nuts": [*HLMBAYES, "sample", MODEL, "--seed", "1", "--sampler", "nuts"],
    "hlmbayes plot": [*HLMBAYES, "plot", MODEL],
}


def seconds(arguments: list[str], folder: str) -> float:
    """Run Python and give its processor time."""
    path = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}  # compiled once, as when it is installed
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **path}, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeat + 1):
            for name, arguments in COMMANDS.items():
                spent = seconds(arguments, folder)
                found[name] += [spent] if turn else []  # the first compiles
    first = statistics.median(found["import pandas"])
    print("| command | seconds of the processor | times import pandas |\n|---|---:|---:|")
    for name, each in found.items():
        print(f"| {name} | {statistics.median(each):.2f} | {statistics.median(each) / first:.2f} |")


if __name__ == "__main__":
    main()
