"""The folders that people edit in: what is seen of a change, and files laid back whole, with nothing lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from triaged.errors import ConfigError
from triaged.written import Written, lay_back, read_written, stamps

FILES = {
    "rules/a.toml": b"a\n",
    "rules/lists/vip.txt": b"vip\n",
    "rules/mails/one.eml": b"Subject: \xff\r\n",
    "templates/received.txt": b"Thank you\n",
    "templates/received.de.txt": b"Danke\n",
}
LATER = {
    "rules/a.toml": b"another\n",
    "rules/b.toml": b"b\n",
    "rules/lists/vip.txt": b"vip\n",
    "templates/received.txt": b"Thanks\n",
    "templates/call.txt": b"Call\n",
}
ASIDE = ".aside"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    lay(tmp_path, LATER)
    (tmp_path / "rules/do-not-answer.txt").write_text("them@example.com\n")
    (tmp_path / "rules/.a.toml.swp").write_text("of an editor")
    return tmp_path / "rules", tmp_path / "templates"


def lay(folder: Path, files: dict[str, bytes]) -> None:
    for name, octets in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(octets)


def test_a_set_is_laid_back_whole_and_nothing_is_lost(folders: tuple[Path, Path]) -> None:
    there, wanted = read_written(*folders), Written.of(FILES)
    moved = lay_back(wanted, *folders, there=there, aside=ASIDE)
    assert read_written(*folders) == wanted
    assert {path.name: path.read_bytes() for path in moved} == {"b.toml.aside": b"b\n", "call.txt.aside": b"Call\n"}
    assert (folders[0] / "do-not-answer.txt").read_text() == "them@example.com\n"
    assert (folders[0] / ".a.toml.swp").exists()
    lay_back(there, *folders, there=wanted, aside=".again")
    assert read_written(*folders) == there


def test_what_stands_there_already_is_not_written_again(folders: tuple[Path, Path]) -> None:
    before = stamps(*folders)
    assert lay_back(read_written(*folders), *folders, there=read_written(*folders), aside=ASIDE) == ()
    assert stamps(*folders) == before


def test_owner_and_rights_stay_and_new_files_have_those_of_their_folder(folders: tuple[Path, Path]) -> None:
    rules, templates = folders
    (rules / "a.toml").chmod(0o640)
    rules.chmod(0o775)
    (rules / "lists/vip.txt").unlink()
    (rules / "lists").rmdir()
    if os.geteuid() == 0:
        os.chown(rules / "a.toml", 4321, 4322)
        os.chown(rules, 4323, 4324)
    old = os.umask(0o077)
    try:
        lay_back(Written.of(FILES), rules, templates, there=read_written(*folders), aside=ASIDE)
    finally:
        os.umask(old)
    found = {name: (rules / name).stat() for name in ("a.toml", "lists", "lists/vip.txt", "mails/one.eml")}
    assert [oct(each.st_mode & 0o777) for each in found.values()] == ["0o640", "0o775", "0o664", "0o664"]
    if os.geteuid() == 0:
        assert [(each.st_uid, each.st_gid) for each in found.values()] == [(4321, 4322), *[(4323, 4324)] * 3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_who_may_not_give_a_file_away_still_gives_it_its_group(folders: tuple[Path, Path]) -> None:
    """Or the worker, which reads it by its group, cannot read what was laid back."""
    rules, templates = folders
    there, here = read_written(*folders), folders[0].parent
    for path in (*here.parents, here, *here.rglob("*")):
        if str(path).startswith(str(here)) or "pytest" in path.name:
            path.chmod(0o777)
    os.chown(rules / "a.toml", 4321, 4322)
    (rules / "a.toml").chmod(0o640)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([4322])
            os.setgid(4330)
            os.setuid(4330)
            lay_back(Written.of(FILES), rules, templates, there=there, aside=ASIDE)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = (rules / "a.toml").stat()
    assert (found.st_uid, found.st_gid, oct(found.st_mode & 0o777)) == (4330, 4322, "0o640")


def test_a_name_that_is_no_utf8_is_a_problem_like_any_other(folders: tuple[Path, Path]) -> None:
    (Path(os.fsdecode(os.fsencode(folders[0]) + b"/K\xfcndigung.toml"))).write_text("")
    with pytest.raises(ConfigError, match="no UTF-8; give it another name"):
        read_written(*folders)


def test_a_folder_of_mails_among_the_rules_is_not_read(folders: tuple[Path, Path]) -> None:
    (folders[0] / "mails").mkdir(exist_ok=True)
    with (folders[0] / "mails/all.eml").open("wb") as file:
        file.truncate(40_000_000)
    with pytest.raises(ConfigError, match="holds 40 MB in files that would be read; at most 32 MB"):
        read_written(*folders)


def test_a_link_is_followed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    (folders[0] / "a.toml").rename(elsewhere)
    (folders[0] / "a.toml").symlink_to(elsewhere)
    lay_back(Written.of(FILES), *folders, there=read_written(*folders), aside=ASIDE)
    assert (folders[0] / "a.toml").is_symlink()
    assert elsewhere.read_bytes() == FILES["rules/a.toml"]


def test_what_was_saved_after_the_copy_was_made_is_not_overwritten(folders: tuple[Path, Path]) -> None:
    there = read_written(*folders)
    (folders[0] / "a.toml").write_text("saved just now\n")
    with pytest.raises(ConfigError, match="somebody saved a file just now"):
        lay_back(Written.of(FILES), *folders, there=there, aside=ASIDE)
    assert (folders[0] / "a.toml").read_text() == "saved just now\n"
    assert (folders[0] / "b.toml").exists()


class Killed(BaseException):
    """As SIGKILL: nothing after it is done."""


def dying_after(moves: int) -> Callable[[Path, Path], Path]:
    """A rename that ends the program the next time after so many."""
    rename, done = os.rename, [0]

    def move(path: Path, target: Path) -> Path:
        if done[0] == moves:
            raise Killed
        done[0] += 1
        rename(path, target)
        return target

    return move


def test_a_kill_at_any_moment_leaves_each_file_old_or_new_and_saying_it_again_does_the_rest(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, wanted, kills = read_written(*folders), Written.of(FILES), 0
    for moves in range(20):
        with monkeypatch.context() as planted:
            move = dying_after(moves)
            planted.setattr(Path, "replace", move)
            planted.setattr(Path, "rename", move)
            try:
                lay_back(wanted, *folders, there=read_written(*folders), aside=f".{moves}")
            except Killed:
                kills += 1
        found = read_written(*folders).files
        for name, octets in found.items():
            assert octets in (LATER.get(name), FILES.get(name)), name
        aside = {path.name.partition(f".{moves}")[0]: path for path in folders[0].parent.rglob(f"*.{moves}")}
        for name, octets in LATER.items():
            assert name in found or aside[Path(name).name].read_bytes() == octets
        lay_back(wanted, *folders, there=read_written(*folders), aside=".rest")
        assert read_written(*folders) == wanted
        lay_back(there, *folders, there=wanted, aside=".back")
    assert kills == 6  # a.toml, one.eml and two templates written, b.toml and call.txt moved: before each of them


@pytest.mark.parametrize(
    "name",
    [
        *("rules/../a.toml", "rules/x/a.toml", "rules/.a.toml", "templates/x/a.txt", "a.toml", "rules//etc/a.eml"),
        *("rules/x/../../a.eml", "rules/./a.eml", "rules/a\0.eml", "templates/../a.txt", "rules/", ""),
    ],
)
def test_a_name_that_no_part_can_have_is_refused(folders: tuple[Path, Path], name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a rule file or template"):
        lay_back(Written.of({name: b"x"}), *folders, there=read_written(*folders), aside=ASIDE)
    assert read_written(*folders).files == LATER


# --- stamps ---------------------------------------------------------------------------------------------------------


def test_the_parts_that_are_seen_are_those_that_are_read(folders: tuple[Path, Path]) -> None:
    assert list(stamps(*folders)) == list(read_written(*folders).files) == sorted(LATER)
    assert stamps(folders[0] / "none", folders[1] / "none") == {}


def _replaced(file: Path) -> None:
    status = file.stat()
    file.with_name("x").write_bytes(file.read_bytes())
    os.utime(file.with_name("x"), ns=(status.st_atime_ns, status.st_mtime_ns))
    file.with_name("x").replace(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_bytes(file.read_bytes()),
        lambda file: file.unlink(),
        lambda file: file.chmod(0o600),
        lambda file: file.rename(file.with_name("z.toml")),
        lambda file: file.with_name("z.toml").touch(),
        _replaced,
    ],
)
def test_every_change_is_seen(folders: tuple[Path, Path], change: Callable[[Path], object]) -> None:
    before = stamps(*folders)
    assert stamps(*folders) == before
    change(folders[0] / "a.toml")
    assert stamps(*folders) != before


def test_a_set_without_templates_is_lent_those_of_another() -> None:
    bare = Written.of({"rules/a.toml": b"1"})
    other = Written.of({"rules/b.toml": b"2", "templates/x.txt": b"3"})
    assert bare.with_templates_of(other).files == {"rules/a.toml": b"1", "templates/x.txt": b"3"}
    assert other.with_templates_of(bare) is other
