# The whole interface of the repository: make demo, make test, make check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERGLAS_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
export VERGLAS_TEST_DATA

.PHONY: demo test check venv clean
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

test: check
	$(BIN)/pytest -n 2 --dist worksteal -m "not long"

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
