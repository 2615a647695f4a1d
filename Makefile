# `make setup` once; then `make demo` to look, `make run` to work, `make check test` before a change is done.
# The first that runs and is new enough; a name on the PATH may be a version manager's stand-in for what is not there.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS ?= ml,offline-encoder,redis,dev

.PHONY: help setup demo run worker check test test-all bench bench-models messages clean

help:
	@echo "make setup   install into .venv, as constraints.txt says"
	@echo "make demo    a sample catalogue, an admin, and everything running"
	@echo "make run     web, workers and scheduler (PORT=8000)"
	@echo "make worker  workers and scheduler without the web"
	@echo "make check   lint, types, import contracts, migrations, check --deploy"
	@echo "make test    the quick tests, a few minutes; TESTS='tests/ml' some; more with TEST_DATABASE_URL, TEST_BROKER_URL, Chromium"
	@echo "make test-all  the long ones too: whole stories, kills, trainings, every page"
	@echo "make bench   what is measured against peers and limits, listed; NAMES='drift knowledge' runs quick ones"
	@echo "make bench-models  what each option of ml gains or loses, an hour; NOUNS='small spans' for some"
	@echo "make messages  what the interface says, gathered and compiled (needs GNU gettext)"

setup: $(STAMP)

# Quick when nothing changed: pip runs only when the stamp is older than what says what to install.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): a few minutes the first time, most of it torch"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $(STAMP)

demo: setup
	@$(BIN)/python manage.py demo

run: setup
	@$(BIN)/python manage.py run

worker: setup
	@$(BIN)/python manage.py run --only worker-io,worker-ml,beat

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy ml annotations tagstudio
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	@TAGSTUDIO_ENV=prod SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# One thread each: two processes with as many threads as there are cores wait for one another.
PYTEST := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
test: setup
	$(PYTEST) $(TESTS)

test-all: setup
	$(PYTEST) -m 'not slow' $(TESTS)

bench: setup
	@$(BIN)/python -m benchmarks $(NAMES)

bench-models: setup
	@$(BIN)/python -m benchmarks.models $(NOUNS)

# Places are files without lines and the date is left out, so that the catalogue changes only where words do.
PO := annotations/locale/zh_Hans/LC_MESSAGES/django.po
messages: setup
	$(BIN)/python manage.py makemessages --locale zh_Hans --add-location file --no-wrap --no-obsolete \
		--ignore '.venv/*' --ignore 'var/*' --ignore 'tests/*' --ignore 'benchmarks/*'
	@sed -i.bak '/^"POT-Creation-Date:/d' $(PO) && rm -f $(PO).bak
	$(BIN)/python manage.py compilemessages --locale zh_Hans --ignore '.venv/*'

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
