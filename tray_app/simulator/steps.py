"""How a key goes on, call after call: steps, and which of them answers which call. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .behaviours import Behaviour
from .values import Ask, Reply, Shape

Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[\w.@+-]+$")]
Secret = Annotated[str, Meta(min_length=1, max_length=400, pattern=r"^\S+$")]
Dollars = Annotated[float, Meta(ge=0)]

MODELS = (
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4.5",
    "meta-llama/llama-3.3-70b-instruct:free",
)


class When(Struct, frozen=True, kw_only=True):
    """How long a step lasts, and which calls it is for. `model` and `path` may hold `*` and `?`.

    `above` makes it a limit of calls at once: it is for those that find so many others of the key under way.
    """

    times: Annotated[int, Meta(ge=1)] | None = None
    for_s: Annotated[float, Meta(gt=0)] | None = None
    model: str | None = None
    path: str | None = None
    above: Annotated[int, Meta(ge=0)] | None = None

    @property
    def ends(self) -> bool:
        return self.times is not None or self.for_s is not None

    @property
    def narrowed(self) -> bool:
        return self.model is not None or self.path is not None or self.above is not None

    def suits(self, path: str, model: str, under_way: int, *, costs: bool) -> bool:
        """Whether the step is for this call. What costs nothing (`key`, `models` ...) it must name itself."""
        if self.path is None and not costs:
            return False
        crowded = self.above is None or under_way >= self.above
        return crowded and _fits(self.path, path) and _fits(self.model, model)


@dataclass(frozen=True, slots=True)
class Step:
    """One behaviour, when it holds, and how its good answers look."""

    behaviour: Behaviour
    when: When
    shape: Shape

    def reply(self, ask: Ask) -> Reply:
        reply = self.behaviour.reply(ask)
        shape = ask.shape
        if shape.held or shape.delay_ms:
            return replace(reply, held=shape.held, delay_s=reply.delay_s + shape.delay_ms / 1000)
        return reply


class Settings(Struct, frozen=True, kw_only=True):
    """What a script says of a key besides its steps and its shape. `key` is left out for `[default]`."""

    name: Name
    key: Secret = ""
    account: Name = "practice"
    management: bool = False
    limit: Dollars | None = None  # the key's own cap
    limit_reset: Literal["daily", "weekly", "monthly"] | None = None
    usage: Dollars = 0.0  # spent before the first call
    cost: Dollars | None = None  # of every good answer; None: by tokens
    credits: Dollars = 10.0  # ever bought by the account; shown to a management key
    free_tier: bool = False

    def __repr__(self) -> str:
        return f"Settings({self.name})"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Keys of one account without steps of their own go through the account's steps together."""

    settings: Settings
    steps: tuple[Step, ...]
    plain: Step  # where no step suits
    shared: bool = False

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def course(self) -> str:
        """Whose steps are walked: the key's own, or all of its account's."""
        return f"account {self.settings.account}" if self.shared else f"key {self.name}"


@dataclass(frozen=True, slots=True)
class Script:
    """All of it. `default` is how keys behave that the script does not know; None refuses them."""

    keys: tuple[Key, ...]
    default: Key | None = None
    models: tuple[str, ...] = MODELS


def _fits(pattern: str | None, value: str) -> bool:
    return pattern is None or fnmatchcase(value, pattern)
