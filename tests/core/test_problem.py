"""Problems: the document that every admin address answers errors with."""

from __future__ import annotations

import msgspec

from tray_app.core.problem import KIND, problem, problem_ending


def test_a_problem_names_its_kind_for_programs_and_says_it_for_people() -> None:
    assert msgspec.json.decode(problem(404, "not_found", "there is nothing")) == {
        "type": "about:blank",
        "title": "not found",
        "status": 404,
        "code": "not_found",
        "detail": "there is nothing",
    }


def test_a_whole_answer_states_its_type_and_length() -> None:
    ending = problem_ending(421, "refused", "another place")
    headers = dict(ending.headers)
    assert ending.status == 421 and headers[b"content-type"] == KIND.encode()
    assert headers[b"content-length"] == b"%d" % len(ending.body)
