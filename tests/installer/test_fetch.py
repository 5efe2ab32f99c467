"""Fetching pip itself: by the user's own index, certificate and password, and trusted for its hash alone."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from fetch import pip_archive
from packages import PIP_LOCK
from sources import Sources
from terminal import Problem

from .conftest import Index


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, that no machine knows."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a company's own")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def secure(certificate: Path, pip_wheel: Path) -> Iterator[Index]:
    index = Index(certificate)
    index.add(pip_wheel)
    yield index
    index.close()


def test_the_users_certificate_is_used(secure: Index, certificate: Path, tmp_path: Path) -> None:
    sources = Sources({"index-url": secure.url, "cert": str(certificate)})
    assert pip_archive(PIP_LOCK, tmp_path / "downloads", sources).is_file()


def test_a_certificate_that_nobody_knows_is_refused(
    secure: Index, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"  # a machine that has certificates, only not this one
    other.write_text((Path(__import__("certifi").where())).read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with pytest.raises(Problem, match=r"certificate of 127.0.0.1 is not trusted here .*set PIP_CERT"):
        pip_archive(PIP_LOCK, tmp_path / "downloads", Sources({"index-url": secure.url}))
    assert not any(path.endswith(".whl") for path in secure.asked)


def test_a_certificate_file_that_is_not_there_is_named(secure: Index, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="certificate file /nowhere, which does not exist"):
        pip_archive(PIP_LOCK, tmp_path, Sources({"index-url": secure.url, "cert": "/nowhere"}))


def test_a_machine_without_any_certificates_trusts_the_hash_alone(
    secure: Index,
    pip_wheel: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    sources = Sources({"index-url": secure.url})
    assert pip_archive(PIP_LOCK, tmp_path / "downloads", sources).is_file()
    assert capsys.readouterr().err.count("no CA certificates") == 1
    secure.files[pip_wheel.name] += b"tampered"
    with pytest.raises(Problem, match="does not have the expected SHA-256"):
        pip_archive(PIP_LOCK, tmp_path / "again", sources)
    with_password = secure.url.replace("https://", "https://user:secret@")
    with pytest.raises(Problem, match="install the package ca-certificates first"):
        pip_archive(PIP_LOCK, tmp_path / "again", Sources({"index-url": with_password}))


def test_a_password_is_sent_and_never_shown(pip_wheel: Path, tmp_path: Path) -> None:
    index = Index(password="user:secret")
    try:
        with pytest.raises(Problem) as without:
            pip_archive(PIP_LOCK, tmp_path, Sources({"index-url": index.url.replace("secret", "wrong-one")}))
        with pytest.raises(Problem) as empty:
            pip_archive(PIP_LOCK, tmp_path, Sources({"index-url": index.url}))
        index.add(pip_wheel)
        assert pip_archive(PIP_LOCK, tmp_path, Sources({"index-url": index.url})).is_file()
    finally:
        index.close()
    assert "answers 401" in str(without.value)
    assert "answers 404" in str(empty.value)
    assert not any(word in f"{without.value}{empty.value}" for word in ("user", "secret", "wrong-one"))


def test_folders_and_further_indexes_are_looked_into(index: Index, pip_wheel: Path, tmp_path: Path) -> None:
    folder = Sources({"find-links": f"/nowhere {pip_wheel.parent}", "no-index": "true"})
    assert pip_archive(PIP_LOCK, tmp_path / "a", folder).is_file()
    listed = tmp_path / "simple/pip"
    listed.mkdir(parents=True)
    (listed / "index.html").write_text(f'<a href="{pip_wheel.as_uri()}#sha256=0">pip</a>')
    further = Sources({"index-url": "http://127.0.0.1:9/simple", "extra-index-url": (tmp_path / "simple").as_uri()})
    assert pip_archive(PIP_LOCK, tmp_path / "b", further).is_file()
    with pytest.raises(Problem, match="in none of pip's find-links folders"):
        pip_archive(PIP_LOCK, tmp_path / "c", Sources({"no-index": "1"}))


def test_a_proxy_is_used(index: Index, tmp_path: Path) -> None:
    proxy = index.url.removeprefix("http://").removesuffix("/simple")
    sources = Sources({"index-url": "http://index.invalid/simple", "proxy": proxy})
    assert pip_archive(PIP_LOCK, tmp_path / "downloads", sources).is_file()
    assert index.asked[0] == "http://index.invalid/simple/pip/"
