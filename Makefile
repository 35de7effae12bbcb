PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# No version check, no analytics, no traces: the dev server talks to this machine only.
OFFLINE := LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true LANGSMITH_TRACING=false LANGCHAIN_TRACING_V2=false
.DEFAULT_GOAL := help

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the examples need comes first: a newcomer's first command does not wait for what checks the package.
$(VENV)/examples: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[openai,cli]'
	@touch $@

$(VENV)/browser: $(VENV)/examples
	$(INSTALL) -e '.[web]'
	@touch $@

$(VENV)/installed: $(VENV)/examples
	$(INSTALL) -e '.[dev]'
	@touch $@

venv: $(VENV)/installed  ## Make .venv with everything the other targets need

demo: $(VENV)/examples  ## Hold three conversations and show what was learned, recalled and paid
	$(BIN)/python -m examples.demo

chat: $(VENV)/examples  ## Talk to a learning agent; each turn shows what it taught
	$(BIN)/python -m examples.chat

browse: $(VENV)/browser  ## Hold the conversations of the demo, then open what was learned in a browser
	$(BIN)/python -m examples.demo --keep build/demo.db
	$(BIN)/langgraph-learning serve -d sqlite:///build/demo.db --open

notebooks: venv  ## Execute all notebooks, two at a time; results and pages go to build/notebooks
	$(BIN)/python -m notebooks.run

studio: venv  ## Start LangGraph's dev server with the example graphs; what they learn stays in studio.db
	env -u LANGSMITH_API_KEY -u LANGCHAIN_API_KEY -u LANGGRAPH_CLOUD_LICENSE_KEY $(OFFLINE) \
		$(BIN)/langgraph dev --no-browser --host 127.0.0.1

eval-extraction: venv  ## Score extraction on labelled turns, with the model that the environment names; goes on where it stopped
	@mkdir -p build
	$(BIN)/python -m benchmarks.extraction --answers build/answers.jsonl

docs: venv  ## Build the documentation into build/site; a warning is an error
	$(BIN)/python -m zensical build --strict --clean

wheel: venv  ## Build wheel and sdist into dist, and try them in an empty environment
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python -m pytest -q tests/test_wheel.py

ifdef TEST
test: venv
	$(BIN)/python -m pytest $(TEST)
else
test: lint types  ## All checks: ruff, mypy --strict, pytest; TEST=tests/engine runs that alone
	$(BIN)/python -m pytest -q -n auto --dist loadscope
endif

# In a place of its own: it and the dev server want different versions of the same library.
$(VENV)/fuzz: $(VENV)/installed
	$(PYTHON) -m venv $(VENV)/fuzz
	$(VENV)/fuzz/bin/python -m pip install --quiet --disable-pip-version-check 'schemathesis>=4.32,<5'

fuzz: $(VENV)/fuzz  ## schemathesis on the REST document of the memory browser
	SCHEMATHESIS=$(VENV)/fuzz/bin/schemathesis $(BIN)/python -m pytest -q -m fuzz tests/web

lint: venv  ## ruff, style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv  ## mypy --strict over package, tests, examples and benchmarks
	$(BIN)/mypy

format: venv  ## Put the sources into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .cache build dist

.PHONY: help venv demo chat browse fuzz eval-extraction docs wheel notebooks studio test lint types format clean
