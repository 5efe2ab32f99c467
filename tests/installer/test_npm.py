"""The npm packages of an environment: what the lock names and no other, no script run, and one line where it fails."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from npm import diagnose

from .conftest import Checkout

SCRIPT = "console.log('tiny agent')"
ENSURE = """
import sys
sys.path.insert(0, sys.argv[1])
import environment
from terminal import run_or_explain

def main(_):
    print(environment.ensure(environment.CLIENTS).node)
    return 0

sys.exit(run_or_explain(main))
"""


def archive() -> bytes:
    """A package with one command, and a script that would leave a mark if it were run."""
    manifest = {"name": "tiny-agent", "version": "1.0.0", "bin": "agent.js", "scripts": {"postinstall": "touch ran"}}
    files = {"package.json": json.dumps(manifest), "agent.js": f"#!/usr/bin/env node\n{SCRIPT}\n"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def agents(checkout: Checkout) -> Checkout:
    """A checkout whose clients are one tiny Python package and one tiny npm package, of the same index."""
    content = archive()
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    checkout.index.files["tiny-agent-1.0.0.tgz"] = content
    root = checkout.index.url.rpartition("/")[0]
    version = {
        "name": "tiny-agent",
        "version": "1.0.0",
        "dist": {"integrity": integrity, "tarball": f"{root}/files/tiny-agent-1.0.0.tgz"},
    }
    # a registry tells of a package under its name alone
    checkout.index.files["tiny-agent"] = json.dumps({"name": "tiny-agent", "versions": {"1.0.0": version}}).encode()
    folder = checkout.folder / "installer"
    wanted = {"name": "clients", "dependencies": {"tiny-agent": "1.0.0"}}
    (folder / "clients/package.json").write_text(json.dumps(wanted))
    locked = {"version": "1.0.0", "integrity": integrity, "hasInstallScript": True}
    lock = {"lockfileVersion": 3, "packages": {"": wanted, "node_modules/tiny-agent": locked}}
    (folder / "clients/package-lock.json").write_text(json.dumps({"name": "clients", **lock}))
    shutil.copyfile(folder / "requirements.lock", folder / "requirements-clients.lock")
    checkout.variables |= {
        "npm_config_registry": root,
        "npm_config_fetch_retries": "0",
        "npm_config_userconfig": "/dev/null",
    }
    (folder / "ensure.py").write_text(ENSURE)
    return checkout


def ensured(checkout: Checkout) -> Path:
    done = checkout.run("ensure.py", str(checkout.folder / "installer"))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_they_are_installed_once_without_their_scripts_and_the_downloads_go(agents: Checkout) -> None:
    node = ensured(agents)
    package = node / "node_modules/tiny-agent"
    assert SCRIPT in (package / "agent.js").read_text()
    assert not (package / "ran").exists()
    assert not (agents.environments / "downloads/npm").exists()
    agents.index.asked.clear()
    assert ensured(agents) == node
    assert agents.index.asked == []


def test_another_checkout_shares_them_and_another_lock_does_not(agents: Checkout) -> None:
    node = ensured(agents)
    agents.folder = agents.folder.rename(agents.folder.with_name("moved"))
    assert ensured(agents) == node
    lock = agents.folder / "installer/clients/package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    assert ensured(agents) != node
    assert not node.exists()


def test_one_that_is_not_what_the_lock_names_is_refused_and_the_next_run_makes_it_whole(agents: Checkout) -> None:
    good = agents.index.files["tiny-agent-1.0.0.tgz"]
    agents.index.files["tiny-agent-1.0.0.tgz"] = good + b"tampered"
    done = agents.run("ensure.py", str(agents.folder / "installer"))
    assert done.returncode == 1
    assert "npm package does not have the hash that the lock names" in done.stderr.splitlines()[-1]
    agents.index.files["tiny-agent-1.0.0.tgz"] = good
    assert (ensured(agents) / "node_modules/tiny-agent").is_dir()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("npm error code ENOTFOUND\nnpm error network request failed", "no answer from the npm registry"),
        ("npm ERR! code SELF_SIGNED_CERT_IN_CHAIN\n", "set NODE_EXTRA_CA_CERTS"),
        ("npm error code ENOSPC\nnpm error nospc no space left on device", "the disk is full"),
        ("npm error code EINTEGRITY\nnpm error sha512-x integrity checksum failed", "not have the hash that the lock"),
        # the same tampered file, where its end came later than the rest: seen one time in six
        (
            "npm error code Z_DATA_ERROR\nnpm error errno -3\nnpm error zlib: incorrect",
            "not have the hash that the lock",
        ),
        ("npm error code EUSAGE\nnpm error\nnpm error Missing: a@1 from lock file", "(Missing: a@1 from lock file)"),
        ("npm error code EISDIR\nnpm error errno -21\nnpm error a folder is in the way", "(a folder is in the way)"),
    ],
)
def test_a_failure_is_one_line_with_the_advice_that_fits(output: str, words: str) -> None:
    told = str(diagnose(output, Path("/log")))
    assert words in told
    assert told.endswith("Details: /log")
    assert "\n" not in told
