"""A file that the user hands over: LiteLLM's `config.yaml`, a `.env`, or a file of OpenCode's from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tray_app.agents import environment, opencode
from tray_app.agents.found import Finding, Found, PassedOver, Unreadable, elsewhere, provider_at, sifted
from tray_app.agents.jsonc import parsed
from tray_app.agents.reading import MAX_FILE, Table, read, tables, texts
from tray_app.core.providers import Provider, canonical

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r"""(?:"((?:\\.|[^"\\])*)"|'([^']*)'|`([^`]*)`)\s*(?:\#.*)?""")
_ESCAPE = re.compile(r"\\(.)")
_ENVIRON = "os.environ/"


def survey_file(path: Path, environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]) -> list[Finding]:
    """The keys in that file, by what kind of file it is.

    Raises:
        Unreadable: it cannot be read, or is none of these.
    """
    text = _text(path)
    if path.suffix in (".yaml", ".yml"):
        findings = _of_litellm(_yaml(text, path), path, environ, known)
    elif path.suffix in (".json", ".jsonc"):
        findings = _of_opencode(text, path, environ, home, known)
    else:
        findings = environment.discover(variables(text, path), known, f"{path.name},", "file")
    return sifted(findings, known)


def _text(path: Path) -> str:
    try:
        return read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(path, "is not UTF-8 text") from error
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise Unreadable(path, f"is no ordinary file of at most {MAX_FILE // 1024 // 1024} MB") from error


# -- .env


def variables(text: str, path: Path) -> dict[str, str]:
    """The variables that a `.env` sets.

    Raises:
        Unreadable: a line is none of `NAME=value`; it is named by its number, never shown.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise Unreadable(path, f"line {number}: is not of the form NAME=value")
        found[match[1]] = _value(match[2])
    return found


def _value(text: str) -> str:
    """What stands after `=`: quoted, or up to a comment."""
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return re.split(r"\s#", text, maxsplit=1)[0].strip() if not text.startswith("#") else ""
    if quoted[1] is not None:
        return _ESCAPE.sub(r"\1", quoted[1])
    return quoted[2] if quoted[2] is not None else quoted[3]


# -- LiteLLM


def _yaml(text: str, path: Path) -> Table:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Unreadable(path, f"line {mark.line + 1 if mark else '?'}: is not valid YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(path, "is not valid YAML") from error
    if not isinstance(document, dict):
        raise Unreadable(path, "holds no settings: LiteLLM's config.yaml begins with model_list")
    return document


def _of_litellm(
    document: Table, path: Path, environ: Mapping[str, str], known: Mapping[str, Provider]
) -> Iterator[Finding]:
    """The keys of `model_list`, and those that the file sets as variables."""
    set_here = texts(document.get("environment_variables"))
    models = document.get("model_list")
    for place, entry in enumerate(models if isinstance(models, list) else ()):
        for name, params in tables(entry):
            if name == "litellm_params":
                yield from _of_model(texts(params), f"{path.name}, model {place + 1}", {**environ, **set_here}, known)
    yield from environment.discover(set_here, known, f"{path.name},", "litellm")


def _of_model(
    params: Mapping[str, str], place: str, environ: Mapping[str, str], known: Mapping[str, Provider]
) -> Iterator[Finding]:
    key, url = (_looked_up(params.get(name, ""), environ) for name in ("api_key", "api_base"))
    prefix, slash, _ = params.get("model", "").partition("/")
    name = canonical(params.get("custom_llm_provider") or (prefix if slash else "openai"))
    if not key:
        return
    provider = provider_at(url, known) if url else name
    yield PassedOver(name, place, elsewhere(url)) if provider is None else Found(provider, "litellm", place, key)


def _looked_up(text: str, environ: Mapping[str, str]) -> str:
    return environ.get(text.removeprefix(_ENVIRON), "") if text.startswith(_ENVIRON) else text.strip()


# -- OpenCode


def _of_opencode(
    text: str, path: Path, environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]
) -> Iterator[Finding]:
    document = parsed(text.encode())
    if not isinstance(document, dict):
        raise Unreadable(path, "is not valid JSON, or holds no object")
    if "provider" in document:
        return opencode.from_document(document, path, environ, home, known)
    return opencode.logins_in(document, path.name, known)
