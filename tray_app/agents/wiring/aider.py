"""aider: address and key in `~/.aider.conf.yml`; for models that name their provider, litellm's variables too.

https://aider.chat/docs/config/aider_conf.html
"""

from __future__ import annotations

from collections.abc import Sequence

from tray_app.agents import yaml_text
from tray_app.agents.unfit import MISSING, Unfit
from tray_app.agents.wiring.plan import Aim, Client, FileChange, Launch, Plan, Setting, Where
from tray_app.agents.wiring.sdk import litellm_lines, openai_lines
from tray_app.core.values import Protocol

PREFERRED = ("openai", "openrouter")
_MORE = "set-env"


def plan(aim: Aim, where: Where) -> Plan:
    """Its settings for every project; those of a project go before them."""
    provider = aim.pick(Protocol.CHAT, PREFERRED, CLIENT.title)
    path = where.home / ".aider.conf.yml"
    settings = [
        Setting(("openai-api-base",), aim.base(provider)),
        Setting(("openai-api-key",), aim.token, secret=True),
    ]
    notes = []
    if more := [f"{name}={value}" for name, value in litellm_lines(aim).items()]:
        if _has_own(where.text(path)):
            notes.append(f"{_MORE} is yours and was left alone: models are reached as openai/NAME only")
        else:
            settings.append(Setting((_MORE,), more, secret=True))
    return Plan(provider.name, (FileChange(path, "yaml", tuple(settings)),), tuple(notes))


def _has_own(text: str | None) -> bool:
    try:
        return yaml_text.value_at(text or "", (_MORE,)) is not MISSING
    except Unfit:
        return True  # the edit itself will say what is wrong with the file


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """The environment; under aider's own names too, which go before its files."""
    lines = openai_lines(aim)
    own = {"AIDER_OPENAI_API_BASE": lines["OPENAI_API_BASE"], "AIDER_OPENAI_API_KEY": aim.token}
    return Launch({**litellm_lines(aim), **lines, **own})


CLIENT = Client("aider", "aider", plan, launch, programs=("aider",))
