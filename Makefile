# `make knowledge` checks every name of asynclint/knowledge against the real packages, at the verified versions.

PYTHON ?= python3.11
KNOWLEDGE_ENV ?= .venv-knowledge
COMMA := ,
APART = chainlit,instructor,langchain,litellm,llama_index

.PHONY: knowledge
knowledge: $(KNOWLEDGE_ENV)/1/ready $(KNOWLEDGE_ENV)/2/ready
	$(KNOWLEDGE_ENV)/1/bin/python scripts/knowledge_index.py --check
	$(KNOWLEDGE_ENV)/1/bin/python scripts/harvest.py --check
	$(KNOWLEDGE_ENV)/1/bin/python scripts/verify_knowledge.py --strict --skip $(APART)
	$(KNOWLEDGE_ENV)/2/bin/python scripts/verify_knowledge.py --strict $(subst $(COMMA), ,$(APART))

$(KNOWLEDGE_ENV)/1/ready: scripts/knowledge-requirements.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(KNOWLEDGE_ENV)/2/ready: scripts/knowledge-requirements-2.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
