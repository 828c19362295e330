# make demo: the whole story on the embedded corpus.   make docs: the documentation, into site/.
# make check: style and types.   make smoke: a minute of tests, one for each room.   make test: style, and all tests, types among them.
# make faults: kills, damage and full disks for 20 minutes; FAULTS="--minutes 5 --only kills" for less.
# All create .venv and install into it when needed.
PYTHON ?= python3
PIP_FLAGS = -qq --disable-pip-version-check -c constraints.txt
BIN = .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: demo test smoke style check faults docs clean
demo: .venv/.installed
	$(BIN)/seqlab demo

test: style
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup --processor-time

smoke: .venv/.installed-dev
	$(BIN)/python -m pytest -q @tests/smoke.txt

style: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: style
	$(BIN)/mypy

faults: .venv/.installed-dev
	$(BIN)/python -m benchmarks.faults $(FAULTS)

docs: .venv/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -e .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install $(PIP_FLAGS) -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
