# The commands. All the work is in tools/start.py, which also runs where there is no make.
PYTHON ?= $(shell command -v python3 || command -v python)

.PHONY: app test test-faults bench

app:
	@$(PYTHON) tools/start.py app

test:
	@$(PYTHON) tools/start.py test

# Long: workers and supervisors are killed at random, runs soak, giant cells are read and many copies compared.
test-faults:
	@$(PYTHON) tools/start.py test -m slow

# The engine beside its peers, into benchmarks/RESULTS.md: hours, on a machine that does nothing else. IMAGES=DIR TEXT=FILE for other data,
# AVX2=1 for processors without more, BENCH="--quick" to try it out.
bench:
	@$(PYTHON) tools/start.py bench $(if $(IMAGES),--images "$(IMAGES)") $(if $(TEXT),--text "$(TEXT)") $(if $(AVX2),--avx2) $(BENCH)
