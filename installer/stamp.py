"""What every release artefact is stamped with: its version, and a time that is the same for whoever builds it.

`python3 installer/stamp.py` prints the version; `stamp.py vX.Y.Z` ends with 1 if that is not its tag.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import environment
from terminal import Problem, run_or_explain

EARLIEST = 315_619_200  # 1980-01-02: what a zip file can say at the earliest, in any time zone


def main(arguments: list[str]) -> int:
    if arguments and arguments != [f"v{version()}"]:
        raise Problem(f"{' '.join(arguments)} is not the tag of version {version()}: it would be v{version()}.")
    print(version())
    return 0


def version() -> str:
    """The project's version, as the package states it."""
    text = (environment.CHECKOUT / environment.PACKAGE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+[\w.+-]*)"$', text, re.MULTILINE)
    if found is None:
        raise Problem(f"{environment.PACKAGE}/__init__.py names no version.")
    return found[1]


def epoch() -> int:
    """Seconds since the epoch that files are dated with: SOURCE_DATE_EPOCH, else that of the last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is not None:
        if not told.isdecimal():
            raise Problem("SOURCE_DATE_EPOCH is no whole number of seconds: mend or unset it.")
        return max(int(told), EARLIEST)
    return _committed() or EARLIEST


def _committed() -> int | None:
    command = ["git", "-C", str(environment.CHECKOUT), "log", "-1", "--format=%ct"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return int(answer.stdout) if answer.returncode == 0 else None


def tell(made: Path) -> None:
    """Say what has been made, how large it is, and its hash."""
    content = made.read_bytes()
    print(f"{made}  {len(content) / 1000:.0f} kB  sha256:{hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
