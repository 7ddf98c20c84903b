# The whole interface of the repository: make demo, make test, make test-all, make check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERGLAS_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
export VERGLAS_TEST_DATA

.PHONY: demo test test-all check venv clean
venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements-torch.txt tools/install.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/install.sh
	touch $@

demo: venv
	$(BIN)/verglas demo demo

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# what must run on every change, then the rest: comparisons with RELION, pages in a browser, slow tests
SLOW := slow or relion or browser
test: check
	$(BIN)/pytest -n 2 --dist worksteal -m "not long and not ($(SLOW))"

test-all: test
	$(BIN)/pytest -n 2 --dist worksteal -m "not long and ($(SLOW))"

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
