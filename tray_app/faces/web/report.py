"""The drawing of pages: views in, HTML out. Pure; whoever serves it decides who may see it.

Pages need no inline script or style, and nothing from any other machine: their few files are served
under `/static/NAME` (`static_file`), Chart.js straight out of the installed `chartkick` wheel. Every template but
the one for strangers extends `base.html`, and has at hand: `shell`, its words as `s`, and figures in words as `f`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from tray_app.control.views import AppState, ProfileView, ReportView
from tray_app.core.history import Sums
from tray_app.core.values import Outcome, Phase
from tray_app.faces.tray.artwork import svg
from tray_app.faces.web.report_formats import Formats, LocalTime
from tray_app.faces.web.report_series import costly, link, series
from tray_app.faces.web.report_texts import words_for
from tray_app.faces.web.shell import LOOK, THEMES, Shell
from tray_app.faces.web.shell_texts import LANGUAGE_NAMES, ShellWords
from tray_app.faces.web.shell_texts import words_for as shell_words_for

CHART = "chart.js"
LOW_PERCENT = 20  # of a quota left: from there on its bar warns
_CHART_PATH = "django/static/chartkick/Chart.bundle.js"
_CSS = "text/css; charset=utf-8"
_KINDS = {".css": _CSS, ".js": "text/javascript; charset=utf-8"}
_PLAIN = Shell()
_STATE_ICONS = {f"state-{state.value}.svg": state for state in AppState}

# Names of the shapes in templates/shapes.html: states and outcomes differ in outline, not in colour alone.
_PHASE_SHAPES: Mapping[str, str] = {
    Phase.READY: "ready",
    Phase.COOLING: "waiting",
    Phase.PROBING: "probing",
    Phase.OPEN: "open",
    Phase.REAUTH: "alert",
    Phase.DRAINING: "draining",
    Phase.PAUSED: "paused",
    Phase.DISABLED: "off",
}
_OUTCOME_SHAPES: Mapping[str, str] = {
    Outcome.SERVED: "good",
    Outcome.FAILED: "bad",
    Outcome.EXHAUSTED: "waiting",
    Outcome.REFUSED: "off",
    Outcome.CLIENT_CANCELLED: "left",
    Outcome.INTERRUPTED: "cut",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A profile's line: one that is in the pool, or (`profile` is None) one that only these days' history knows."""

    id: str  # empty for requests that ended before a profile was chosen
    profile: ProfileView | None
    sums: Sums | None


def render(
    view: ReportView, shell: Shell = _PLAIN, *, refused: str | None = None, local: LocalTime = time.localtime
) -> str:
    """The overview for `view`. `refused`: why other days are shown; `local` turns seconds into local time."""
    words, formats = words_for(shell.words.lang), Formats(shell.words, view.now, local)
    drawn = series(view, formats)
    return page(
        "report.html",
        replace(shell, state=view.status.state),
        now=view.now,
        local=local,
        view=view,
        refused=refused,
        status=view.status,
        sums=view.usage.sums,
        series=drawn,
        labels=dict(zip((slot.at for slot in view.usage.slots), drawn["labels"], strict=True)),
        cost_names=[name for name, _ in costly(view)],
        tokens=_plus(view.usage.sums.input_tokens, view.usage.sums.output_tokens),
        spared_usd=_plus(*(one.spared_usd for one in view.usage.faults)),
        rows=_rows(view),
        link=lambda **other: link(view.selection, **other),
        ledger_trouble=None if view.status.ledger == "ok" else view.status.ledger,
        example=_example(view),
        w=words,
    )


def page(template: str, shell: Shell, *, now: int = 0, local: LocalTime = time.localtime, **given: object) -> str:
    """A page in the shell, seen at the moment `now` (ms)."""
    formats = Formats(shell.words, now, local)
    drawn = _environment().get_template(template)
    return _encodable(drawn.render(shell=shell, s=shell.words, f=formats, now=now, **given))


def signed_out(*, locale: str = "en") -> str:
    """What a browser without a session is shown."""
    words = shell_words_for(locale)
    return _at_the_door(words, words.signed_out, words.signed_out_how, "o-switcher report")


def unavailable(message: str, *, locale: str = "en") -> str:
    """What is shown where a page cannot be made, such as while the history cannot be read."""
    words = shell_words_for(locale)
    return _at_the_door(words, words.unavailable, message, "o-switcher doctor")


def _at_the_door(words: ShellWords, title: str, text: str, command: str) -> str:
    drawn = _environment().get_template("door.html")
    return _encodable(drawn.render(s=words, title=title, words=text, command=command))


def static_file(name: str) -> tuple[bytes, str] | None:
    """Content and content type of a file of the page; None for any name that is not one of them."""
    if name in _own_files():
        return resources.files(__package__).joinpath("static", name).read_bytes(), _KINDS[PurePosixPath(name).suffix]
    if name in _STATE_ICONS:
        return svg(_STATE_ICONS[name]).encode(), "image/svg+xml"
    return _chart() if name == CHART else None


@lru_cache(maxsize=1)
def _own_files() -> frozenset[str]:
    found = resources.files(__package__).joinpath("static").iterdir()
    return frozenset(one.name for one in found if PurePosixPath(one.name).suffix in _KINDS)


def _chart() -> tuple[bytes, str] | None:
    """Chart.js; without it the page shows the table alone."""
    try:
        return resources.files("chartkick").joinpath(_CHART_PATH).read_bytes(), _KINDS[".js"]
    except (ModuleNotFoundError, OSError):
        return None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tray_app.faces.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["static"] = _address
    environment.globals["look"] = LOOK
    environment.globals["themes"] = THEMES
    environment.globals["languages"] = LANGUAGE_NAMES
    environment.globals["phase_shape"] = _phase_shape
    environment.globals["outcome_shape"] = _outcome_shape
    environment.globals["level"] = _level
    return environment


@lru_cache(maxsize=32)
def _address(name: str) -> str:
    """Where a file is, marked with its content: a browser that kept an older one asks anew."""
    found = static_file(name)
    mark = "" if found is None else "?v=" + hashlib.sha256(found[0]).hexdigest()[:12]
    return f"/static/{name}{mark}"


def _phase_shape(profile: ProfileView) -> str:
    serves = profile.active and profile.state == Phase.READY
    return "good" if serves else _PHASE_SHAPES.get(profile.state, "ready")


def _level(left_percent: float) -> str:
    return "low" if left_percent <= LOW_PERCENT else "well"


def _outcome_shape(outcome: str | None) -> str:
    return "running" if outcome is None else _OUTCOME_SHAPES.get(outcome, "off")


def _rows(view: ReportView) -> tuple[Row, ...]:
    """The pool in its order, then whoever else did something in these days."""
    sums = dict(view.usage.profiles)
    pool = tuple(Row(profile.id, profile, sums.pop(profile.id, None)) for profile in view.status.profiles)
    return (*pool, *(Row(name, None, found) for name, found in sums.items() if found.requests))


def _plus(*numbers: float | None) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _example(view: ReportView) -> str:
    """An address that an agent can be pointed at."""
    providers = [profile.provider for profile in view.status.profiles]
    provider = providers[0] if providers and "openrouter" not in providers else "openrouter"
    return f"{view.status.url}/{provider}/v1"


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs, which other people's JSON may hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
