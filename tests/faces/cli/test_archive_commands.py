"""`export`, `backup` and `restore` as people type them, beside the running app and without it; and a bound on memory."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.faces.cli.test_commands import Run, cold, rig, run
from tests.ledger.facts import T0, served, switched
from tests.ledger.look import one
from tests.rig import Rig
from tray_app.host.instance import find_running
from tray_app.ledger import batch, database

__all__ = ["cold", "rig", "run"]  # fixtures
ROOT = Path(__file__).parents[3]
MEGA = 1 << 20


def fill(path: Path, requests: int) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(path, 1).connection) as connection:
        for first in range(0, requests, 1000):
            made = ((switched if n % 5 == 0 else served)(n, T0 + n * 1000) for n in range(first, first + 1000))
            batch.write(connection, [fact for facts in made for fact in facts], unfinished)


def test_the_whole_way_out_and_back(cold: Run, tmp_path: Path) -> None:
    fill(tmp_path / "history.db", 1000)
    ran = cold("export", "requests", "--format", "jsonl")
    assert ran.code == 0 and len(ran.out.splitlines()) == 1000 and ran.err == ""
    assert len(cold("export", "requests", "--since", "2025-10-09T09:10").out.splitlines()) < 1000
    out, copy = tmp_path / "out.csv", tmp_path / "copy.db"
    ran = cold("export", "attempts", "--out", str(out))
    assert ran.code == 0 and ran.out == "" and ran.err == f"1200 rows of attempts: {out}\n"
    ran = cold("export", "attempts", "--out", str(out))
    assert ran.code == 1 and ran.err.count("\n") == 1 and "--force" in ran.err
    assert cold("export", "attempts", "--out", str(out), "--force").code == 0
    assert cold("backup", str(copy)).out.startswith(f"{copy}: 0.")
    assert cold("backup", str(copy)).code == 1
    assert json.loads(cold("backup", str(copy), "--force", "--json").out)["size"] == copy.stat().st_size
    ran = cold("restore", str(copy))
    assert ran.code == 0 and "with 1000 requests; the one before is kept as" in ran.out
    assert json.loads(cold("restore", str(copy), "--json").out)["requests"] == 1000
    assert len(list(tmp_path.glob("history.before-restore-*.db"))) == 2


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("export", "keys"), 2, "cannot be exported"),
        (("export", "requests", "--format", "xls"), 2, "no format is called"),
        (("export", "requests"), 1, "no history yet"),
        (("export", "requests", "--force"), 2, "goes with --out only"),
        (("export", "requests", "--since", "soon"), 2, "is no time"),
        (("export",), 2, "Missing argument"),
        (("backup",), 2, "Missing argument"),
        (("backup", "copy.db"), 1, "no history yet"),
        (("restore", "nowhere.db"), 1, "is not there"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_one_clear_line(cold: Run, words: tuple[str, ...], code: int, says: str) -> None:
    ran = cold(*words)
    assert ran.code == code and says in ran.err and "Traceback" not in ran.err and ran.out == ""


def test_the_list_is_searched_page_by_page(cold: Run, tmp_path: Path) -> None:
    fill(tmp_path / "history.db", 1000)

    def page(*words: str) -> list[str]:
        return [row["id"] for row in json.loads(cold("history", "--json", *words).out)]

    newest = page("--limit", "3")
    assert page("--limit", "2", "--before", newest[0]) == newest[1:]
    assert page("--id", newest[0][:14]) == newest[:1]
    assert len(page("--client", "open*", "--profile", "openrouter-backup", "--limit", "900")) == 200
    assert page("--outcome", "failed") == page("--model", "nobody's") == page("--outcome", "running") == []
    assert cold("history", "--outcome", "failed").out == "no such requests\n"
    ran = cold("history", "--outcome", "good")
    assert ran.code == 1 and ran.err.startswith("o-switcher: no outcome is called 'good'; there are: served, ")


def test_beside_the_running_app_all_but_restoring_works(rig: Rig, run: Run, tmp_path: Path) -> None:
    rig.chat()
    rig.chat()  # the first key has no credit left by now: it fails over
    copy = tmp_path / "copy.db"
    assert len(run("export", "attempts", "--format", "jsonl").out.splitlines()) == 3
    assert json.loads(run("export", "failovers", "--format", "jsonl").out)["to_profile"] == "openrouter-b"
    assert run("backup", str(copy)).code == 0
    assert one(copy, "SELECT count(*) FROM request") == 2
    ran = run("restore", str(copy))
    assert ran.code == 1 and ran.err == "o-switcher: O-Switcher is running; stop it first: o-switcher stop\n"
    assert rig.chat().status_code == 200


def test_the_admin_api_gives_the_same_files(rig: Rig, run: Run) -> None:
    rig.chat()
    announced = find_running(rig.home.running)
    assert announced is not None
    headers = {"authorization": f"Bearer {announced.admin_token}"}
    with httpx.Client(base_url=f"{rig.url}/api/v1", headers=headers, trust_env=False) as admin:
        found = admin.get("/export/requests")
        assert found.headers["content-type"].startswith("text/csv")
        assert found.headers["content-disposition"] == 'attachment; filename="o-switcher-requests.csv"'
        assert (
            found.text.splitlines() == run("export", "requests").out.splitlines() and len(found.text.splitlines()) == 2
        )
        lines = admin.get("/export/attempts", params={"format": "jsonl", "since": 0})
        assert [json.loads(line)["seq"] for line in lines.text.splitlines()] == [1]
        for path, code in (("keys", 422), ("requests?format=xls", 422), ("requests?since=x", 422)):
            refused = admin.get(f"/export/{path}")
            assert refused.status_code == code and refused.headers["content-type"] == "application/problem+json"
        assert httpx.get(f"{rig.url}/api/v1/export/requests", trust_env=False).status_code == 401
        assert (
            admin.get("/openapi.json").json()["paths"]["/api/v1/export/{what}"]["get"]["parameters"][0]["name"]
            == "what"
        )
        assert len(admin.get("/requests", params={"outcome": "served", "client": "t*"}).json()) == 1
        assert admin.get("/requests", params={"outcome": "never"}).status_code == 422


def peak(*words: str, home: Path) -> tuple[int, int]:
    """Lines printed, and the most memory that the command held."""
    script = (
        "import sys; from pathlib import Path; from tray_app.faces.cli import main; from tray_app.house import House\n"
        "code = main(House(), sys.argv[1:]); sys.stdout.flush()\n"
        "status = Path('/proc/self/status').read_text()\n"  # what getrusage says is inherited from the parent
        "print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr); sys.exit(code)"
    )
    environ = {**os.environ, "O_SWITCHER_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, env=environ, cwd=ROOT, check=True
    )
    return done.stdout.count(b"\n"), int(done.stderr) * 1024


def test_the_length_of_an_export_is_no_matter_of_memory(tmp_path: Path) -> None:
    """Twenty times the rows cost no more, and far less than 60 MB."""
    for name, requests in (("short", 1000), ("long", 20_000)):
        (tmp_path / name).mkdir()
        fill(tmp_path / name / "history.db", requests)
    lines, little = peak("export", "attempts", home=tmp_path / "short")
    more_lines, much = peak("export", "attempts", home=tmp_path / "long")
    assert (lines, more_lines) == (1201, 24_001)
    assert much < 60 * MEGA and much - little < 4 * MEGA


def test_a_terminal_is_shown_how_far_it_has_come(tmp_path: Path) -> None:
    fill(tmp_path / "history.db", 3000)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tray_app", "export", "requests", "--out", str(tmp_path / "out.csv")]
    environ = {**os.environ, "O_SWITCHER_HOME": str(tmp_path), "TERM": "xterm"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environ, cwd=ROOT) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # how a terminal without writers ends on Linux
            pass
        assert process.wait(20) == 0
    os.close(ours)
    assert b"exporting requests" in shown and b"100%" in shown and b"3000 rows of requests" in shown
