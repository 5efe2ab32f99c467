"""Words that several rows use: models, addresses, how keys behave, what else is looked at."""

from __future__ import annotations

import hashlib

from tests.proxy.playing import Act, Stage

FREE = "meta-llama/llama-3.3-70b-instruct:free"
OTHER = "anthropic/claude-sonnet-4.5"
EMBEDDINGS = "/openrouter/v1/embeddings"
OPENAI = "/openai/v1/chat/completions"
LARGE = 70_000

OK = '{do="ok"}'
HELD = '{do="ok", held=true}'
FIRST_HELD = '{times=1, do="ok", held=true}, {do="ok"}'
BROKEN = '{do="server_error"}'
SPENT = '{do="no_credit"}'
SILENT = '{do="hang", when="before_head"}'
BRIEFLY = '{times=1, do="rate_limit", retry_after=2}, {do="ok"}'
HALF_A_SECOND = '{times=1, do="rate_limit", retry_after_ms=500}, {do="ok"}'
LIMITED = '{times=1, do="rate_limit", retry_after=30}, {do="ok"}'


def switcher(text: str) -> str:
    """Lines of the table [switcher]; the rig's own come before it."""
    return f"[switcher]\n{text}\n"


def bodies(*digests: str) -> Act:
    """The provider got exactly these bodies, in that order."""

    def look(stage: Stage) -> None:
        assert [seen.body_sha256 for seen in stage.rig.simulator.calls] == list(digests)

    return look


def sessions(*names: str) -> Act:
    """The calls that the provider got were of these sessions, in that order."""

    def look(stage: Stage) -> None:
        assert [seen.headers.get("x-session-id") for seen in stage.rig.simulator.calls] == list(names)

    return look


def cut_off(stage: Stage) -> None:
    """The provider noticed that one of its calls was given up."""
    stage.until(lambda: sum(seen.client_left for seen in stage.rig.simulator.calls) == 1, "the call goes on")


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def is_offline(expected: bool) -> Act:
    """Whether the app takes this machine for cut off."""

    def look(stage: Stage) -> None:
        assert (stage.rig.app.service.status().state.value == "offline") is expected

    return look


def notices(words: str, *, there: bool = True) -> Act:
    """Whether the app tells people something like that."""

    def look(stage: Stage) -> None:
        assert any(words in notice for notice in stage.rig.app.service.status().notices) is there

    return look


def asked_for(*models: str) -> Act:
    """The provider was asked for these models, in that order."""

    def look(stage: Stage) -> None:
        assert [seen.model for seen in stage.rig.simulator.calls] == list(models)

    return look
