# Everything that a person or a machine does with a checkout; `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.ONESHELL:
.SILENT:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
# Relative, since make splits words at the blanks of a checkout's path.
BIN := $(VENV)/bin
LAB := inventories/lab

# Programs that the lab needs of the machine, as PROGRAM=DEBIAN-PACKAGE.
MACHINE := ip=iproute2 unshare=util-linux perl=perl ssh=openssh-client

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/heiiki
# What the project keeps there; the rest of that folder is not its own.
CACHED := bench dot1x frr kernel logs netconfd nftables pip root uv

# Ansible reads no other settings than the project's, wherever it is started.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Downloads are kept beside the built kernel and root: nothing else is left outside the checkout.
export PIP_CACHE_DIR := $(CACHE)/pip
export UV_CACHE_DIR := $(CACHE)/uv
# ansible-lint would make folders in the user's home for its own runs.
export ANSIBLE_HOME := $(CURDIR)/.ansible
# Progress of long work shows at once, in a file or a pipe too.
export PYTHONUNBUFFERED := 1
export MOLECULE_GLOB := tests/molecule/*/molecule.yml
lint sanity types unit test long demo prove bench docs changelog clean: export PATH := $(CURDIR)/$(BIN):$(PATH)

say = printf '\n==> %s\n'
, := ,

.PHONY: help
help: ## Show this list
	awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.locked $(VENV)/.linked ## Make .venv with the package, the collection and every tool (about 1 minute)

.PHONY: machine
machine:
	missing=()
	for pair in $(MACHINE); do
	    PATH="$$PATH:/usr/sbin:/sbin" command -v "$${pair%%=*}" >/dev/null || missing+=("$${pair#*=}")
	done
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	if (($${#missing[@]})); then
	    $(say) "Installing machine packages, some seconds: $${missing[*]}"
	    $(SUDO) apt-get update -q
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$${missing[@]}"
	fi
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'

# An environment carries the path of its checkout: a moved checkout needs a new one. So does one whose Python is
# gone or is another now.
ifneq "$(shell $(BIN)/python -c 'import pip' 2>/dev/null && cat $(VENV)/.locked)" "$(CURDIR)"
.PHONY: $(VENV)/.locked
endif

$(VENV)/.locked: requirements.lock | machine
	$(say) "Making .venv from requirements.lock, about 1 minute"
	base=$$($(PYTHON) -c 'import sys; print(sys._base_executable)')
	"$$base" -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	echo "$(CURDIR)" >$@

$(VENV)/.linked: $(VENV)/.locked pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	# The checkout is the collection heiiki.network, by a link outside the checkout's own files.
	site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	mkdir -p "$$site/ansible_collections/heiiki" $(VENV)/collections
	ln -sfn "$(CURDIR)" "$$site/ansible_collections/heiiki/network"
	# mypy refuses a search path inside site-packages.
	ln -sfn "$$site/ansible_collections" $(VENV)/collections/ansible_collections
	touch $@

.PHONY: lint
lint: setup ## Check style, YAML, roles and the direction of imports (about 1 minute)
	$(say) "Lint, about 1 minute"
	ruff check
	ruff format --check
	yamllint --strict .
	lint-imports --no-logo
	antsibull-changelog lint
	ansible-lint --offline

# The tests of ansible-test for a collection, on what its tarball holds. Left out: pep8, pylint and yamllint, of which ruff
# and yamllint do more with the project's own settings; changelog, which is linted above; pslint and shellcheck, which
# have nothing to look at. Each of the rest that needs packages makes an environment of its own below .ansible once, by
# pip; ansible-test would download get-pip for it, and is given the pip that Python brings along instead.
SANITY := action-plugin-docs ansible-doc compile empty-init ignores import line-endings no-assert no-get-exception \
    no-illegal-filenames no-smart-quotes replace-urlopen runtime-metadata shebang symlinks use-argspec-type-path \
    use-compat-six validate-modules
SANITY_HOME := $(CURDIR)/.ansible/sanity

.PHONY: sanity
sanity: setup ## Run ansible-test sanity on the collection as it is published (10 seconds; 45 the first time)
	$(say) "ansible-test sanity, 10 seconds; 45 the first time"
	home="$(SANITY_HOME)"
	folder=$$home/ansible_collections/heiiki/network
	rm -rf -- "$$folder" "$$home"/*.tar.gz
	mkdir -p "$$folder" "$$home"/.ansible/test/cache "$$home"/.config/pip "$$home"/.pip
	ansible-galaxy collection build --output-path "$$home" . >/dev/null
	tar xzf "$$home"/heiiki-network-*.tar.gz -C "$$folder"
	# ansible-test asks git for the files; to the checkout's own they are ignored ones.
	git -C "$$folder" init --quiet
	git -C "$$folder" add --all
	echo 'import ensurepip; ensurepip.bootstrap(upgrade=True)' >"$$home"/.ansible/test/cache/get_pip_24_2.py
	# ansible-test hides the environment from pip, and the home below hides the user's settings: both as files.
	ln -sfn "$${XDG_CONFIG_HOME:-$$HOME/.config}/pip/pip.conf" "$$home"/.pip/pip.conf
	PIP_PROXY=$${PIP_PROXY:-$${https_proxy:-$${HTTPS_PROXY:-}}}
	{ echo "[global]"; PIP_PROXY="$$PIP_PROXY" env | sed -n 's/^PIP_\([A-Z_]*=\)/\1/p'; } >"$$home"/.config/pip/pip.conf
	version=$$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	cd "$$folder"
	HOME=$$home ansible-test sanity --python "$$version" $(addprefix --test ,$(SANITY)) 2>&1 | tee "$$home"/printed
	# It skips what it has no environment for, and exits 0.
	! grep -F "Skipping sanity test" "$$home"/printed

.PHONY: types
types: setup ## Check types: mypy, strict, over the packages and the plugins (seconds once cached)
	$(say) "Types, about 10 seconds"
	MYPYPATH=src:$(VENV)/collections mypy -p heiiki -p heiiki_agent -p heiiki_lab -p ansible_collections.heiiki.network.plugins

# One worker for the lab and three for the rest, most of which waits: tests/conftest.py.
SIDE_BY_SIDE := --numprocesses=4 --dist=loadscope --no-loadscope-reorder

.PHONY: unit
unit: setup ## Run the tests that need no lab (about 7 minutes)
	pytest $(SIDE_BY_SIDE) -m "not lab"

.PHONY: test
test: setup ## Lint, types, documentation, sanity, unit, golden, wrong-input and Molecule tests (about 25 minutes)
	$(say) "1 of 2: lint, types, documentation and sanity side by side, about 1 minute; what they say is shown when they are done"
	$(MAKE) --jobs=2 --output-sync=target lint types docs sanity
	$(say) "2 of 2: tests, those on the lab and those without it side by side, about 22 minutes"
	pytest $(SIDE_BY_SIDE) --durations=25 --durations-min=10

.PHONY: long
long: setup ## Test on the lab what takes longer: every mutant, CAs replaced, the Vault server killed, another service (about 40 minutes)
	$(say) "Tests on a lab of their own, about half an hour"
	pytest -m "long or representative or mutant" --junit-xml=artifacts/molecule/long.xml

# $(call on_the_lab,FAULTS,WHAT IS MEASURED AND HOW LONG IT TAKES)
define on_the_lab
	SECONDS=0
	$(say) "1 of 3: lab up; half a minute, and once about 8 minutes to build its kernel and its Debian root"
	heiiki lab up $(LAB)
	$(say) "2 of 3: provisioning every device, about a minute"
	ansible-playbook -i $(LAB) playbooks/site.yml
	$(say) "3 of 3: $(2)"
	result=0
	ansible-playbook -i $(LAB) playbooks/verify.yml -e heiiki_verify_faults=$(1) || result=$$?
	$(say) "$$((SECONDS / 60)) min $$((SECONDS % 60)) s in all. The report: artifacts/lab/report.html. The lab is still up: $(VENV)/bin/heiiki lab status"
	exit $$result
endef

.PHONY: demo
demo: setup ## Start here: lab up, provision it, measure it, break a handful of elements, report (about 7 minutes)
	$(call on_the_lab,sample,measuring$(,) with a handful of faults; about 5 minutes)

.PHONY: prove
prove: setup ## The same with every fault of both paths, one after the other (about 48 minutes)
	$(call on_the_lab,true,measuring$(,) with every fault of both paths; about 45 minutes)

.PHONY: bench
bench: setup ## Measure 1,000 sites beside pyavd, certificates, 1,000 VENs beside openleadr, diffs, 300 devices beside netmiko (about 5 minutes)
	python tests/bench/bench.py
	python tests/bench/identities.py
	python tests/bench/openadr.py
	python tests/bench/platforms.py
	python tests/bench/fleet.py
	python tests/bench/sources.py

.PHONY: docs
docs: setup ## Build the documentation as a site: build/site/index.html (half a minute)
	rm -rf build/docs build/site
	mkdir -p build
	cp -r docs build/docs
	# Modules, plugins and roles describe themselves.
	antsibull-docs collection --use-current --fail-on-error --dest-dir build/docs heiiki.network
	sphinx-build --quiet --fail-on-warning --keep-going build/docs build/site
	echo "build/site/index.html"

.PHONY: lock
lock: setup ## Resolve the dependencies and write requirements.lock (seconds)
	$(BIN)/uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-annotate --no-emit-index-url --quiet --output-file requirements.lock \
	    --custom-compile-command "make lock"

.PHONY: changelog
changelog: setup ## Release: fold changelogs/fragments into CHANGELOG.md under the version of galaxy.yml
	antsibull-changelog release

.PHONY: clean
clean: ## Remove what this checkout and its labs made, except the shared cache of kernel and root
	if "$(BIN)/heiiki" --version >/dev/null 2>&1; then
	    "$(BIN)/heiiki" lab clean "$(CURDIR)"
	else
	    echo "no .venv: a lab that is up, and the keys that labs left, stay (make setup, then make clean)"
	fi
	$(SUDO) rm -rf -- $(VENV) .ansible artifacts build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec $(SUDO) rm -rf -- {} +

.PHONY: distclean
distclean: clean ## As clean, and remove the shared cache too
	$(SUDO) rm -rf -- $(foreach part,$(CACHED),"$(CACHE)/$(part)") "$(CACHE)"/unpacking-*
	if [ -d "$(CACHE)" ]; then rmdir --ignore-fail-on-non-empty -- "$(CACHE)"; fi
