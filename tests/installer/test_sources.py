"""The user's pip settings: read as pip reads them, and handed on to pip and uv."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sources import DEFAULT_INDEX, Sources, read_sources


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine without settings, but for those that a test writes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_CONFIG_FILE": str(tmp_path / "named.conf")}


def test_variables_win_over_files_and_later_files_over_earlier(tmp_path: Path, environ: dict[str, str]) -> None:
    text = "[global]\nindex-url = http://{0}/\ncert = /{0}.pem\nproxy = {0}:1\nretries = 1\n"
    written(tmp_path / "xdg/pip/pip.conf", text.format("system"))
    written(tmp_path / ".config/pip/pip.conf", "[global]\nindex_url = http://user/\ncert = /user.pem\nproxy = user:1\n")
    written(tmp_path / "named.conf", "[global]\nproxy = named:1\n[install]\nindex-url = http://named/\n")
    found = read_sources({**environ, "PIP_RETRIES": "7", "PIP_CERT": ""}).settings
    wanted = {"index-url": "http://named/", "cert": "/user.pem", "proxy": "named:1", "retries": "7"}
    assert {name: found[name] for name in wanted} == wanted


def test_what_would_put_packages_elsewhere_or_contradict_the_lock_is_left_out(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    written(tmp_path / "named.conf", "[install]\nuser = true\nconstraint = /c.txt\nfind-links =\n    /a\n    /b\n")
    sources = read_sources({**environ, "PIP_TARGET": "/elsewhere", "PIP_NO_BINARY": ":all:"})
    assert not {"user", "constraint", "target", "no-binary"} & set(sources.settings)
    assert sources.folders() == ["/a", "/b"]


def test_a_file_with_a_fault_does_not_stop_anything(tmp_path: Path, environ: dict[str, str]) -> None:
    written(tmp_path / "named.conf", "no section\n")
    assert isinstance(read_sources(environ), Sources)


def test_no_settings_mean_the_public_index() -> None:
    assert read_sources({"PIP_CONFIG_FILE": os.devnull}) == Sources({})
    assert Sources({}).indexes() == [DEFAULT_INDEX]
    assert Sources({"no-index": "yes"}).indexes() == []


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [({}, 15), ({"timeout": "3"}, 3), ({"default-timeout": "4"}, 4), ({"timeout": "soon"}, 15)],
)
def test_the_time_to_wait(settings: dict[str, str], seconds: float) -> None:
    assert Sources(settings).timeout() == seconds


def test_pip_sees_these_settings_and_no_others() -> None:
    environ = {"PATH": "/bin", "PIP_USER": "1", "PIP_CONFIG_FILE": "/etc/pip.conf", "PYTHONPATH": "/mine"}
    variables = Sources({"index-url": "http://i/", "retries": "9"}).for_pip(environ)
    assert "PIP_USER" not in variables
    assert "PYTHONPATH" not in variables
    wanted = {"PATH": "/bin", "PIP_INDEX_URL": "http://i/", "PIP_RETRIES": "9", "PIP_CONFIG_FILE": os.devnull}
    assert wanted.items() <= variables.items()


@pytest.mark.parametrize(
    ("settings", "environ", "wanted", "absent"),
    [
        pytest.param({}, {}, {}, ["UV_DEFAULT_INDEX", "UV_INDEX"], id="none: uv's own defaults"),
        pytest.param({"index-url": "http://i/"}, {}, {"UV_DEFAULT_INDEX": "http://i/"}, [], id="an index"),
        pytest.param({"extra-index-url": "a b"}, {}, {"UV_INDEX": "a b"}, ["UV_DEFAULT_INDEX"], id="further indexes"),
        pytest.param({"no-index": "1"}, {}, {"UV_NO_INDEX": "1"}, ["UV_INDEX"], id="no index"),
        pytest.param({"index-url": "i"}, {"UV_INDEX": "own"}, {"UV_INDEX": "own"}, ["UV_DEFAULT_INDEX"], id="uv's win"),
        pytest.param({"cert": "/c"}, {}, {"SSL_CERT_FILE": "/c"}, [], id="a certificate"),
        pytest.param({"proxy": "p:1"}, {}, {"HTTPS_PROXY": "http://p:1"}, [], id="a proxy"),
        pytest.param({"find-links": "/a /b"}, {}, {"UV_FIND_LINKS": "/a,/b"}, [], id="folders"),
        pytest.param({}, {"VIRTUAL_ENV": "/v", "PYTHONHOME": "/p"}, {}, ["VIRTUAL_ENV", "PYTHONHOME"], id="no other"),
    ],
)
def test_uv_gets_pips_settings_where_it_has_none(
    settings: dict[str, str], environ: dict[str, str], wanted: dict[str, str], absent: list[str]
) -> None:
    variables = Sources(settings).for_uv(environ)
    assert wanted.items() <= variables.items()
    assert not set(absent) & set(variables)
