"""`python3 installer/bench.py` measures O-Switcher beside nginx, in the tests' own environment.

Takes about four minutes and wants a quiet machine; `--quick` only shows that it runs, `--json FILE` keeps the figures.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import subprocess
import sys

import environment
from terminal import run_or_explain


def main(arguments: list[str]) -> int:
    place = environment.ensure(environment.TEST)
    place.hold()
    command = [str(place.python), "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=environment.HERE.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
