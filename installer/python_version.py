"""Imported first by every script in this folder: stops with one line where Python is too old.

Kept in syntax that any Python 3 reads, since it has to run on the very versions it turns away.
"""

import shutil
import subprocess
import sys

NEEDED = (3, 11)
NEWEST_TRIED = 14

if sys.version_info < NEEDED:
    found = ".".join(str(number) for number in sys.version_info[:3])
    # run, not only found: a version manager's shims stand on PATH for versions that are not selected
    names = ["python3.%d" % minor for minor in range(NEWEST_TRIED, NEEDED[1] - 1, -1)]  # noqa: UP031
    better = []
    for name in names:
        if shutil.which(name) and subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            better.append(name)
    advice = "run it with %s instead" % better[0] if better else "install a newer Python and use that"  # noqa: UP031
    sys.stderr.write(
        "O-Switcher needs Python %d.%d or newer, and this is Python %s (%s): %s.\n"  # noqa: UP031
        % (NEEDED[0], NEEDED[1], found, sys.executable, advice)
    )
    raise SystemExit(1)
