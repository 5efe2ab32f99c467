"""`python3 installer/wheels.py` builds the wheel and the source archive: what pipx, uv and pip install.

The same bytes each time, by the pinned build backend in an environment of its own.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import environment
import stamp
from terminal import Problem, run_or_explain

KINDS = ("wheel", "sdist")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wheels.py", description="Builds the wheel and the source archive.")
    parser.add_argument("--out", type=Path, default=environment.CHECKOUT / "dist", help="the folder for them (dist)")
    out = parser.parse_args(arguments).out.absolute()
    for made in build(str(environment.ensure(environment.BUILD).python), out):
        stamp.tell(made)
    return 0


def build(python: str, out: Path, kinds: tuple[str, ...] = KINDS) -> list[Path]:
    """The archives, in the folder `out`, by the backend that `python` has."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="o-switcher-wheel-") as folder:
        words = [word for kind in kinds for word in ("-t", kind)]
        command = [python, "-I", "-m", "hatchling", "build", "-d", folder, *words]
        environ = os.environ | {"SOURCE_DATE_EPOCH": str(stamp.epoch())}
        done = subprocess.run(
            command, cwd=environment.CHECKOUT, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Problem(f"hatchling could not build it: {(done.stderr or done.stdout).strip()[-1000:]}")
        return [Path(shutil.move(path, out / path.name)) for path in sorted(Path(folder).iterdir())]


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
