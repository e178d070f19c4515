# make app    start the app at http://127.0.0.1:8501 (TORCH=cpu or TORCH=cuda: which torch is installed)
# make test   lint, unit tests, browser tests (make test-pythons: the quick ones under every Python that is here)
# Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8501
BIN    := $(VENV)/bin

# torch for processors alone, of a third of the size, where Linux has no NVIDIA GPU: elsewhere PyPI's is that already.
TORCH     ?= $(if $(filter Linux,$(shell uname -s)),$(if $(wildcard /dev/nvidia[0-9]*)$(shell command -v nvidia-smi),cuda,cpu),cuda)
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# Packages have to be the files that locks/ names by their hashes; LOCK=no takes whatever the index has for the pinned requirements.
LOCK      ?= yes
TORCHES   := $(shell sed -n 's/^\(torch==[^ ]*\|torchvision==[^ ]*\).*/\1/p' requirements.txt)

# A stamp named after the checksum of the requirements: they are installed again exactly when they change.
sum     = $(shell cat $(1) | cksum | tr -d ' ')
RUNTIME := $(VENV)/.runtime-$(call sum,requirements.txt locks/*.txt)
DEV     := $(VENV)/.dev-$(call sum,requirements.txt requirements-dev.txt requirements-oracles.txt locks/*.txt)

# One thread a process, as test processes share the cores. numba has to be told, too, or from the first UMAP on it makes OpenMP take all of them,
# and torch's tests after it wait for each other. Compiled modules are kept, whatever the user's shell says, as tests start many processes.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 PYTHONPATH=. PYTHONDONTWRITEBYTECODE=
# Each reads its own files only: the others' imports would cost it half a minute. Files of browser tests stay whole, as each has its own server.
UNIT    := $(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist worksteal tests --ignore=tests/e2e
BROWSER := $(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e

.PHONY: help app test test-pythons lock licences sbom unit browser lint format bench quality soak study study-quick coverage clean

help:
	@sed -n 's/^# //p' Makefile | head -n 3

app: $(RUNTIME)
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

# One after the other, as browser tests that share two cores with others wait too long, and both to their end, so that one report names everything
# that fails. The last line sums them up.
test: lint
	@$(TEST_ENV) $(BIN)/python -m tests.browser
	@rm -rf test-results && mkdir -p test-results
	@$(UNIT) --junitxml=test-results/unit.xml || true
	@$(BROWSER) --junitxml=test-results/browser.xml || true
	@$(BIN)/python tests/tally.py test-results/unit.xml test-results/browser.xml

test-pythons: $(DEV)
	$(BIN)/python -m scripts.pythons

lock licences sbom: $(DEV)
	$(BIN)/python -m $(if $(filter lock,$@),scripts.lock,scripts.bill $(if $(filter sbom,$@),--sbom))

unit: $(DEV)
	$(UNIT)

browser: $(DEV)
	$(TEST_ENV) $(BIN)/python -m tests.browser
	$(BROWSER)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	$(BIN)/python -m benchmarks

quality: $(RUNTIME)
	$(BIN)/python -m benchmarks.quality

# Half an hour: eight tabs at work while processes are killed, the disk fills, the MLflow store is locked and the clock steps.
soak: $(DEV)
	$(TEST_ENV) $(BIN)/python -m tests.browser
	$(BIN)/python -m benchmarks.soak

study: $(RUNTIME)
	$(BIN)/python -m scripts.study

study-quick: $(RUNTIME)
	$(BIN)/python -m scripts.study --quick

coverage: $(RUNTIME)
	$(BIN)/python -m benchmarks.coverage

clean:
	rm -rf $(VENV) test-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: install one, or name it with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv: install it (Debian, Ubuntu: apt-get install python3-venv) and run make again" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

PIP    := $(BIN)/python -m pip install --disable-pip-version-check
LOCKED := $(PIP) --no-compile --no-deps --require-hashes
REMEDY := { echo "a package could not be had, or is another file than locks/ names: make LOCK=no installs what the index has" >&2; exit 1; }

# Builds for processors are named +cpu, which satisfies the pins. Their index serves these two alone.
TORCH_HERE := from importlib.metadata import version as v; assert 'torch==' + v('torch').partition('+')[0] in '$(TORCHES)'.split()
define torch
@if [ "$(TORCH)" = cpu ] && ! $(BIN)/python -c "$(TORCH_HERE)" 2>/dev/null; then \
  $(PIP) --no-compile --no-deps --retries 1 --index-url $(CPU_INDEX) $(TORCHES:%=%+cpu) || \
  echo "torch for processors alone cannot be had from $(CPU_INDEX): installing PyPI's, which brings 4 GB of CUDA libraries" >&2; fi
@[ "$(LOCK)" = no ] || { [ "$(TORCH)" = cpu ] && $(BIN)/python -c "$(TORCH_HERE)" 2>/dev/null; } || $(LOCKED) -r locks/cuda.txt || $(REMEDY)
endef

# Of all modules compiled a quarter of the room would be for those that are never imported; the others are when they are. What the locks name comes
# first, so that of the requirements nothing is left to install.
$(RUNTIME): | $(BIN)/pip
	$(torch)
	@[ "$(LOCK)" = no ] || $(LOCKED) -r locks/runtime.txt || $(REMEDY)
	$(PIP) --no-compile -r requirements.txt
	@touch $@

$(DEV): | $(BIN)/pip
	$(torch)
	@[ "$(LOCK)" = no ] || $(LOCKED) -r locks/runtime.txt -r locks/dev.txt || $(REMEDY)
	$(PIP) --no-compile -r requirements-dev.txt
	$(PIP) --no-compile --no-deps -r requirements-oracles.txt
	@touch $@ $(RUNTIME)
