# make demo     runs the engine on a small live fleet      make docs  builds the documentation, in site/
# make test     runs the tests that are not slow           make dist  builds a wheel and a source distribution, in dist/
# make unit     runs those that start nothing              make pins  renews constraints.txt
# make lint     linters and type checker                   make stub  renews the types of the compiled module
# make kernels  builds what has changed of the C++         make types  checks the types of the page's scripts
# Each does its own set-up, and says which of the packages that it needs is missing.

# Tests start hundreds of programs: without what Python keeps of modules, each would compile all of them first.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
DEMO_PORT ?= 2003
DEMO_HTTP_PORT ?= 2080
STAY ?=
BIN := .venv/bin
KERNELS := CMakeLists.txt $(shell find src/htmengine/htm/kernels -name '*.[ch]pp')
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check) --quiet
TYPESCRIPT := typescript@5.9.3
# setuptools builds those of the tests' packages that come as source alone; Python's venv has an old one or none.
BUILD_TOOLS := cmake nanobind ninja scikit-build-core setuptools

.PHONY: setup kernels demo test unit lint types docs links dist stub pins clean

setup: .venv/kernels

# A folder that was moved is set up again: programs in .venv name the place where they were made.
ifneq ($(shell cat .venv/installed 2>/dev/null),$(CURDIR))
.PHONY: .venv/installed
endif

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "htmengine needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@missing=; \
	needs() { echo "htmengine needs $$1, and there is none here" >&2; missing="$$missing $$2"; }; \
	command -v $${CXX:-c++} >/dev/null || needs "a C++17 compiler, to build its kernels" g++; \
	$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || \
	  needs "Python.h, to build its kernels" $(notdir $(PYTHON))-dev; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || needs "Python's venv with pip" $(notdir $(PYTHON))-venv; \
	[ -z "$$missing" ] || { echo "On Debian: apt-get install$$missing" >&2; exit 1; }
	@$(BIN)/pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(INSTALL) -c constraints.txt $(BUILD_TOOLS)
	$(INSTALL) -c constraints.txt --no-build-isolation -e '.[dev]'
	@echo '$(CURDIR)' >$@

# The installation lists where each module lies: it is made again when modules have come, moved or gone.
MODULES := $(shell find src -name '*.py' | LC_ALL=C sort | cksum)
ifneq ($(shell cat .venv/modules 2>/dev/null),$(MODULES))
.PHONY: .venv/kernels
endif

# Without a build environment of its own, which would be another one each time: only what has changed is built. Where modules
# are as they were, it is built in the folder of the last time, without the installer, which takes longer than a small file.
kernels: .venv/kernels
.venv/kernels: $(KERNELS) | .venv/installed
	@built=$$(cat .venv/built 2>/dev/null); \
	if [ '$(MODULES)' = "$$(cat .venv/modules 2>/dev/null)" ] && [ -n "$$built" ] && [ -e "$$built/build.ninja" ]; then \
	  $(BIN)/cmake --build "$$built" && \
	  $(BIN)/cmake --install "$$built" --prefix "$$(echo .venv/lib/python*/site-packages)" >/dev/null; \
	else \
	  $(INSTALL) --no-deps --no-build-isolation -e . && ls -d -t build/*/ | head -1 >.venv/built; \
	fi
	@echo '$(MODULES)' >.venv/modules
	@touch $@

demo: setup
	@rm -rf demo && mkdir -p demo
	$(BIN)/htmengine detect examples/sample/requests.csv --plot demo/requests.html
	$(BIN)/htmengine up --demo $(if $(STAY),,--seconds 20) --data demo/engine --port $(DEMO_PORT) --http-port $(DEMO_HTTP_PORT)
	$(if $(STAY),,@echo "To look around on http://127.0.0.1:$(DEMO_HTTP_PORT)/ while it runs: make demo STAY=1")

# Most of these tests wait for processes most of the time: two for each core are run at once.
test: setup
	$(BIN)/python -m pytest -n $$(( 2 * $$(getconf _NPROCESSORS_ONLN) )) --dist loadgroup

unit: setup
	$(BIN)/python -m pytest -n auto --dist worksteal tests/unit

# The page's scripts have no build step: their types stand in comments, and only this looks at them.
types:
	@command -v npx >/dev/null || { echo "make types needs npx; on Debian: apt-get install npm" >&2; exit 1; }
	npx --yes --package $(TYPESCRIPT) tsc -p src/htmengine/web/page/jsconfig.json

docs: setup
	$(BIN)/python -m sphinx -b html -c docs -W --keep-going --quiet . site

links: setup
	$(BIN)/python -m sphinx -b linkcheck -c docs --quiet . build/links

dist: setup
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

stub: setup
	$(BIN)/python -m nanobind.stubgen -q -m htmengine.htm._kernels -o src/htmengine/htm/_kernels.pyi

pins: setup
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --allow-unsafe --all-extras --strip-extras --no-header --no-annotate --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --output-file constraints.txt pyproject.toml
	sed -i '/^htmengine /d' constraints.txt

clean:
	rm -rf .venv build dist demo site
