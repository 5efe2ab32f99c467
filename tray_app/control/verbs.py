"""The verbs: what any face may ask for, as one table. CLI, tray, web and scripts share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tray_app.core.history import RUNNING
from tray_app.core.redact import redact
from tray_app.core.values import ErrorClass, Outcome

Argument = str | int | float | bool | None

MAX_LIMIT = 10_000  # rows of one answer
LONGEST_S = 366 * 86_400  # of a pause or a pin
UNDO_S = 600.0  # so long a page keeps the key of a removed profile, to be had back
LONGEST_UNDO_S = 3_600.0
LATEST_MS = (1 << 53) - 1  # times beyond it are no whole numbers to JavaScript
MOST_PRIORITY = 1_000_000
OUTCOMES = (*(outcome.value for outcome in Outcome), RUNNING)
CLASSES = tuple(one.value for one in ErrorClass if one is not ErrorClass.OK)
PAGES = ("report", "profiles", "requests", "events", "settings", "clients")  # what a one-time address may lead to
LABEL = "^[a-z0-9][a-z0-9._-]{0,39}$"
KEY_LETTERS = r"^\s*[!-~]+\s*$"
CLIENT = "^[-_]*[A-Za-z0-9][A-Za-z0-9_-]*$"
CLIENT_LONGEST = 40


class Refused(Exception):
    """The one error that is shown to users: a title that says what, and what to do.

    `code` is `not_found`, `conflict`, `bad_argument` or `unavailable`. A key that was given in the place of something
    else is not said back.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = redact(message)
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a verb. `kind` is `str`, `int`, `float` or `bool`; `bounds` say more in JSON Schema's words."""

    name: str
    kind: type
    help: str
    required: bool = False
    bounds: Mapping[str, object] = field(default_factory=dict)
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be asked for. `reads`: it changes nothing. `together` says what only all arguments show."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    reads: bool = False
    together: Mapping[str, object] = field(default_factory=dict)

    def schema(self) -> dict[str, object]:
        """The arguments as JSON Schema. None stands for an argument that is not given."""
        plain = self.plain_schema()
        properties = {one.name: _schema(one, nullable=not one.required) for one in self.parameters}
        return {**plain, "properties": properties, **self.together}

    def plain_schema(self) -> dict[str, object]:
        """The same in the few words that every language model's tools understand."""
        return {
            "type": "object",
            "properties": {one.name: _schema(one, nullable=False) for one in self.parameters},
            "required": [one.name for one in self.parameters if one.required],
            "additionalProperties": False,
        }

    def checked(self, arguments: Mapping[str, object]) -> dict[str, Argument]:
        """`arguments`, each known and of its kind.

        Raises:
            Refused: one is unknown, missing or of another kind.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in arguments:
            if name not in known:
                raise Refused("bad_argument", f"{self.name} takes no argument {name!r}")
        checked: dict[str, Argument] = {}
        for parameter in self.parameters:
            value = arguments.get(parameter.name)
            if value is None:
                if parameter.required:
                    raise Refused("bad_argument", f"{self.name} needs {parameter.name}: {parameter.help}")
                continue
            checked[parameter.name] = _of_kind(self.name, parameter, value)
        return checked


def _of_kind(verb: str, parameter: Parameter, value: object) -> Argument:
    kind = parameter.kind
    fits = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(verb, parameter.name, value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 is a whole number in JSON
    if not fits or not isinstance(value, str | int | float | bool):
        raise Refused("bad_argument", f"{verb}: {parameter.name} must be of kind {kind.__name__}")
    return value


def _as_float(verb: str, name: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Refused("bad_argument", f"{verb}: {name} is too large") from None


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _schema(parameter: Parameter, *, nullable: bool) -> dict[str, object]:
    kind = _KINDS[parameter.kind]
    kinds: object = [kind, "null"] if nullable else kind
    schema: dict[str, object] = {"type": kinds, "description": parameter.help, **parameter.bounds}
    if parameter.choices:
        schema["enum"] = [*parameter.choices, *([None] if nullable else [])]
    return schema


_PROFILE = Parameter("profile", str, "a profile's id, such as openrouter-main", required=True)
_PRIORITY = Parameter(
    "priority", int, "higher is preferred", bounds={"minimum": -MOST_PRIORITY, "maximum": MOST_PRIORITY}
)
_STRICT = Parameter("strict", bool, "nobody else may serve, even if it fails")
_CLIENT = Parameter("client", str, "a client, such as opencode, claude-code or codex", required=True)
_DRY_RUN = Parameter("dry_run", bool, "only show what would be done")
_FOR = Parameter(
    "for_s", float, "seconds after which it ends by itself", bounds={"exclusiveMinimum": 0, "maximum": LONGEST_S}
)

_SETTING = Parameter("key", str, "a setting, such as switcher.retry", required=True)


def _moment(name: str, help: str) -> Parameter:
    return Parameter(name, int, help, bounds={"minimum": -LATEST_MS, "maximum": LATEST_MS})


_TABLE = (
    Verb("status", "one screen of state", reads=True),
    Verb("use", "prefer a profile; failover stays on unless strict", (_PROFILE, _STRICT)),
    Verb("pin", "hold a profile in use; failover stays on unless strict", (_PROFILE, _FOR, _STRICT)),
    Verb("unpin", "end what was pinned or preferred"),
    Verb("next", "move on to the next profile that can serve"),
    Verb(
        "quota",
        "ask the providers what is left, and show what is known",
        (Parameter("profile", str, "a profile's id; all of them without it"),),
        reads=True,
    ),
    Verb(
        "pause",
        "take a profile out of use for a while",
        (_PROFILE, _FOR, Parameter("until_reset", bool, "until its limit resets")),
    ),
    Verb("pause-all", "let nothing pass for a while: every request is refused with the reason", (_FOR,)),
    Verb("resume-all", "end that: every profile is as it was before"),
    Verb("resume", "take a paused or draining profile back into use", (_PROFILE,)),
    Verb("drain", "let a profile finish what it does and take nothing new", (_PROFILE,)),
    Verb("disable", "take a profile out of use until it is enabled", (_PROFILE,)),
    Verb("enable", "take a disabled profile back into use", (_PROFILE,)),
    Verb(
        "retry-now",
        "clear cooldowns and the re-authentication mark",
        (
            Parameter("profile", str, "a profile's id"),
            Parameter("all", bool, "every profile"),
        ),
        together={
            "oneOf": [
                {
                    "required": ["profile"],
                    "properties": {"profile": {"type": "string"}, "all": {"enum": [False, None]}},
                },
                {"required": ["all"], "properties": {"profile": {"type": "null"}, "all": {"const": True}}},
            ]
        },
    ),
    Verb(
        "inspect",
        "the full trace of a request",
        (Parameter("request_id", str, "a request's id", required=True),),
        reads=True,
    ),
    Verb(
        "history",
        "recent requests",
        (
            Parameter("limit", int, "how many", bounds={"minimum": 1, "maximum": MAX_LIMIT}),
            Parameter("profile", str, "only this profile's; * stands for anything"),
            Parameter("model", str, "only this model's; * stands for anything"),
            Parameter("client", str, "only this client's; * stands for anything"),
            Parameter("outcome", str, "only those that ended so, or run still", choices=OUTCOMES),
            Parameter("id", str, "only those whose id begins so"),
            _moment("since", "only those from this time on, ms since the epoch"),
            Parameter("before", str, "only those older than the request of this id: the next page"),
            Parameter("provider", str, "only this provider's; * stands for anything"),
            Parameter("error_class", str, "only those of which a call failed so", choices=CLASSES),
            Parameter("error", str, "only those of which a call's error says this: class, code, message or reason"),
            _moment("until", "only those before this time, ms since the epoch"),
            Parameter("after", str, "only those newer than the request of this id, the nearest: the page before"),
        ),
        reads=True,
    ),
    Verb(
        "profiles-add",
        "add a key as a profile",
        (
            Parameter("provider", str, "the provider's name, such as openrouter", required=True),
            Parameter("label", str, "what to call this key, such as main", required=True, bounds={"pattern": LABEL}),
            Parameter("secret", str, "the key", required=True, bounds={"pattern": KEY_LETTERS}),
            Parameter("account", str, "profiles of one account share its limits"),
            Parameter("base_url", str, "another address than the provider's own"),
            _PRIORITY,
            Parameter("tags", str, "policy tags, separated by commas"),
        ),
    ),
    Verb(
        "profiles-adopt",
        "take over a key that was found",
        (
            Parameter("provider", str, "the provider's name, such as openrouter", required=True),
            Parameter("label", str, "what to call it; a number is added where it is taken", required=True),
            Parameter("secret", str, "the key", required=True, bounds={"pattern": KEY_LETTERS}),
            Parameter("base_url", str, "another address than the provider's own"),
            Parameter("source", str, "where it was found"),
        ),
    ),
    Verb(
        "known-key",
        "whether a key is held, or was removed",
        (
            Parameter("mark", str, "the key's fingerprint", required=True),
            Parameter("base_url", str, "where it would go", required=True),
        ),
    ),
    Verb(
        "discover",
        "the keys that this user's agents and environment hold",
        (Parameter("apply", bool, "take the new ones over"),),
    ),
    Verb(
        "move-keys",
        "have the keys be in the system's keyring, or in a file",
        (Parameter("store", str, "auto, keyring or file", required=True),),
    ),
    Verb("profiles-confirm", "let a profile's key go to where its provider is now", (_PROFILE,)),
    Verb(
        "profiles-remove",
        "forget a profile and its key, or take it away and keep its key to be had back for a while",
        (
            _PROFILE,
            Parameter(
                "undo_s",
                float,
                "seconds for which it can be had back; its key is forgotten then, or when the app stops",
                bounds={"exclusiveMinimum": 0, "maximum": LONGEST_UNDO_S},
            ),
        ),
    ),
    Verb("profiles-bring-back", "have back a profile that was removed to be had back for a while", (_PROFILE,)),
    Verb("profiles-forget", "forget now the key of a removed profile that could be had back", (_PROFILE,)),
    Verb(
        "profiles-rename",
        "give a profile another label",
        (_PROFILE, Parameter("label", str, "the new label", required=True, bounds={"pattern": LABEL})),
    ),
    Verb(
        "profiles-set",
        "change a profile",
        (
            _PROFILE,
            Parameter("secret", str, "a new key", bounds={"pattern": KEY_LETTERS}),
            Parameter("account", str, "profiles of one account share its limits"),
            Parameter("base_url", str, "another address; of another origin only together with a new key"),
            _PRIORITY,
            Parameter("tags", str, "policy tags, separated by commas"),
        ),
    ),
    Verb("unknown-answers", "the kinds of errors that no rule knew, without anything of yours", reads=True),
    Verb(
        "token",
        "a client's local token, made if it has none",
        (
            Parameter("client", str, "the client's name", bounds={"pattern": CLIENT, "maxLength": CLIENT_LONGEST}),
            Parameter("revoke", bool, "let it count no longer"),
        ),
    ),
    Verb(
        "connect",
        "point a client at the proxy",
        (
            _CLIENT,
            _DRY_RUN,
            Parameter("provider", str, "whose API it is to use, where it can use one only"),
            Parameter("models", str, "the models to offer it, separated by commas, where it must be told"),
            Parameter("places", str, "a JSON object: the variables that say where the client keeps its files"),
            Parameter("command", bool, "whether OpenCode or Claude Code gets the command /switcher; by itself: yes"),
            Parameter("mcp", bool, "whether OpenCode gets O-Switcher's tools over MCP; by itself: no"),
        ),
    ),
    Verb(
        "disconnect",
        "put back what stood in a client's files before",
        (_CLIENT, _DRY_RUN, Parameter("force", bool, "also where somebody has changed our values since")),
    ),
    Verb("connections", "which clients are pointed at the proxy", reads=True),
    Verb(
        "report",
        "a one-time address of the usage report, or of another page",
        (
            Parameter("page", str, "report, profiles (where keys are pasted), settings or clients", choices=PAGES),
            Parameter("profile", str, "with profiles: which one to look at"),
        ),
        together={
            "anyOf": [
                {"properties": {"profile": {"type": "null"}}},
                {"required": ["page"], "properties": {"page": {"const": "profiles"}}},
            ]
        },
    ),
    Verb("folder", "where the history, the logs and the settings are kept", reads=True),
    Verb("client-usage", "what each client's token was used for in the last 30 days", reads=True),
    Verb("config-show", "all settings: what is in force, where it comes from, what can be changed", reads=True),
    Verb(
        "config-set",
        "change one setting in config.toml, keeping everything else in it",
        (_SETTING, Parameter("value", str, "the value in TOML, or a bare word", required=True)),
    ),
    Verb("config-reset", "take one setting out of config.toml, so that its default holds", (_SETTING,)),
    Verb("config-undo", "take the latest change of a setting back"),
    Verb("demo-status", "whether the demo with practice keys runs", reads=True),
    Verb("demo-start", "run the demo with practice keys, apart from everything that is yours, for a while"),
    Verb("demo-stop", "end the demo, and take away what it has left"),
    Verb("demo-report", "a one-time address of the demo's report"),
    Verb("autostart", "launch at login", (Parameter("enabled", bool, "on or off; neither: only tell"),)),
    Verb("stop", "stop the app"),
    Verb("restart", "stop the app, and have the version start that is installed now"),
)

VERBS: Mapping[str, Verb] = {verb.name: verb for verb in _TABLE}


def verb_named(name: str) -> Verb:
    """The verb of that name.

    Raises:
        Refused: there is none.
    """
    found = VERBS.get(name)
    if found is None:
        raise Refused("not_found", f"there is no verb {name!r}")
    return found
