# Each target does all its own set-up: it finds a Python >= 3.12, makes .venv and installs.
PY = .venv/bin/python
# What Python compiles is kept, whatever the environment says: each process of a test would compile it again.
export PYTHONDONTWRITEBYTECODE =
.PHONY: demo test test-slow lint examples bench clean

demo:
	@scripts/venv.sh
	@$(PY) -m hlmbayes demo

# Before each commit: lint, types and the fast tests, which cover the package on their own.
test: lint
	@OMP_NUM_THREADS=1 COVERAGE_CORE=sysmon $(PY) -m pytest -q -m "not slow" -n 2 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=97

# What only many simulated data sets, long chains or other programs can tell.
test-slow:
	@scripts/venv.sh dev,engines
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -m slow -n 2 --dist worksteal

lint:
	@scripts/venv.sh dev,engines
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

examples:
	@scripts/venv.sh dev,engines
	@for example in examples/*.py; do echo "== $$example"; $(PY) $$example || exit 1; done

# The documentation as a site: open docs/_build/index.html.
.PHONY: docs
docs:
	@scripts/venv.sh dev,engines,docs
	@$(PY) -m sphinx -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

bench:
	@scripts/venv.sh dev,engines,bench
	@$(PY) -m tests.bench
	@$(PY) -m tests.bench.page
	@$(PY) -m tests.bench.bench_posterior

# Speed that does not rot unnoticed: instructions of five kernels beside the stored ones (needs valgrind).
.PHONY: instructions
instructions:
	@scripts/venv.sh dev,engines
	@$(PY) -m tests.bench.instructions

clean:
	rm -rf .venv .venv-oldest dist docs/_build .pytest_cache .mypy_cache .ruff_cache .coverage figures

# The oldest releases pyproject.toml allows, on the parts that lean on them; and what a user installs.
.PHONY: test-oldest wheel
test-oldest:
	@scripts/venv.sh dev,engines
	@scripts/oldest.sh

wheel:
	@scripts/venv.sh dev,engines
	@scripts/wheel.sh
