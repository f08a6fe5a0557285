# `make rehearse` and `make test` are the two commands; the rest is for people who work on breakglass.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: rehearse test install develop check screenshots docs man schema reference bench soak mutants clean

rehearse: install
	@if [ -t 1 ]; then $(BIN)/breakglass rehearse outpost-shm-purge; \
	else $(BIN)/breakglass rehearse outpost-shm-purge --auto; fi

test: develop
	$(BIN)/ruff check breakglass tests bench tools
	$(BIN)/ruff format --check breakglass tests bench tools
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/breakglass lint --strict --no-cache
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	$(BIN)/pytest -n 3 --dist worksteal

install: $(VENV)/installed
develop: $(VENV)/developed

$(VENV)/installed: requirements.lock pyproject.toml
	@echo "installing breakglass into $(VENV), once; this takes about a minute"
	sh tools/virtualenv.sh $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed requirements-dev.lock tools/debian-packages.sh
	sh tools/debian-packages.sh
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

schema: install
	$(BIN)/breakglass schema runbook > runbooks/runbook.schema.json
	$(BIN)/breakglass schema scenario > runbooks/scenario.schema.json
	$(BIN)/breakglass schema site > runbooks/site.schema.json

reference: develop
	$(BIN)/python -m tools.reference

docs: develop
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

man: install
	$(BIN)/python -m tools.man_page > docs/breakglass.1

screenshots: develop
	$(BIN)/python -m tools.screenshots

bench: develop
	$(BIN)/python -m bench $(ONLY)

soak: develop
	$(BIN)/pytest -s tests/safety/test_crash.py tests/safety/test_hostile_files.py \
		tests/policy/test_shell_oracle.py tests/policy/test_program_oracle.py \
		tests/transport/ssh/test_openssh_oracle.py \
		tests/runbooks/test_vault_real_cluster.py tests/runbooks/test_vault_raft_recovery.py \
		tests/runbooks/test_nfs_node_reboot.py --soak

# SAMPLE is how many of the small wrong changes of each group are made, always the same ones for a SEED; ONLY a
# part of a path. SAMPLE=100000 makes all.
mutants: develop
	$(BIN)/python -m tools.mutants --sample $(or $(SAMPLE),150) --seed "$(SEED)" --file "$(ONLY)"

clean:
	rm -rf $(VENV) .cache build dist
