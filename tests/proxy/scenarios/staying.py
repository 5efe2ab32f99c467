"""Who serves: conversations stay where they are, new ones go where the strategy says."""

from __future__ import annotations

from tests.proxy.playing import Row, ask, do, later
from tests.proxy.scenarios.words import LIMITED, OK, OPENAI, OTHER, switcher
from tests.rig import MODEL, Key

STAYING = [
    Row(
        name="one profile serves every conversation while it is well",
        keys={"a": OK, "b": OK},
        acts=[ask("a:ok", of="s1"), ask("a:ok", of="s2"), ask("a:ok", of="s1", stream=True), ask("a:ok")],
        calls={"a": 4},
        pitfalls=(1,),
    ),
    Row(
        name="a conversation that moved stays where it went, by the id of its session",
        keys={"a": LIMITED, "b": OK},
        acts=[
            ask("a:rate_limited b:ok", of="s1"),
            later(91),
            ask("a:ok", of="s2"),
            ask("b:ok", of="s1"),
            ask("a:ok", of="s2"),
        ],
        calls={"a": 3, "b": 2},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(1, 18),
    ),
    Row(
        name="a conversation is known by its first words where the client names none",
        keys={"a": LIMITED, "b": OK},
        acts=[
            ask("a:rate_limited b:ok", text="first words"),
            later(91),
            ask("a:ok", text="other words"),
            ask("b:ok", text="first words", stream=True),
        ],
        calls={"a": 2, "b": 2},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(1, 18),
    ),
    Row(
        name="a session of one id is one conversation, whatever its first words are",
        keys={"a": LIMITED, "b": OK},
        acts=[
            ask("a:rate_limited b:ok", of="s1", text="first words"),
            later(91),
            ask("b:ok", of="s1", text="compacted words"),
            ask("a:ok", of="s2", text="first words"),
        ],
        calls={"a": 2, "b": 2},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(1,),
    ),
    Row(
        name="an hour of silence ends a conversation",
        keys={"a": LIMITED, "b": OK},
        acts=[ask("a:rate_limited b:ok", of="s1"), later(3_601), ask("a:ok", of="s1")],
        calls={"a": 2, "b": 1},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(1, 18),
    ),
    Row(
        name="a profile that is back takes over only once it has been well for failback_after_s",
        keys={"a": LIMITED, "b": OK},
        acts=[
            ask("a:rate_limited b:ok"),
            later(31),
            ask("b:ok"),
            later(58.9),
            ask("b:ok"),
            later(0.1),
            ask("a:ok"),
            ask("a:ok"),
        ],
        calls={"a": 3, "b": 3},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(18,),
    ),
    Row(
        name="a profile that fails again after it took over has to be well as long once more",
        keys={"a": '{times=1, do="rate_limit", retry_after=30}, ' + LIMITED, "b": OK},
        acts=[
            ask("a:rate_limited b:ok"),
            later(91),
            ask("a:rate_limited b:ok"),
            later(31),
            ask("b:ok"),
            later(60),
            ask("a:ok"),
        ],
        calls={"a": 3, "b": 3},
        moves=["a>b", "b>a", "a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"] * 2,
        pitfalls=(18,),
    ),
    Row(
        name="two models in one session: a limit of one's takes that one's calls elsewhere, not the other's",
        keys={
            "a": Key(f'{{model="{MODEL}", do="rate_limit", retry_after=30}}, {{do="ok"}}', provider="openai"),
            "b": Key(provider="openai"),
        },
        acts=[
            ask("a:ok", of="s1", path=OPENAI, model=OTHER),
            ask("a:rate_limited b:ok", of="s1", path=OPENAI),
            ask("a:ok", of="s1", path=OPENAI, model=OTHER),
            ask("b:ok", of="s1", path=OPENAI),
        ],
        calls={"a": 3, "b": 2},
        moves=["a>b"],
        quota=["a cooldown account_model header 30s"],
        rests=[f"a account_model {MODEL}"],
        pitfalls=(1, 8),
    ),
    Row(
        name="two models in one session: one that a profile lacks does not take the other along",
        keys={"a": f'{{model="{OTHER}", do="model_not_found"}}, {{do="ok"}}', "b": OK},
        acts=[
            ask("a:ok", of="s1"),
            ask("a:model_unavailable b:ok", of="s1", model=OTHER),
            ask("a:ok", of="s1"),
            ask("b:ok", of="s1", model=OTHER),
        ],
        calls={"a": 3, "b": 2},
        moves=["a>b"],
        pitfalls=(1,),
    ),
    Row(
        name="a stream that breaks off is not played again; the conversation, which will ask again, goes on elsewhere",
        keys={"a": '{times=1, do="ok"}, {times=1, do="cut", after=3, how="rst"}, {do="ok"}', "b": OK},
        acts=[
            ask("a:ok", of="s1", stream=True),
            ask("a:network", of="s1", stream=True, cut=True),
            ask("b:ok", of="s1", stream=True),
            ask("b:ok", of="s2"),
        ],
        calls={"a": 2, "b": 2},
        moves=["a>b"],
    ),
    Row(
        name="failback_after_s is as settings say",
        keys={"a": LIMITED, "b": OK},
        settings=switcher("failback_after_s = 5"),
        acts=[ask("a:rate_limited b:ok"), later(32), ask("b:ok"), later(4), ask("a:ok")],
        calls={"a": 2, "b": 2},
        moves=["a>b", "b>a"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(18,),
    ),
]

STRATEGIES = [
    Row(
        name="round robin turns with new conversations, never within one",
        keys={"a": OK, "b": OK, "c": OK},
        settings=switcher('strategy = "round_robin"'),
        acts=[
            ask("a:ok", of="s1"),
            ask("b:ok", of="s2"),
            ask("a:ok", of="s1"),
            ask("c:ok", of="s3"),
            ask("b:ok", of="s2"),
            ask("a:ok", of="s4"),
        ],
        calls={"a": 3, "b": 2, "c": 1},
        pitfalls=(1,),
    ),
    Row(
        name="by priority the most wanted serves, again at once when it is back",
        keys={"a": OK, "b": Key(LIMITED, priority=5)},
        settings=switcher('strategy = "priority"'),
        acts=[ask("b:rate_limited a:ok", of="s1"), later(31), ask("b:ok", of="s2"), ask("a:ok", of="s1")],
        calls={"a": 2, "b": 2},
        moves=["b>a"],
        quota=["b cooldown key header 30s", "b reset key"],
    ),
    Row(
        name="least used: new conversations go to the profile with the fewest answers",
        keys={"a": OK, "b": OK},
        settings=switcher('strategy = "least_used"'),
        acts=[
            ask("a:ok", of="s1"),
            ask("b:ok", of="s2"),
            ask("a:ok", of="s1"),
            ask("b:ok", of="s3"),
            ask("b:ok", of="s2"),
            ask("a:ok", of="s4"),
        ],
        calls={"a": 3, "b": 3},
    ),
    Row(
        name="by score a profile that failed comes after one that did not",
        keys={"a": '{times=1, do="server_error"}, {do="ok"}', "b": OK},
        settings=switcher('strategy = "score"\nretry = 0'),
        acts=[ask("a:server_error b:ok"), ask("b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 3},
        moves=["a>b"],
    ),
    Row(
        name="soonest reset: what expires first is spent first",
        keys={
            "a": Key(more='limit = 10.0\nlimit_reset = "weekly"\ncost = 0.0'),
            "b": Key(more='limit = 10.0\nlimit_reset = "daily"\ncost = 0.0'),
        },
        settings=switcher('strategy = "soonest_reset"'),
        acts=[ask("a:ok"), do("quota", "a"), do("quota", "b"), ask("b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 2},
        quota=["a probe key 10/10 usd", "b probe key 10/10 usd"],
    ),
]


ROWS = [*STAYING, *STRATEGIES]
