"""Puts the packages of an npm lock into a folder: the coding agents that the tests run through the proxy.

Every file is fixed by its hash, and no package's own script is run: what an agent needs at run time lies ready
in the package for this system. The registry, its certificate and the way there are the user's own npm settings.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from packages import Run, Target
from sources import read_sources
from terminal import Problem, Progress

# what npm says -> what it means, the first that fits
_MEANINGS = (
    (
        # what is unpacked while it comes may be found damaged before its hash is known
        ("EINTEGRITY", "Z_DATA_ERROR", "Z_BUF_ERROR", "TAR_BAD_ARCHIVE"),
        "a downloaded npm package does not have the hash that the lock names, so nothing was installed: the registry "
        "is at fault, or the lock is damaged (git restore installer).",
    ),
    (("ENOSPC", "EDQUOT"), "the disk is full: free some space and run the same command again."),
    (
        ("SELF_SIGNED_CERT", "UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "CERT_"),
        "the npm registry's certificate is not trusted here: where your network has its own certificate authority, "
        "set NODE_EXTRA_CA_CERTS to its file and run the same command again.",
    ),
    (
        ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"),
        "no answer from the npm registry: check the network (behind a proxy set HTTPS_PROXY, for another registry "
        "npm_config_registry) and run the same command again.",
    ),
)
_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier")


def install(files: Sequence[Path], folder: Path, target: Target) -> None:
    """Fills `folder` from a package.json and its lock, `files`; what was downloaded outlasts an interruption."""
    npm = shutil.which("npm")
    if npm is None:
        raise Problem("npm is not on PATH, and the tests' coding agents come by it: install Node.js with its npm.")
    folder.mkdir()
    for file in files:
        shutil.copyfile(file, folder / file.name)
    cache = target.downloads / "npm"
    with Progress("Installing the coding agents with npm") as progress:
        run = Run([npm, "ci", *_OPTIONS, f"--cache={cache}"], _environment(), target, folder)
        if run.wait(lambda: progress.update("under way")) != 0:
            raise diagnose(run.text(), target.log)
    shutil.rmtree(cache, ignore_errors=True)


def diagnose(output: str, log: Path) -> Problem:
    """What npm's output says of its failure, with the advice that goes with it."""
    for marks, meaning in _MEANINGS:
        if any(mark in output for mark in marks):
            return Problem(f"{meaning} Details: {log}")
    errors = re.findall(r"^npm (?:error|ERR!) (?!code |errno )(.*\S)$", output, re.MULTILINE)
    first = f" ({errors[0][:200]})" if errors else ""
    return Problem(f"npm could not install the coding agents{first}. Details: {log}")


def _environment() -> dict[str, str]:
    """The user's own, with the certificates that pip was told of where npm was not."""
    cert = read_sources().settings.get("cert")
    return ({"NODE_EXTRA_CA_CERTS": cert} if cert else {}) | os.environ
