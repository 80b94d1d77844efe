# One command each: demo, test, lint, format, bench, messages. Everything is kept in .venv/ and var/.

# The first interpreter of a tested version; PYTHON=/path/to/python names another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
PACKAGES := handoff neural crm_data crm_agents profiling recommender churn crm_demo crm_site

TRANSLATED := crm_data crm_agents profiling recommender churn crm_site templates

.PHONY: demo test lint format bench messages install install-dev clean

demo: install
	@exec $(BIN)/python manage.py demo --port $(PORT) \
		$(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(DATA),--data "$(DATA)") $(if $(FRESH),--fresh) $(if $(EXIT),--exit)

test: lint
	$(BIN)/python -m pytest

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) tests
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING
	HTTPS=1 SECRET_KEY=$$(head -c 64 /dev/urandom | base64 -w 0) \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install-dev
	$(BIN)/python -m benchmarks.ingest --quick
	$(BIN)/python -m benchmarks.recommender --quick
	$(BIN)/python -m benchmarks.churn --quick

# Brings the catalogues up to date with the code, and compiles them (needs Debian's gettext).
messages: install-dev
	@for app in $(TRANSLATED); do \
		(cd $$app && $(abspath $(BIN))/django-admin makemessages -l zh_Hans --no-obsolete --add-location file \
		&& sed -i '/^"POT-Creation-Date:/d' locale/*/LC_MESSAGES/django.po \
		&& $(abspath $(BIN))/django-admin compilemessages) || exit 1; \
	done

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

# torch first: it is by far the largest, and its exact version decides what else fits.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt torch
	$(BIN)/python -m pip install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev,postgres,redis]"
	@touch $@

$(BIN)/python:
ifeq ($(strip $(PYTHON)),)
	@echo "No Python 3.11 or 3.12 was found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2
	@exit 1
endif
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v in ((3, 11), (3, 12)) or \
		sys.exit("This is Python %d.%d; Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.12" % v)'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache artefacts
