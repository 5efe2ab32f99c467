"""`python3 installer/run.py ARGS...` runs `o-switcher ARGS...` from this checkout, in its own environment.

The first run makes the environment; later ones start at once. On POSIX this process becomes the app, so
signals, standard input and exit codes need no handing on.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import os
import signal
import subprocess
import sys

import environment
from terminal import run_or_explain


def main(arguments: list[str]) -> int:
    place = environment.ensure(environment.RUN)
    # -I: neither the working folder nor PYTHONPATH may shadow the app's modules
    command = [str(place.python), "-I", "-m", environment.PACKAGE, *arguments]
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the app gets Ctrl-C too, and answers it
        return subprocess.run(command, check=False).returncode
    place.hold()
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606  # a list of arguments, no shell


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
