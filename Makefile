# `make knowledge` checks every name of asynclint/knowledge against the real packages, at the verified versions.
# Libraries that need different releases of the same package are installed apart: one environment for each file of requirements.

PYTHON ?= python3.11
KNOWLEDGE_ENV ?= .venv-knowledge
ENVIRONMENTS = 1 2 3 4 5

.PHONY: knowledge $(ENVIRONMENTS:%=knowledge-%)
knowledge: $(ENVIRONMENTS:%=knowledge-%)
	$(KNOWLEDGE_ENV)/1/bin/python scripts/knowledge_index.py --check

$(ENVIRONMENTS:%=knowledge-%): knowledge-%: $(KNOWLEDGE_ENV)/%/ready
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/harvest.py --check
	$(KNOWLEDGE_ENV)/$*/bin/python scripts/verify_knowledge.py --strict --requirements scripts/knowledge-requirements-$*.txt

$(KNOWLEDGE_ENV)/%/ready: scripts/knowledge-requirements-%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
