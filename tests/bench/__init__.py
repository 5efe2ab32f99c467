"""How dear O-Switcher is beside nginx doing the same work: `python -m tests.bench`."""
