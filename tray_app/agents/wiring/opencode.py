"""OpenCode: `options.baseURL` and `options.apiKey` of its providers; the providers keep their ids.

The address ends as the provider's own does (`/v1`, for Google `/v1beta`): OpenCode's SDKs put nothing between.
A session with other than API keys is left alone (https://opencode.ai/docs/providers).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tray_app.agents.found import OURS, provider_at
from tray_app.agents.jsonc import parsed
from tray_app.agents.opencode import auth_file
from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring import command
from tray_app.agents.wiring.plan import Aim, Client, FileChange, Launch, Plan, Setting, Where
from tray_app.core.providers import Provider, canonical
from tray_app.core.redact import redact

_IDS = {
    "together": "togetherai",
    "fireworks": "fireworks-ai",
    "moonshot": "moonshotai",
    "kimi-code": "kimi-for-coding",
}  # where OpenCode (models.dev) calls a provider otherwise than we do
_SERVER = "o-switcher"  # what our tools are called among its servers
_OUR_NAMES = {theirs: ours for ours, theirs in _IDS.items()}


def plan(aim: Aim, where: Where) -> Plan:
    """The provider blocks of its global configuration, or of the one that `OPENCODE_CONFIG` names."""
    path = _file(where)
    served, notes = _served(aim, where)
    blocks = _blocks(where.text(path))
    pointed = dict(_pointed(blocks, served, aim))
    for provider in served:
        if provider not in pointed.values():
            notes.append(f"{_id(provider)} in {path} leads to an address that is nobody's we know, and was left alone")
    if not pointed:
        raise Unfit("; ".join(notes))
    settings = [setting for name, provider in pointed.items() for setting in _block(name, provider, aim)]
    tools, said = _tools(where.text(path), path, aim)
    files, told = _command(where.text(path), path, aim, where)
    change = FileChange(path, "json", (*settings, *tools))
    names = ", ".join(dict.fromkeys(provider.name for provider in pointed.values()))
    return Plan(names, (change, *files), (*notes, *said, *told))


def _tools(text: str | None, path: Path, aim: Aim) -> tuple[tuple[Setting, ...], tuple[str, ...]]:
    """Our tools as a server of OpenCode's, where that is wanted (https://opencode.ai/docs/mcp-servers)."""
    if not aim.extras.mcp:
        return (), ()
    if _SERVER in _table(parsed((text or "").encode()), "mcp"):
        return (), (f"mcp.{_SERVER} stands in {path} already, and was left alone",)
    server: dict[str, object] = {"type": "local", "command": [*aim.extras.program, "mcp"], "enabled": True}
    if aim.extras.environ:
        server["environment"] = dict(aim.extras.environ)
    return (Setting(("mcp", _SERVER), server),), ()


def _command(text: str | None, path: Path, aim: Aim, where: Where) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """The command `/switcher`, unless the user has one (https://opencode.ai/docs/commands)."""
    if aim.extras.command and "switcher" in _table(parsed((text or "").encode()), "command"):
        return (), (f"you have a command /switcher of your own, which was left alone: command.switcher in {path}",)
    folder = where.config() / "opencode"
    return command.planned(CLIENT.name, folder, aim, where, (folder / "command" / "switcher.md",))


def _file(where: Where) -> Path:
    if where.environ.get("OPENCODE_CONFIG"):
        return where.folder("OPENCODE_CONFIG", where.home)
    folder = where.config() / "opencode"
    names = ("opencode.jsonc", "opencode.json", "config.json")  # of these the one that is merged last
    return next((folder / name for name in names if where.text(folder / name) is not None), folder / "opencode.json")


def _blocks(text: str | None) -> Mapping[str, Any]:
    return _table(parsed((text or "").encode()), "provider")


def _served(aim: Aim, where: Where) -> tuple[list[Provider], list[str]]:
    """The providers to point at us; what OpenCode has a subscription's login for stays as it is."""
    asked = None if aim.asked is None else canonical(aim.asked)
    if asked is not None and asked not in aim.known:
        raise Unfit(f"no provider is called {redact(asked)!r}; known are: {', '.join(sorted(aim.known))}")
    wanted = aim.providers if asked is None else (aim.known[asked],)
    if not wanted:
        raise Unfit("there are no profiles yet; add one with: o-switcher profiles add openrouter --label main")
    logins = parsed((where.text(auth_file(where.environ, where.home)) or "").encode())
    served, notes = [], []
    for provider in wanted:
        if asked is None and _table(logins, _id(provider)).get("type") == "oauth":
            notes.append(
                f"{provider.title} was left as it is: OpenCode is logged in there without an API key; "
                f"point it here with: o-switcher connect opencode --provider {provider.name}"
            )
        else:
            served.append(provider)
    if not served:
        raise Unfit("; ".join(notes))
    return served, notes


def _pointed(blocks: Mapping[str, Any], served: Sequence[Provider], aim: Aim) -> Iterator[tuple[str, Provider]]:
    """Each block to set, by the id that OpenCode has for it: those that are there, then those that are not."""
    by_name = {provider.name: provider for provider in served}
    found = {name: _provider_of(name, _table(blocks[name], "options"), aim) for name in blocks}
    for name, theirs in found.items():
        if theirs in by_name:
            yield name, by_name[theirs]
    for provider in served:
        if _id(provider) not in blocks:
            yield _id(provider), provider


def _provider_of(name: str, options: Mapping[str, Any], aim: Aim) -> str | None:
    """Whose API a block leads to: by its address, or by its id where it has none, or has ours."""
    url, key = options.get("baseURL"), options.get("apiKey")
    ours = isinstance(key, str) and key.startswith(OURS)
    if isinstance(url, str) and not ours and not url.startswith(f"{aim.url}/"):
        return provider_at(url, aim.known)
    return canonical(_OUR_NAMES.get(name, name))


def _block(name: str, provider: Provider, aim: Aim) -> Iterator[Setting]:
    yield Setting(("provider", name, "options", "baseURL"), aim.base(provider))
    yield Setting(("provider", name, "options", "apiKey"), aim.token, secret=True)


def _id(provider: Provider) -> str:
    return _IDS.get(provider.name, provider.name)


def _table(document: object, name: str) -> Mapping[str, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """Its configuration in a variable, which wins over every file."""
    inline = where.environ.get("OPENCODE_CONFIG_CONTENT", "")
    document = parsed(inline.encode())
    content: dict[str, Any] = document if isinstance(document, dict) else {}
    blocks = dict(_blocks(inline))
    served, _ = _served(aim, where)
    for name, provider in _pointed({**_blocks(where.text(_file(where))), **blocks}, served, aim):
        block = blocks[name] if isinstance(blocks.get(name), dict) else {}
        options = {**_table(block, "options"), "baseURL": aim.base(provider), "apiKey": aim.token}
        blocks[name] = {**block, "options": options}
    return Launch({"OPENCODE_CONFIG_CONTENT": json.dumps({**content, "provider": blocks})})


CLIENT = Client("opencode", "OpenCode", plan, launch, programs=("opencode",), takes_mcp=True)
