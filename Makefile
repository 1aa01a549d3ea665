# The two commands. All the work is in tools/start.py, which also runs where there is no make.
PYTHON ?= $(shell command -v python3 || command -v python)

.PHONY: app test test-faults

app:
	@$(PYTHON) tools/start.py app

test:
	@$(PYTHON) tools/start.py test

# Long: workers and supervisors are killed at random, runs soak, giant cells are read and many copies compared.
test-faults:
	@$(PYTHON) tools/start.py test -m slow
