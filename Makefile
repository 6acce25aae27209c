# `make knowledge` checks every name of asynclint/knowledge against the real packages, at the verified versions.

PYTHON ?= python3.11
KNOWLEDGE_ENV ?= .venv-knowledge
SECOND = chainlit instructor langchain litellm llama_index
THIRD = aioboto fsspec
empty :=
comma := ,
APART = $(subst $(empty) $(empty),$(comma),$(SECOND) $(THIRD))

.PHONY: knowledge
knowledge: $(KNOWLEDGE_ENV)/1/ready $(KNOWLEDGE_ENV)/2/ready $(KNOWLEDGE_ENV)/3/ready
	$(KNOWLEDGE_ENV)/1/bin/python scripts/knowledge_index.py --check
	$(KNOWLEDGE_ENV)/1/bin/python scripts/harvest.py --check
	$(KNOWLEDGE_ENV)/1/bin/python scripts/verify_knowledge.py --strict --skip $(APART)
	$(KNOWLEDGE_ENV)/2/bin/python scripts/verify_knowledge.py --strict $(SECOND)
	$(KNOWLEDGE_ENV)/3/bin/python scripts/verify_knowledge.py --strict $(THIRD)

$(KNOWLEDGE_ENV)/1/ready: scripts/knowledge-requirements.txt
$(KNOWLEDGE_ENV)/2/ready: scripts/knowledge-requirements-2.txt
$(KNOWLEDGE_ENV)/3/ready: scripts/knowledge-requirements-3.txt
$(KNOWLEDGE_ENV)/%/ready:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
