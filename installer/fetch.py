"""Fetches one pinned archive of pip, checked by its SHA-256, for machines that have no pip at all.

The hash in `pip.lock` is the guarantee; the index is only asked where the file lies. Written against
the simple repository API (https://packaging.python.org/specifications/simple-repository-api/), with
the user's own index, certificate, proxy and netrc.
"""

from __future__ import annotations

import hashlib
import netrc
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from sources import Sources, proxy_url
from terminal import Problem, say

LARGEST = 32 << 20
NO_NETWORK = (
    "no answer from {host} ({reason}): check the network; behind a proxy set HTTPS_PROXY, "
    "and for another package index PIP_INDEX_URL. Then run the same command again."
)
BAD_CERTIFICATE = (
    "the certificate of {host} is not trusted here ({reason}): where your network has its own certificate "
    "authority, set PIP_CERT to its file and run the same command again."
)


def pip_archive(pin: Path, folder: Path, sources: Sources) -> Path:
    """The pinned pip as a wheel in `folder`, downloaded if it is not there yet."""
    version, hashes = read_pin(pin)
    name = f"pip-{version}-py3-none-any.whl"
    target = folder / name
    if target.is_file() and _digest(target.read_bytes()) in hashes:
        return target
    content = _Downloads(sources).find(name)
    if _digest(content) not in hashes:
        raise Problem(
            f"the downloaded {name} does not have the expected SHA-256, so it was not used: "
            "somebody on the way changes downloads, or the package index is at fault; try another network."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("pip-*"):
        earlier.unlink(missing_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(target)
    return target


def read_pin(pin: Path) -> tuple[str, set[str]]:
    """Version and allowed SHA-256 hashes of pip, from its lock."""
    text = pin.read_text(encoding="utf-8")
    version = re.search(r"^pip==([\w.]+)", text, re.MULTILINE)
    if version is None:
        raise Problem(f"{pin} names no version of pip: take it from the repository again.")
    return version[1], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


class _Downloads:
    """Finds a file in the user's package sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._unverified = False

    def find(self, name: str) -> bytes:
        missing: Problem | None = None
        for folder in self._sources.folders():
            local = Path(folder.removeprefix("file://"), name)
            if local.is_file():
                return local.read_bytes()
        for index in self._sources.indexes():
            try:
                return self._from_index(index, name)
            except Problem as problem:
                missing = missing or problem
        raise missing or Problem(f"{name} is in none of pip's find-links folders, and no-index is set.")

    def _from_index(self, index: str, name: str) -> bytes:
        page = index.rstrip("/") + "/pip/"
        links = _Links()
        links.feed(self._read(page + ("index.html" if page.startswith("file:") else "")).decode("utf-8", "replace"))
        for link in links.found:
            address, _ = urldefrag(urljoin(page, link))
            if unquote(urlsplit(address).path).endswith("/" + name):
                return self._read(address)
        raise Problem(f"the package index {_public(index)} does not have {name}: set PIP_INDEX_URL to one that has.")

    def _read(self, address: str) -> bytes:
        host = urlsplit(address).hostname or address
        for attempt in (1, 2):
            try:
                with self._open(address, host) as answer:
                    content: bytes = answer.read(LARGEST)
                    return content
            except urllib.error.HTTPError as error:
                error.close()
                raise Problem(f"{_public(address)} answers {error.code} {error.reason}: see PIP_INDEX_URL.") from error
            except (OSError, EOFError) as error:
                reason = getattr(error, "reason", error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise Problem(BAD_CERTIFICATE.format(host=host, reason=reason.verify_message)) from error
                if attempt == 2:
                    raise Problem(NO_NETWORK.format(host=host, reason=reason)) from error
        raise AssertionError("unreachable")

    def _open(self, address: str, host: str) -> urllib.request._UrlopenRet:
        parts = urlsplit(address)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        request = urllib.request.Request(bare, headers={"Accept": "text/html, */*;q=0.1"})
        context = self._context(host) if parts.scheme == "https" else None
        credentials = _credentials(parts.username, parts.password, host)
        if credentials and self._unverified:
            raise Problem("this machine has no CA certificates: install the package ca-certificates first.")
        if credentials:
            request.add_header("Authorization", "Basic " + b64encode(credentials.encode()).decode())
        proxy = self._sources.settings.get("proxy")
        proxies = dict.fromkeys(("http", "https"), proxy_url(proxy)) if proxy else None
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(proxies)]
        handlers += [urllib.request.HTTPSHandler(context=context)] if context else []
        opener = urllib.request.build_opener(*handlers)
        return opener.open(request, timeout=self._sources.timeout())

    def _context(self, host: str) -> ssl.SSLContext:
        cert = self._sources.settings.get("cert")
        if cert and not Path(cert).exists():
            raise Problem(f"pip's settings name the certificate file {cert}, which does not exist: mend PIP_CERT.")
        context = ssl.create_default_context(cafile=cert if cert and Path(cert).is_file() else None)
        if cert and Path(cert).is_dir():
            context.load_verify_locations(capath=cert)
        client_cert = self._sources.settings.get("client-cert")
        if client_cert:
            context.load_cert_chain(client_cert)
        trusted = {entry.partition(":")[0] for entry in self._sources.settings.get("trusted-host", "").split()}
        if host in trusted or not (cert or _load_certificates(context)):
            self._stop_verifying(context, told=host in trusted)
        return context

    def _stop_verifying(self, context: ssl.SSLContext, *, told: bool) -> None:
        """A bare machine has no CA certificates, and pip brings its own: only pip itself is fetched so.

        Nothing rests on it: the archive counts by its SHA-256, and no credential is sent.
        """
        if not (told or self._unverified):
            say("This machine has no CA certificates: pip is taken by its SHA-256 alone, and brings certificates.")
            self._unverified = True
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE


def _load_certificates(context: ssl.SSLContext) -> bool:
    """Whether the machine has certificates to verify with."""
    if sys.platform == "win32":
        return True  # the system's own store
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return True
    # python.org's build for macOS comes without certificates until a script of its is run
    fallback = Path("/etc/ssl/cert.pem")
    if fallback.is_file():
        context.load_verify_locations(fallback)
        return True
    return False


def _credentials(username: str | None, password: str | None, host: str) -> str | None:
    if username:
        return f"{unquote(username)}:{unquote(password or '')}"
    try:
        entry = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return f"{entry[0]}:{entry[2]}" if entry else None


def _public(address: str) -> str:
    """An address as it may be shown: without a name and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
