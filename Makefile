# Every target makes the virtual environment if it is missing or stale, so that each works on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The variable keeps a notice about another project's plans off the terminal.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

.PHONY: help quickstart test test-all check bench docs docs-serve ui reproduction constraints clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "catsweep needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

quickstart: $(READY)  ## Train seven estimators on MNIST for three epochs and print the table
	$(BIN)/catsweep run quickstart

# Three processes on two cores, since many tests wait for Ray and for servers; in the order of the files, so that those
# are not all left to the end.
test: $(READY)  ## Run the tests but the slow ones
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-all: $(READY)  ## Run every test
	$(BIN)/python -m pytest -m ''

check: $(READY)  ## Check format, style and types, and that the documentation builds without a warning
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MKDOCS) build

bench: $(READY)  ## Compare with the authors' curves, then time steps, growing epochs, a sweep and many members
	$(BIN)/python benchmarks/reference_curves.py
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/epochs.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/scale.py --members 300

docs: $(READY)  ## Write the command line reference anew, and build the documentation site into build/site
	$(BIN)/python -m typer sweep.cli.main utils docs --name catsweep --title 'Command line' --output docs/cli.md
	$(MKDOCS) build

docs-serve: $(READY)  ## Show the documentation site, with search, at http://127.0.0.1:8000
	$(MKDOCS) serve

ui: $(READY)  ## Open the MLflow UI on this folder's store
	$(BIN)/catsweep ui

reproduction: $(READY)  ## Print Table 2 at 8x4 from the results in docs/reproduction, without training
	$(BIN)/catsweep import docs/reproduction/table2-8x4.csv.gz --home build/reproduction
	$(BIN)/catsweep tables table2-8x4 --metric test_neg_elbo,train_neg_elbo --compare published --test \
		--home build/reproduction
	$(BIN)/catsweep figures table2-8x4 --out build/reproduction/figures --home build/reproduction

constraints: $(READY)  ## Pin every dependency anew
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --upgrade --allow-unsafe --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--annotation-style line --output-file constraints.txt pyproject.toml
	# The CPU and the CUDA build of torch are one version; each machine takes the build that it finds, and triton at
	# the version that the latter names.
	sed -i -E 's/\+cpu//; /^(nvidia|cuda)/d' constraints.txt

clean:  ## Remove the virtual environment; data, store and checkpoints stay
	rm -rf $(VENV)
