# make demo: the whole story on the embedded corpus.   make test: lint, types, tests.
# make docs: the documentation, into site/.   All create .venv and install into it when needed.
PYTHON ?= python3
PIP_FLAGS = -qq --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs clean
demo: .venv/.installed
	.venv/bin/seqlab demo

test: .venv/.installed-dev check
	.venv/bin/python -m pytest -q -n 2 --dist loadgroup

check: .venv/.installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy seqlab cli

docs: .venv/.installed-dev
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict -q

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/python -m pip install $(PIP_FLAGS) -e .
	touch $@

.venv/.installed-dev: .venv/.installed
	.venv/bin/python -m pip install $(PIP_FLAGS) -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
