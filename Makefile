# make demo: the whole road on the bundled model. make test: the suite. Both make their own venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := build/demo

.PHONY: demo test test-all bench lint clean

$(BIN)/hwgen: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hwgen needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples]'
	touch $@

$(VENV)/dev: $(BIN)/hwgen
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples,oracle,dev]'
	touch $@

# A trained int8 CNN to an ECP5 bitstream, verified on 120 real digits.
demo: $(BIN)/hwgen
	@mkdir -p $(DEMO)
	$(BIN)/python examples/digits/inputs.py $(DEMO)/digits.npy --count 120
	$(BIN)/hwgen inspect examples/digits/digits.tflite
	$(BIN)/hwgen verify examples/digits/digits.tflite --board ulx3s-85f --fps 10000 --inputs $(DEMO)/digits.npy -o $(DEMO)
	$(BIN)/hwgen build examples/digits/digits.tflite --board ulx3s-85f --fps 10000 -o $(DEMO)
	@$(BIN)/hwgen report $(DEMO) --json > /dev/null && echo "the same with pictures: $(DEMO)/report.html"

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=15 -m 'not slow'

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(VENV)/dev
	$(BIN)/python -m bench

clean:
	rm -rf build $(VENV)
