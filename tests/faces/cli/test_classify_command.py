"""`o-switcher classify`: answers in, verdicts out, in their order and quickly, with no app and no heavy library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tray_app.faces.cli import classify, main
from tray_app.house import House

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "core" / "errors.jsonl"
LIMITED = b'{"id": "a", "provider": "openai", "status": 429, "headers": {"Retry-After": "7"}, "body": null, "now": 0}\n'


def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tray_app", "classify", *words], input=stdin, capture_output=True, cwd=ROOT, check=False
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_is_judged_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(House(), ["classify", str(CORPUS)]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    cases = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    assert [line["id"] for line in lines] == [case["id"] for case in cases]
    assert {tuple(line) for line in lines} == {
        ("id", "class", "scope", "retry_after_s", "resets_at", "action", "reason")
    }
    assert all(
        line["class"] in {case["expected_class"], *case.get("also_ok", ())}
        for line, case in zip(lines, cases, strict=True)
    )
    assert err == ""


@pytest.mark.parametrize("words", [(), ("-",)], ids=["nothing", "a dash"])
def test_stdin_is_read_where_no_file_is_named(words: tuple[str, ...]) -> None:
    done = run(*words, stdin=b"\xef\xbb\xbf" + LIMITED + b"\r\n\n" + LIMITED.replace(b'"id": "a", ', b""))
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {
        "id": "a",
        "class": "rate_limited",
        "scope": "account_model",
        "retry_after_s": 7.0,
        "resets_at": 7000,
        "action": "cool",
        "reason": "the rate limit is reached",
    }
    assert second == {**first, "id": 4}


def test_stdin_may_be_a_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(LIMITED.decode()))
    assert main(House(), ["classify"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "a"


def test_whoever_waits_gets_each_verdict_at_once() -> None:
    command = [sys.executable, "-m", "tray_app", "classify"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin and process.stdout
        for _ in range(2):
            process.stdin.write(LIMITED)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "a"
        process.stdin.close()
        assert process.wait() == 0


def test_a_faulty_line_is_named_and_the_rest_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(LIMITED + b"{nonsense\n" + b'{"status": 99}\n' + LIMITED)
    done = run(str(file))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    first, second = done.stderr.decode().splitlines()
    assert first.startswith(f"o-switcher: {file}, line 2: JSON is malformed")
    assert second == f"o-switcher: {file}, line 3: 99 is no HTTP status"


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        assert main(House(), ["classify", str(file)]) == 1
        assert capsys.readouterr() == ("", f"o-switcher: {file} cannot be read: {why}\n")


def test_blank_lines_give_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"\n  \n")
    assert main(House(), ["classify", str(tmp_path / "empty")]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_reader_may_leave_early(tmp_path: Path) -> None:
    file = tmp_path / "many"
    file.write_bytes(LIMITED * 20_000)
    command = [sys.executable, "-m", "tray_app", "classify", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() in (0, 1)  # click's own end for a pipe without a reader is 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("lines", "summary"),
    [
        pytest.param(
            LIMITED * 2 + b'{"status": 500}\n', "3 answers in 0.0 s: 2 rate_limited, 1 server_error\n", id="good"
        ),
        pytest.param(LIMITED + b"x\n", "1 answers in 0.0 s: 1 rate_limited, 1 unread\n", id="a faulty one"),
        pytest.param(b"", "0 answers in 0.0 s: nothing\n", id="none"),
    ],
)
def test_a_person_gets_a_summary(
    lines: bytes, summary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers"
    file.write_bytes(lines)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(classify.time, "monotonic", lambda: 5.0)
    main(House(), ["classify", str(file)])
    capsys.readouterr()
    assert terminal.getvalue().endswith(summary)


def test_nothing_heavy_is_loaded_for_it() -> None:
    code = (
        "import sys; from tray_app.faces.cli import main; from tray_app.house import House;"
        f"main(House(), ['classify', {str(CORPUS)!r}]);"
        "print([m for m in ('sqlmodel', 'sqlalchemy', 'httpx', 'starlette', 'rich', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
