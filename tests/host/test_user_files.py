"""Files of the user's own: replaced in one step, as they were but for what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.host.user_files import Changed, Untouchable, missing_folders, open_to_others, read_text, remove, replace


def test_a_file_is_replaced_only_where_it_holds_what_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    with pytest.raises(Changed):
        replace(path, "0", "2")
    with pytest.raises(Changed):
        replace(path, None, "2")
    assert path.read_text() == "1" and list(tmp_path.iterdir()) == [path]
    replace(path, "1", "2")
    assert path.read_text() == "2" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(Changed):
        remove(path, "1")
    remove(path, "2")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_for_this_user_only_and_taken_away_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    assert missing_folders(path) == (str(tmp_path / "a"), str(tmp_path / "a" / "b"))
    with pytest.raises(Changed):
        replace(path, "there", "x")
    assert list(tmp_path.iterdir()) == []
    folders = missing_folders(path)
    replace(path, None, "x")
    assert path.parent.stat().st_mode & 0o777 == 0o700 and path.stat().st_mode & 0o777 == 0o600
    assert missing_folders(path) == ()
    remove(path, "x", folders)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_have_used_stays(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    folders = missing_folders(path)
    replace(path, None, "x")
    (tmp_path / "a" / "other").write_text("y")
    remove(path, "x", folders)
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["other"]


def test_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    path.chmod(0o604)
    os.utime(path, (1, 1))
    try:
        os.setxattr(path, "user.mark", b"kept")
    except OSError:
        replace(path, "1", "2")  # this file system has no attributes
    else:
        replace(path, "1", "2")
        assert os.getxattr(path, "user.mark") == b"kept"
    found = path.stat()
    assert found.st_mode & 0o777 == 0o604 and found.st_mtime > 1
    assert open_to_others(path)
    path.chmod(0o600)
    assert not open_to_others(path) and not open_to_others(tmp_path / "none")


def test_a_link_that_leads_nowhere_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "dots" / "real")
    assert read_text(link) is None
    replace(link, None, "x")
    assert link.is_symlink() and (tmp_path / "dots" / "real").read_text() == "x"


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Untouchable, match="no ordinary file"):
        read_text(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Untouchable, match="cannot be read"):
        read_text(tmp_path / "file" / "below")
    with pytest.raises(Untouchable, match="cannot be read: File name too long"):
        replace(tmp_path / ("x" * 300), None, "y")


def test_a_folder_that_may_not_be_written_is_said_and_nothing_changes() -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "a"
        path.write_text("1")
        folder.chmod(0o500)
        for ask in (lambda: replace(path, "1", "2"), lambda: replace(folder / "b" / "c", None, "2")):
            with pytest.raises(Untouchable, match="cannot be written: Permission denied"):
                ask()
        with pytest.raises(Untouchable, match="cannot be removed: Permission denied"):
            remove(path, "1")
        folder.chmod(0o700)
        assert path.read_text() == "1" and list(folder.iterdir()) == [path]
