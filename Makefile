.DEFAULT_GOAL := help
.PHONY: help run test coverage check docs messages lock clean

run: ## Set up, then run the demo: a simulated CRM sends webhooks, members appear
	@scripts/setup run
	@.venv/bin/memberhook demo $(ARGS)

# All tests run on all cores, a file in one process, because its tests share what it has started.
# A few are sooner done without the start of further processes.
PARALLEL = --numprocesses auto --maxprocesses 8 --dist loadfile

test: ## Set up, then run the tests (ARGS="-k login" runs some)
	@scripts/setup test
	@.venv/bin/python $(MEASURE) -m pytest $(or $(ARGS),$(PARALLEL))

coverage: ## Run all tests and print how much of each folder they reach (ARGS=--missing: and what not)
	@mkdir -p .cache/coverage
	@rm -f .cache/coverage/*
	@$(MAKE) test ARGS= MEASURE="-m coverage run"
	@.venv/bin/python scripts/coverage_by_folder.py $(ARGS)

check: ## Format, lint, types, migrations, retired words, spelling
	@scripts/check

docs: ## Build the documentation into docs/_build/html
	@scripts/setup docs
	@.venv/bin/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

messages: ## Collect the texts that members see into src/memberhook/locale and compile the translations
	@scripts/messages

lock: ## Pin the dependencies again (ARGS=--upgrade moves to the newest)
	@scripts/lock $(ARGS)

clean: ## Remove what set-up, tests and docs have made (never memberhook-data)
	@rm -rf .venv .cache/coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis dist docs/_build
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
