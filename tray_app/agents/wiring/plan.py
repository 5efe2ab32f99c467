"""What a client's file is to hold, and what is known when that is decided. Plain values; nothing is changed here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tray_app.agents.unfit import MISSING, Unfit
from tray_app.core.providers import Provider, canonical
from tray_app.core.redact import redact
from tray_app.core.values import Protocol

MAX_FILE = 4 * 1024 * 1024
PLACES = (
    "HOME",
    "APPDATA",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "OPENCODE_CONFIG",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "LLM_USER_PATH",
)  # the variables that say where clients keep their files

GONE = MISSING  # as the value of a setting: nothing is to stand there


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in a file. `secret`: what stood there before may be a key."""

    path: tuple[str, ...]
    value: object
    secret: bool = False


@dataclass(frozen=True, slots=True)
class FileChange:
    """The settings of one file. `format` is a name of `formats`."""

    path: Path
    format: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that connects a client. `notes` are for the user."""

    provider: str
    files: tuple[FileChange, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extras:
    """What a client may be given beside the address: the command `/switcher`, our tools over MCP.

    `program` is what starts this program's command line; `environ` is what that needs in its environment.
    """

    program: tuple[str, ...] = ("o-switcher",)
    environ: Mapping[str, str] = field(default_factory=dict)
    command: bool = True
    mcp: bool = False


@dataclass(frozen=True, slots=True)
class Aim:
    """What a client is pointed at: our address and its token.

    `providers` are those that the pool has keys of, in the order of choice; `asked` is the one that the user named.
    """

    url: str
    token: str = field(repr=False)
    providers: tuple[Provider, ...]
    known: Mapping[str, Provider]
    asked: str | None = None
    models: tuple[str, ...] = ()
    extras: Extras = field(default_factory=Extras)

    def base(self, provider: Provider) -> str:
        """The address that stands for that provider's documented base URL."""
        return f"{self.url}/{provider.name}{provider.prefix}"

    def root(self, provider: Provider) -> str:
        """The same for clients that put the version in by themselves."""
        return f"{self.url}/{provider.name}"

    def pick(self, protocol: Protocol, preferred: Sequence[str], client: str) -> Provider:
        """The provider for a client that has one address only.

        Raises:
            Unfit: nobody speaks the client's protocol.
        """
        if self.asked is not None:
            named = self.known.get(canonical(self.asked))
            if named is None:
                raise Unfit(f"no provider is called {redact(self.asked)!r}; known are: {', '.join(sorted(self.known))}")
            if protocol not in named.protocols:
                raise Unfit(f"{named.title} does not speak what {client} speaks ({protocol.value})")
            return named
        fit = {provider.name: provider for provider in self.providers if protocol in provider.protocols}
        for name in (*preferred, *fit):
            if name in fit:
                return fit[name]
        raise Unfit(
            f"no profile's provider speaks what {client} speaks ({protocol.value}); "
            f"add one with: o-switcher profiles add {preferred[0]} --label main"
        )


@dataclass(frozen=True, slots=True)
class Where:
    """The machine as a client sees it. `texts` stand for what those files hold."""

    environ: Mapping[str, str]
    home: Path
    texts: Mapping[Path, str | None] = field(default_factory=dict)
    system: str = sys.platform

    def folder(self, variable: str, otherwise: Path) -> Path:
        """The folder that `variable` names, else that other one."""
        named = self.environ.get(variable)
        return Path(os.path.expanduser(named)) if named else otherwise  # noqa: PTH111 - Path's own may raise

    def config(self) -> Path:
        """Where programs keep their settings."""
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")

    def has(self, path: Path) -> bool:
        """Whether something is there, be it a link that leads nowhere."""
        return self.texts[path] is not None if path in self.texts else os.path.lexists(path)

    def text(self, path: Path) -> str | None:
        """What that file holds; None where it is not there or is no text."""
        if path in self.texts:
            return self.texts[path]
        try:
            if not path.is_file() or path.stat().st_size > MAX_FILE:
                return None
            return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
        except (OSError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Launch:
    """How a client is started through the proxy. `environ` None as a value: that variable is taken away.

    `arguments` go before the user's own; `files` are written into a folder of its own, whose path stands for
    `FOLDER` in values and arguments; `links` are put beside them.
    """

    environ: Mapping[str, str | None]
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Path] = field(default_factory=dict)


FOLDER = "\0folder\0"
Planned = Callable[[Aim, Where], Plan]
Launched = Callable[[Aim, Where, Sequence[str]], Launch]
Lines = Callable[[Aim], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Client:
    """A client that we know. `plan` None: it has no file, `lines` are shown instead; `programs` are its commands.

    `paste`: its lines are fields of a form, not variables of the environment. `takes_mcp`: its plan gives it our
    tools where that is wanted; `mcp_by_hand` is the command that does it otherwise.
    """

    name: str
    title: str
    plan: Planned | None = None
    launch: Launched | None = None
    lines: Lines | None = None
    programs: tuple[str, ...] = ()
    paste: bool = False
    aliases: tuple[str, ...] = ()
    takes_mcp: bool = False
    mcp_by_hand: str = ""
