"""A small checkout of its own, and a package index of its own, for the set-up scripts to work on.

Nothing is replaced inside the scripts: they run as processes, with the real pip and uv, against a real
server on this machine that can be slow, lie about a file, or ask for a password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = CHECKOUT / "installer"
sys.path.append(str(SCRIPTS))  # as a script's own folder is; at the end, so that it shadows nothing

from environment import environments_folder  # noqa: E402  # found only once its folder is on the path
from fetch import pip_archive  # noqa: E402
from packages import PIP_LOCK  # noqa: E402
from sources import read_sources  # noqa: E402

APP = """
import json, os, signal, sys, time
import tiny

HOME = os.path.expanduser("~")
LOGIN = HOME + "/.config/autostart/o-switcher.desktop"
OPENCODE = HOME + "/.config/opencode/opencode.json"

def put(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as file:
        file.write("Exec=o-switcher\\n")
    os.replace(path + ".part", path)

def main():
    words = sys.argv[1:]
    with open(os.path.expanduser("~/calls"), "a") as calls:
        calls.write(" ".join(words) + "\\n")
    if words[:1] == ["where"]:
        print(json.dumps({"tiny": tiny.VERSION, "file": __file__, "command": sys.argv[0], "folder": os.getcwd()}))
    elif words[:1] == ["copy"]:
        sys.stdout.write(sys.stdin.read())
    elif words[:1] == ["exit"]:
        return int(words[1])
    elif words[:1] == ["wait"]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print("ready", flush=True)
        time.sleep(60)
    elif words == ["connections", "--json"]:
        state = "connected" if os.path.exists(OPENCODE) else "not connected"
        rows = [{"client": "codex", "connected": True, "state": "connected"}, {"client": "other", "connected": False}]
        print(json.dumps([*rows, {"client": "opencode", "connected": state == "connected", "state": state}]))
    elif words[:2] == ["connect", "opencode"]:
        if "--json" in words:
            print(json.dumps({"files": [{"diff": "--- before\\n+++ after\\n+proxy\\n"}]}))
        elif "--dry-run" not in words:
            put(OPENCODE)
            print("OpenCode is pointed at O-Switcher")
    elif words[:1] == ["disconnect"]:
        if os.path.exists(HOME + "/stubborn"):
            sys.stderr.write("o-switcher: somebody has changed it since\\n")
            return 1
        if words[1] == "opencode":
            os.path.exists(OPENCODE) and os.unlink(OPENCODE)
            os.path.isdir(os.path.dirname(OPENCODE)) and os.rmdir(os.path.dirname(OPENCODE))
    elif words[:1] == ["autostart"]:
        if words[1] == "enable":
            put(LOGIN)
        elif words[1] == "disable":
            os.path.exists(LOGIN) and os.unlink(LOGIN)
        else:
            print(json.dumps({"enabled": os.path.exists(LOGIN)}))
    elif words[:1] == ["migrate"] and os.path.exists(HOME + "/old-history"):
        sys.stderr.write("o-switcher: the history does not go through the migrations\\n")
        return 1
    elif words == ["status"]:
        return 0 if os.path.exists(HOME + "/running") else 3
    elif words == ["restart"]:
        print("O-Switcher 2 listens")
    return 0

if __name__ == "__main__":
    sys.exit(main())
"""


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module that knows its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


class Index:
    """A package index on this machine. `slow` names a file that is only sent once `go` is set."""

    def __init__(self, certificate: Path | None = None, password: str = "") -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.slow = ""
        self.go = threading.Event()
        self.held = threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                expected = "Basic " + base64.b64encode(password.encode()).decode()
                if password and self.headers["Authorization"] != expected:
                    self.send_error(401)
                    return
                name = self.path.rpartition("/")[2]
                if index.slow and name == index.slow:
                    index.held.set()
                    index.go.wait(60)
                content = index.files.get(name) if name else index.page(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if not name else "application/octet-stream")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that is killed, or that distrusts the certificate, goes away in mid-request

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        user = f"{password}@" if password else ""
        self.url = f"{scheme}://{user}127.0.0.1:{self._server.server_address[1]}/simple"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def add(self, wheel: Path) -> None:
        self.files[wheel.name] = wheel.read_bytes()

    def page(self, path: str) -> bytes | None:
        """The page that lists a project's files."""
        project = path.strip("/").rpartition("/")[2]
        links = [f'<a href="/files/{name}">{name}</a>' for name in self.files if name.startswith(f"{project}-")]
        return "<html><body>{}</body></html>".format("\n".join(links)).encode() if links else None

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Checkout:
    """A copy of the set-up scripts beside a stand-in app that needs one tiny package."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.index = index
        self.home = folder / "home"
        self.folder = folder / "check out"  # with a blank, as people have them
        self.data = self.home / ".local/share/o-switcher"
        self.environments = self.data / "environments"
        self._wheels = folder / "wheels"
        for made in (self.home, self.folder / "tray_app", self.folder / "assets", self._wheels):
            made.mkdir(parents=True)
        shutil.copytree(SCRIPTS, self.folder / "installer", ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "tray_app/__init__.py").touch()
        (self.folder / "tray_app/__main__.py").write_text(APP)
        (self.folder / "assets/o-switcher.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        self.lock("1.0")
        self.variables = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "PIP_NO_CACHE_DIR": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def lock(self, version: str) -> None:
        """Writes a lock that wants that version of the tiny package, and puts it on the index."""
        wheel = make_wheel(self._wheels, "tiny", version)
        self.index.add(wheel)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        text = f"tiny=={version} \\\n    --hash=sha256:{digest}\n"
        (self.folder / "installer/requirements.lock").write_text(text)

    def prefer_uv(self) -> bool:
        """Puts uv on PATH, if this machine or the test environment has it."""
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if uv is not None:
            (self.home / "bin").mkdir()
            (self.home / "bin/uv").symlink_to(uv)
            self.variables |= {"PATH": f"{self.home / 'bin'}:/usr/bin:/bin", "UV_NO_CACHE": "1"}
        return uv is not None

    def start(self, script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """One of the scripts, as a process whose working folder is the user's home."""
        return subprocess.Popen(
            [sys.executable, str(self.folder / "installer" / script), *arguments],
            cwd=self.home,
            env=self.variables | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The same, to its end."""
        with self.start(script, *arguments, **variables) as process:
            out, err = process.communicate(stdin, timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def where(self, **variables: str) -> dict[str, str]:
        """What the stand-in app says of itself when it is run by run.py."""
        done = self.run("run.py", "where", **variables)
        assert done.returncode == 0, done.stderr
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    def made(self) -> set[str]:
        """The environments that lie there."""
        return {path.parent.name for path in self.environments.glob("*/pyvenv.cfg")}


@pytest.fixture(scope="session")
def pip_wheel() -> Path:
    """The real, pinned pip; the test environment's own set-up has usually fetched it already."""
    return pip_archive(PIP_LOCK, environments_folder() / "downloads", read_sources())


@pytest.fixture
def index(pip_wheel: Path) -> Iterator[Index]:
    index = Index()
    index.add(pip_wheel)
    yield index
    index.close()


@pytest.fixture
def checkout(tmp_path: Path, index: Index) -> Checkout:
    return Checkout(tmp_path, index)
