# make run    the edge, on embedded defaults, in the foreground
# make test   the whole suite; make test-unit leaves the real clients out
# make profile  where the edge's time goes, a line for each kind of work; SUITE=tls CELL="words of its name" for one in full
# make bench  the edge beside its peers, a quarter of an hour (SUITE=https and so on); what each module costs (SUITE=modules)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TEST_READY := $(VENV)/.ready-test
BENCH_VENV := .venv-bench
BENCH := $(BENCH_VENV)/bin
BENCH_READY := $(BENCH_VENV)/.ready
# Of the whole command, with what it installs: less than a quarter of an hour from a fresh checkout.
BENCH_MINUTES ?= 14
BEGUN := $(shell date +%s)

.PHONY: run test test-unit bench profile check docs clean

run: $(READY)
	@exec $(BIN)/twistd -n --pidfile= ngrok

test: $(TEST_READY)
	@scripts/install-test-tools
	$(BIN)/python -m tests.run $(TRIAL_FLAGS)

test-unit: $(TEST_READY)
	$(BIN)/trial $(TRIAL_FLAGS) $$($(BIN)/python -m tests.unit)

# On an optimised build of Python where there is one, in a virtual environment of its own.
bench: $(BENCH_READY)
ifneq ($(SUITE),modules)
	@scripts/install-bench-peers
	@$(BENCH)/python -m benchmarks --minutes $(BENCH_MINUTES) --begun $(BEGUN) --seconds 1 $(if $(SUITE),--suite $(SUITE)) $(BENCH_FLAGS)
endif
ifeq ($(SUITE),modules)
	@$(BENCH)/python -m benchmarks.modules
endif

profile: $(BENCH_READY)
	@$(BENCH)/python -m $(if $(SUITE),benchmarks.profile --suite $(SUITE) --cell "$(CELL)",benchmarks.profiles) $(BENCH_FLAGS)

check: $(TEST_READY)
	$(BIN)/black --check ngrok_twisted tests twisted benchmarks
	$(BIN)/mypy ngrok_twisted

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] + \
		" (make PYTHON=/path/to/python3)") if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(READY): $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "installing ngrok_twisted into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e .
	@touch $@

$(BENCH_READY): setup.cfg pyproject.toml scripts/fast-python
	@echo "making $(BENCH_VENV) with $$(scripts/fast-python $(PYTHON)) ..."
	@rm -rf $(BENCH_VENV)
	@$$(scripts/fast-python $(PYTHON)) -m venv $(BENCH_VENV) || { rm -rf $(BENCH_VENV); \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BENCH)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e .
	@touch $@

$(TEST_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH_VENV) .venv-tools .venv-ngrok-api .cache build dist *.egg-info _trial_temp*
