"""The same limit on two accounts within seconds is nobody's own, and the rest of the pool is spared it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, judged, rest, unhurried
from tray_app.core.values import ErrorClass, Scope
from tray_app.core.widening import MOST_MS, WITHIN_MS, Limit, is_shared_kind, seen, widened

C, S = ErrorClass, Scope
FIRST = Limit("openrouter", "work", MODEL, C.RATE_LIMITED, "429", NOW)
SECOND = replace(FIRST, account="home")


def test_how_long_two_limits_belong_together_and_how_long_the_guess_holds() -> None:
    assert (WITHIN_MS, MOST_MS) == (10_000, 30_000)


@pytest.mark.parametrize(
    ("first", "second", "scope"),
    [
        pytest.param({}, {}, S.MODEL, id="the same on two accounts: the model's"),
        pytest.param({}, {"at": NOW + 10_000}, S.MODEL, id="ten seconds later as well"),
        pytest.param({}, {"at": NOW + 10_001}, None, id="but no later"),
        pytest.param({}, {"at": NOW - 1}, None, id="nor before, as after a clock that was set back"),
        pytest.param({}, {"account": "work"}, None, id="on one account it is that account's"),
        pytest.param({}, {"provider": "groq"}, None, id="on another provider it is another limit"),
        pytest.param({}, {"code": "other"}, None, id="another code is another limit"),
        pytest.param({}, {"cls": C.QUOTA_EXHAUSTED}, None, id="another class is another limit"),
        pytest.param({"code": None}, {"code": None}, S.MODEL, id="no code is as good as a code"),
        pytest.param({}, {"model": "other"}, S.PROVIDER, id="with two models it is the provider's"),
        pytest.param({"model": None}, {"model": None}, S.PROVIDER, id="without a model it is the provider's"),
        pytest.param({"model": None}, {}, S.PROVIDER, id="with a model once it is the provider's"),
    ],
)
def test_two_limits_in_a_row(first: dict[str, object], second: dict[str, object], scope: Scope | None) -> None:
    recent, alone = seen((), replace(FIRST, **first))  # type: ignore[arg-type]
    assert alone is None
    assert seen(recent, replace(SECOND, **second))[1] is scope  # type: ignore[arg-type]


def test_of_three_accounts_all_must_have_met_it_with_one_model() -> None:
    third = replace(FIRST, account="third")
    assert seen((FIRST, SECOND), third)[1] is S.MODEL
    assert seen((FIRST, replace(SECOND, model="other")), third)[1] is S.PROVIDER


def test_the_latest_of_each_account_is_remembered_for_ten_seconds() -> None:
    old, elsewhere = replace(FIRST, at=NOW - 10_001), replace(FIRST, provider="groq", account="home")
    again = replace(SECOND, at=NOW + 5)
    assert seen((old, elsewhere, SECOND), again)[0] == (elsewhere, again)
    assert seen((FIRST,), SECOND)[0] == (FIRST, SECOND)


limits = st.builds(
    Limit,
    st.sampled_from(["openrouter", "groq"]),
    st.sampled_from("abc"),
    st.none() | st.sampled_from(["x", "y"]),
    st.just(C.RATE_LIMITED),
    st.none() | st.just("429"),
    st.integers(NOW, NOW + 30_000),
)


@unhurried
@given(st.lists(limits, max_size=30))
def test_never_more_is_remembered_than_one_limit_of_each_account(met: list[Limit]) -> None:
    recent: tuple[Limit, ...] = ()
    for limit in met:
        recent, scope = seen(recent, limit)
        owners = [(one.provider, one.account) for one in recent]
        assert len(owners) == len(set(owners)) <= 6
        assert recent[-1] == limit
        assert scope is None or len(recent) > 1


@pytest.mark.parametrize(
    ("cls", "scope", "shared"),
    [
        *(
            pytest.param(C.RATE_LIMITED, scope, True, id=f"a rate of the {scope.value} may be shared")
            for scope in (S.KEY, S.KEY_MODEL, S.ACCOUNT, S.ACCOUNT_MODEL, S.MODEL_PROVIDER)
        ),
        *(
            pytest.param(C.RATE_LIMITED, scope, False, id=f"a rate of the {scope.value} is wide already, or nobody's")
            for scope in (S.NONE, S.REQUEST, S.MODEL, S.PROVIDER, S.ENVIRONMENT, S.ACCOUNT_FREE_MODELS)
        ),
        pytest.param(C.QUOTA_EXHAUSTED, S.ACCOUNT_FREE_MODELS, True, id="free models are governed globally"),
        pytest.param(C.QUOTA_EXHAUSTED, S.ACCOUNT, False, id="a wallet is never shared"),
        pytest.param(C.QUOTA_EXHAUSTED, S.KEY, False, id="nor a key's budget"),
        pytest.param(C.SERVER_ERROR, S.KEY, False, id="what is no limit is not shared"),
    ],
)
def test_which_limits_several_accounts_may_share(cls: ErrorClass, scope: Scope, shared: bool) -> None:
    assert is_shared_kind(judged(cls, scope)) is shared


def test_a_wider_rest_of_a_model_names_it_and_is_short() -> None:
    own = rest("a", 60_000, S.ACCOUNT)
    assert widened(own, S.MODEL, MODEL, NOW) == replace(
        own,
        scope=S.MODEL,
        model=MODEL,
        until_at=NOW + 30_000,
        reason=f"the rate limit is reached; two accounts met it within 10 s, so {MODEL} rests everywhere",
    )


def test_a_wider_rest_of_a_provider_names_no_model_and_lasts_no_longer_than_the_limit_itself() -> None:
    own = rest("a", 5_000, S.KEY_MODEL, MODEL)
    assert widened(own, S.PROVIDER, MODEL, NOW) == replace(
        own,
        scope=S.PROVIDER,
        model=None,
        reason="the rate limit is reached; two accounts met it within 10 s, so the whole provider rests",
    )
