# make demo and make test do all their own set-up; make help lists the rest.
SHELL   := bash
BIN     := .venv/bin
READY   := .venv/.ready
PEERS   := .venv-peers/.ready
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

# A file is one worker's; in the order of tests/conftest.py, the longest first, not by how many tests there are.
SHARED  := --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick test-long lint format bundle bench bench-100m bench-widgets screenshots mutate picture notebooks lab clean

help:           ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# Made once, and again when the dependencies change.
$(READY): pyproject.toml .ci/setup
	@.ci/setup venv

# The peers of the benchmarks that are no dependencies (benchmarks/README.md says why).
$(PEERS): benchmarks/peers.txt | $(READY)
	@.ci/setup peers

setup: $(READY) ## .venv with everything in it

demo: $(READY)  ## a simulated welcome journey: its numbers, its picture and its report, in reports/
	@$(BIN)/journey-nb demo --out reports

test: $(READY)  ## every test (Chromium, PostgreSQL and Java are installed where they are missing); about ten minutes
	@.ci/setup chromium
	@.ci/setup postgres
	@.ci/setup java
	@CHROMIUM="$$(.ci/setup browser)" $(BIN)/pytest -n $(WORKERS) $(SHARED) -m "not slow"

test-quick: $(READY) ## the tests that need no browser, no database server and no Java
	@$(BIN)/pytest -n $(WORKERS) $(SHARED) -m "not slow and not browser and not server and not spark"

test-long: $(READY) ## every test and many more generated logs; ends with the seeds and counts
	@.ci/setup chromium
	@.ci/setup postgres
	@.ci/setup java
	@.ci/setup office
	@CHROMIUM="$$(.ci/setup browser)" JOURNEY_NB_SEEDS=$${JOURNEY_NB_SEEDS:-2000} \
	  JOURNEY_NB_KILLS=$${JOURNEY_NB_KILLS:-200} JOURNEY_NB_KILL_EVENTS=$${JOURNEY_NB_KILL_EVENTS:-2000000} $(BIN)/pytest -n $(WORKERS) $(SHARED)

lint: $(READY)  ## ruff, the types (TypeScript's too), the floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@.ci/setup node
	@npm --prefix widget_js run -s check

format: $(READY) ## ruff's formatting and its safe fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bundle:         ## the browser's half of the live views, from widget_js/ into journey_nb/static/
	@.ci/setup node
	@npm --prefix widget_js run -s bundle

bench: $(READY) $(PEERS) ## journey_nb beside its peers at 1 and 10 million events, with equal answers
	@$(BIN)/python benchmarks/run.py

bench-100m: $(READY) $(PEERS) ## the same at 100 million
	@$(BIN)/python benchmarks/run.py --events 100_000_000 --repeats 3

bench-widgets: $(READY) ## the live views in Chromium: first picture, panning, a change of period, bytes
	@.ci/setup chromium
	@CHROMIUM="$$(.ci/setup browser)" $(BIN)/python benchmarks/widgets.py

screenshots: $(READY) ## the workspace in Chromium, to be looked at: themes, widths, sizes; into screenshots/
	@.ci/setup chromium
	@.ci/setup fonts
	@CHROMIUM="$$(.ci/setup browser)" $(BIN)/python tests/screenshots.py

mutate: $(READY) ## seeded faults in the fold and the metrics: all must be caught
	@$(BIN)/python tests/mutate.py

picture: $(READY) ## the README's picture, drawn anew from the demo's numbers
	@$(BIN)/python docs/picture.py

notebooks: $(READY) ## every notebook run as it stands and kept with what it shows (where numbers or words change)
	@$(BIN)/python docs/notebooks.py

lab: $(READY)   ## JupyterLab on the notebooks
	@$(BIN)/jupyter lab $$([ $$(id -u) = 0 ] && echo --allow-root) notebooks

clean:          ## removes .venv and caches (reports stay)
	@rm -rf .venv .venv-peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
