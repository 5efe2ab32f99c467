"""The formats in which clients keep their settings, all edited by the same five questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Protocol, cast

from tray_app.agents import jsonc_text, toml_text, whole_text, yaml_list, yaml_text


class Format(Protocol):
    """Edits over text. Each raises `Unfit` where the text is not of the format."""

    def value_at(self, text: str, path: Sequence[str]) -> object: ...

    def raw_at(self, text: str, path: Sequence[str]) -> str | None: ...

    def with_value(self, text: str, path: Sequence[str], value: object) -> str: ...

    def with_raw(self, text: str, path: Sequence[str], raw: str) -> str: ...

    def without(self, text: str, path: Sequence[str]) -> str: ...

    def is_empty(self, text: str) -> bool: ...


_BY_NAME: Mapping[str, ModuleType] = {
    "json": jsonc_text,
    "toml": toml_text,
    "yaml": yaml_text,
    "yaml-list": yaml_list,
    whole_text.NAME: whole_text,
}


def format_named(name: str) -> Format:
    """That format."""
    return cast("Format", _BY_NAME[name])
