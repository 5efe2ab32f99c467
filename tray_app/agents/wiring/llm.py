"""llm: a model's entry in `extra-openai-models.yaml`, and the token among its keys.

https://llm.datasette.io/en/stable/other-models.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tray_app.agents import yaml_list
from tray_app.agents.jsonc import parsed
from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring.plan import FOLDER, Aim, Client, FileChange, Launch, Plan, Setting, Where
from tray_app.agents.wiring.sdk import openai_lines
from tray_app.core.values import Protocol

PREFERRED = ("openai", "openrouter")
KEY_NAME = "o-switcher"
_MODELS, _KEYS = "extra-openai-models.yaml", "keys.json"
_APP = "io.datasette.llm"


def plan(aim: Aim, where: Where) -> Plan:
    """One entry a model, under a name that says whose it is."""
    provider = aim.pick(Protocol.CHAT, PREFERRED, CLIENT.title)
    if not aim.models:
        raise Unfit(
            "llm has to be told which models there are: o-switcher connect llm --model NAME, "
            f"with the name as {provider.title} spells it"
        )
    base = aim.base(provider)
    entries = tuple(
        Setting(
            (f"{KEY_NAME}/{model}",),
            {"model_id": f"{KEY_NAME}/{model}", "model_name": model, "api_base": base, "api_key_name": KEY_NAME},
        )
        for model in aim.models
    )
    folder = _folder(where)
    keyed = FileChange(folder / _KEYS, "json", (Setting((KEY_NAME,), aim.token, secret=True),))
    note = f"use it as: llm -m {KEY_NAME}/{aim.models[0]} 'a question'"
    return Plan(provider.name, (FileChange(folder / _MODELS, "yaml-list", entries), keyed), (note,))


def _folder(where: Where) -> Path:
    if where.system == "darwin":
        usual = where.home / "Library" / "Application Support" / _APP
    elif where.system == "win32":
        usual = where.folder("APPDATA", where.home / "AppData" / "Roaming") / _APP
    else:
        usual = where.config() / _APP
    return where.folder("LLM_USER_PATH", usual)


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """A folder of its own beside which the user's is linked: stored keys would go before the environment."""
    folder = _folder(where)
    keys = parsed((where.text(folder / _KEYS) or "").encode())
    held = keys if isinstance(keys, dict) else {}
    files = {_KEYS: json.dumps({**held, "openai": aim.token, KEY_NAME: aim.token})}
    links = {path.name: path for path in _entries(folder) if path.name not in (_KEYS, _MODELS)}
    models = where.text(folder / _MODELS) or ""
    if (model := _model(arguments)) is not None:
        base = openai_lines(aim)["OPENAI_BASE_URL"]
        entry = {"model_id": model, "model_name": model, "api_base": base, "api_key_name": KEY_NAME}
        try:
            models = yaml_list.with_value(models, (model,), entry)
        except Unfit as error:
            raise Unfit(f"{folder / _MODELS}: {error.words}", error.line) from error
    if models:
        files[_MODELS] = models
    return Launch({**openai_lines(aim), "LLM_USER_PATH": FOLDER}, (), files, links)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _model(arguments: Sequence[str]) -> str | None:
    """The model that is asked for on the command line."""
    for place, one in enumerate(arguments):
        if one in ("-m", "--model") and place + 1 < len(arguments):
            return arguments[place + 1]
        if one.startswith("--model="):
            return one.partition("=")[2]
    return None


CLIENT = Client("llm", "llm", plan, launch, programs=("llm",))
