"""What a failed installation says: one line with the advice that fits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packages import count_packages, diagnose


@pytest.mark.parametrize(
    ("output", "kind", "words"),
    [
        pytest.param(
            "Collecting six==1.17.0 (from -r lock (line 1))\n"
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
            "    six==1.17.0 from https://i/six.whl (from -r lock):\n        Expected sha256 0\n",
            "hash",
            "package (six) does not have the hash",
            id="pip: hash",
        ),
        pytest.param(
            "  \u00d7 Failed to download `six==1.17.0`\n  ╰─▶ Hash mismatch for `six==1.17.0`\n",
            "hash",
            "package (six) does not have the hash",
            id="uv: hash",
        ),
        pytest.param(
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(\"HTTPSConnection(host="
            "'i', port=443): Failed to establish a new connection: [Errno -2] Name or service not known\")'\n"
            "ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)\n"
            "ERROR: No matching distribution found for six==1.17.0\n",
            "network",
            "no answer from the package index",
            id="pip: no network, though it speaks of versions",
        ),
        pytest.param(
            "error: Failed to fetch: `https://i/simple/six/`\n  Caused by: error sending request for url\n"
            "  Caused by: client error (Connect)\n  Caused by: dns error\n",
            "network",
            "no answer from the package index",
            id="uv: no network",
        ),
        pytest.param(
            "Could not fetch URL https://i/simple/six/: There was a problem confirming the ssl certificate: "
            "Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'",
            "certificate",
            "set PIP_CERT",
            id="pip: certificate, though it speaks of retries",
        ),
        pytest.param(
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            "disk",
            "the disk is full",
            id="pip: disk",
        ),
        pytest.param(
            "ERROR: Could not find a version that satisfies the requirement msgspec==0.22.0 (from versions: 0.1)\n"
            "ERROR: No matching distribution found for msgspec==0.22.0\n",
            "wheel",
            "no ready-made package (msgspec) for this Python",
            id="pip: no wheel",
        ),
        pytest.param(
            "  \u00d7 No solution found when resolving dependencies:\n"
            "  ╰─▶ Because pillow==13.0.0 has no usable wheels and you require pillow==13.0.0, ...\n",
            "wheel",
            "no ready-made package (pillow) for this Python",
            id="uv: no wheel",
        ),
        pytest.param("ERROR: out of cheese\n", "unknown", "(out of cheese). Details: /log", id="anything else"),
        pytest.param("", "unknown", "could not be installed. Details: /log", id="nothing at all"),
    ],
)
def test_a_failure_is_told_by_its_cause(output: str, kind: str, words: str) -> None:
    failed = diagnose(output, Path("/log"))
    assert failed.kind == kind
    assert words in str(failed.problem)
    assert "\n" not in str(failed.problem)


def test_packages_of_other_systems_are_not_counted() -> None:
    other = "linux" if sys.platform == "win32" else "win32"
    lock = f"""\
a==1 \\
    --hash=sha256:0
b==2 ; sys_platform == '{other}' \\
    --hash=sha256:0
c==3 ; sys_platform != '{other}' and python_full_version < '3.12' \\
d==4 ; sys_platform == '{sys.platform}' \\
e==5 ; sys_platform != '{sys.platform}' \\
"""
    assert count_packages(lock) == 3
