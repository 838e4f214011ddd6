# make demo     sets everything up and flies the demo
# make test     sets everything up and runs the tests
# make check    format, lint, types, import contracts, spelling
# make picture  flies the demo and a backtest, and draws the pictures in docs/ from them
# make reference  writes docs/cli.md from the commands' own words
# make lock     writes requirements.lock: the exact releases and their hashes (needs uv)
# make clean    removes what the others made

BIN := .venv/bin

.PHONY: demo test check picture reference lock clean

demo: .venv/base
	@$(BIN)/autopilot demo

test: .venv/dev
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

picture: .venv/dev
	$(BIN)/python benchmarks/picture.py docs

reference: .venv/dev
	$(BIN)/python .ci/reference.py docs/cli.md

lock:
	@.ci/env.sh lock

clean:
	rm -rf .venv dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps: a second make starts at once, a changed pyproject.toml sets up anew.
.venv/base: pyproject.toml .ci/env.sh
	@.ci/env.sh base

.venv/dev: .venv/base
	@.ci/env.sh dev
