# `make knowledge` checks every name of asynclint/knowledge against the real packages, at the verified versions.
# Libraries that need different releases of the same package are installed apart: one environment for each file of requirements.
# An environment is kept as long as its file says the same.

PYTHON ?= python3.11
KNOWLEDGE_ENV ?= .venv-knowledge
ENVIRONMENTS = 1 2 3 4 5 6 7 8 9

.PHONY: knowledge knowledge-environments $(ENVIRONMENTS:%=knowledge-%) $(ENVIRONMENTS:%=environment-%)
knowledge: $(ENVIRONMENTS:%=knowledge-%)

knowledge-environments: $(ENVIRONMENTS:%=environment-%)

$(ENVIRONMENTS:%=knowledge-%): knowledge-%: environment-%
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/knowledge_index.py --check
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/harvest.py --check
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/harvest_names.py --check
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/verify_knowledge.py --strict --requirements scripts/knowledge-requirements-$*.txt

$(ENVIRONMENTS:%=environment-%): environment-%:
	@cmp -s scripts/knowledge-requirements-$*.txt $(KNOWLEDGE_ENV)/$*/ready || { \
	  set -e; \
	  [ -x $(KNOWLEDGE_ENV)/$*/bin/python ] || $(PYTHON) -m venv $(KNOWLEDGE_ENV)/$*; \
	  rm -f $(KNOWLEDGE_ENV)/$*/ready; \
	  $(KNOWLEDGE_ENV)/$*/bin/pip install --quiet --disable-pip-version-check -r scripts/knowledge-requirements-$*.txt; \
	  cp scripts/knowledge-requirements-$*.txt $(KNOWLEDGE_ENV)/$*/ready; \
	}

# `make compiled` compiles asynclint/facts with mypyc in a copy of the checkout, and runs all tests there: minutes, and a C compiler.
COMPILED_PYTHON ?= $(CURDIR)/.venv/bin/python
COMPILED = $(CURDIR)/build/compiled

.PHONY: compiled
compiled:
	ASYNCLINT_COMPILE=1 $(COMPILED_PYTHON) -m pytest -n 0 tests/test_compile_facts.py
	rm -rf $(COMPILED)
	mkdir -p $(COMPILED)
	git ls-files -z | xargs -0 cp --parents -t $(COMPILED)
	$(COMPILED_PYTHON) scripts/compile_facts.py $(COMPILED)
	cd $(COMPILED) && PYTHONPATH=$(COMPILED) $(COMPILED_PYTHON) -m pytest
