"""Where clients' settings lead: the addresses on the loopback that are, or were, O-Switcher's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tray_app.agents.found import OURS
from tray_app.agents.opencode import config_files
from tray_app.agents.reading import Table, read_jsonc, read_toml, tables, texts
from tray_app.core.address import LOOPBACK, BadAddress, base_of
from tray_app.core.providers import Provider


@dataclass(frozen=True, slots=True)
class Pointer:
    """A client that is sent to `url`, by what stands in `place`. `client` is the name that commands know it by."""

    client: str
    place: str
    url: str
    token: str = field(repr=False)

    @property
    def port(self) -> int:
        """The port that it is sent to."""
        return base_of(self.url).origin.port


def pointers(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> Iterator[Pointer]:
    """The clients that are sent to O-Switcher, wherever it may be."""
    for one in (*_opencode(environ, home, project), *_claude_code(environ, home), *_codex(environ, home)):
        if _is_ours(one, known):
            yield one


def _is_ours(one: Pointer, known: Mapping[str, Provider]) -> bool:
    """Other servers live on the loopback too: ours is told by its token, or by a provider's name in the path."""
    try:
        base = base_of(one.url)
    except BadAddress:
        return False
    first = base.path.decode().strip("/").partition("/")[0]
    return base.origin.host in LOOPBACK and (one.token.startswith(OURS) or first in known)


def _opencode(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[Pointer]:
    for path in config_files(environ, home, project):
        for name, block in tables(read_jsonc(path).get("provider")):
            options = block.get("options")
            given = texts({**block, **options} if isinstance(options, dict) else block)
            if url := given.get("baseURL"):
                yield Pointer("opencode", f"OpenCode's {path.name}, {name}", url, given.get("apiKey", ""))


def _claude_code(environ: Mapping[str, str], home: Path) -> Iterator[Pointer]:
    settings = read_jsonc(Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude") / "settings.json")
    for place, block in (
        ("Claude Code's settings.json", texts(settings.get("env"))),
        ("environment variable ANTHROPIC_BASE_URL", environ),
    ):
        if url := block.get("ANTHROPIC_BASE_URL"):
            token = block.get("ANTHROPIC_AUTH_TOKEN") or block.get("ANTHROPIC_API_KEY", "")
            yield Pointer("claude-code", place, url, token)


def _codex(environ: Mapping[str, str], home: Path) -> Iterator[Pointer]:
    """Of the provider in use, and those that a profile of its own would use; other blocks lead nobody anywhere."""
    folder = Path(environ.get("CODEX_HOME") or home / ".codex")
    settings: Table = read_toml(folder / "config.toml")
    if url := texts(settings).get("openai_base_url"):
        yield Pointer(
            "codex", "Codex's config.toml", url, texts(read_jsonc(folder / "auth.json")).get("OPENAI_API_KEY", "")
        )
    chosen = [settings, *(profile for _, profile in tables(settings.get("profiles")))]
    used = {texts(one).get("model_provider") for one in chosen}
    for name, block in tables(settings.get("model_providers")):
        given = texts(block) if name in used else {}
        if url := given.get("base_url"):
            token = given.get("experimental_bearer_token") or environ.get(given.get("env_key", ""), "")
            yield Pointer("codex", f"Codex's config.toml, {name}", url, token)
