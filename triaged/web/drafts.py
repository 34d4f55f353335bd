"""An edited rule file or template in; what is wrong with it, whether it may be saved, and that it is, out.

Nothing is overwritten that the person who edits has not seen, and what lay in the folders is kept as a set first.
"""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

from triaged.errors import ConfigError, Permanent, Problem
from triaged.loading import folders_of, languages_of, ours_of, rules_and_templates, unknown_kept, written_of
from triaged.log import users
from triaged.log.rulesets import keep_files
from triaged.mail.render import LAYOUT
from triaged.plaintext import text_of
from triaged.proofread import proofread
from triaged.rules.difference import FileDiff, called, diffs, file_changes
from triaged.rules.grammar import RuleSet
from triaged.rules.lint import by_line, lint
from triaged.rulesets import aside_of, bring_in
from triaged.settings import Config
from triaged.web.commands import laid, say
from triaged.web.desk import Desk
from triaged.web.gate import Visitor
from triaged.written import RULES, TEMPLATES, Written, is_part, lay_back

MAX_CHARACTERS = 1_000_000
"""Of a file in the editor."""
CHECK_S = 120.0
"""Seconds that judging every example may take; it takes about 3."""
MAY_NOT = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file as somebody edits it. name: within a set; text: None to remove it; was: as it was when it was opened, `""`
    for a file that was not there. Line ends are `\\n`."""

    name: str
    text: str | None
    was: str

    @property
    def octets(self) -> bytes:
        """As it is written."""
        text = self.text or ""
        return (text if text.endswith("\n") or text == "" else f"{text}\n").encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Found:
    """problems: why the worker would not take the set. hints: with what it takes it. Both by file and line."""

    problems: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A problem (`error`) or a hint for the page. line: None for none; here: in this file; address: of another page."""

    kind: str
    where: str
    line: int | None
    what: str
    here: bool
    address: str


class Conflict(Exception):
    """The file on disk is not what was opened. now: what it is; who: who saved it, in words."""

    def __init__(self, now: str, who: str) -> None:
        super().__init__(who)
        self.now, self.who = now, who


class Refused(Exception):
    """It may not be saved: this is wrong with it."""

    def __init__(self, found: Found) -> None:
        super().__init__("; ".join(each.what for each in found.problems))
        self.found = found


# --- files ------------------------------------------------------------------------------------------------------


def opened(written: Written, name: str) -> str:
    """The text of a file, `""` when there is none. Raises: ConfigError when it is no plain text."""
    octets = written.files.get(name, b"")
    return text_of(octets, name=called(name), markup=name.endswith(".html"), as_typed=True)


def typed(text: str) -> str:
    """What a form brings, with our line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def with_draft(there: Written, draft: Draft) -> Written:
    """The set with this file in it; its line ends are those that the file has now."""
    files = {name: octets for name, octets in there.files.items() if name != draft.name}
    if draft.text is not None:
        windows = b"\r\n" in there.files.get(draft.name, b"")
        files[draft.name] = draft.octets.replace(b"\n", b"\r\n") if windows else draft.octets
    return Written.of(files)


def address_of(name: str) -> str:
    """The page where a file of a set is edited."""
    folder, _, rest = name.partition("/")
    return f"/{folder}/edit/{quote(rest)}"


def may_write(config: Config, name: str) -> bool:
    """Whether the desk can save a file, as far as the system tells."""
    rules, templates = folders_of(config)
    return os.access(rules if name.startswith(RULES) else templates, os.W_OK | os.X_OK)


def may_not_words(config: Config, name: str) -> str:
    """What the operator must do so that the desk may save."""
    rules, templates = folders_of(config)
    folder = rules if name.startswith(RULES) else templates
    return (
        f"The desk may not write in {folder}, so nothing was saved. An operator gives that folder to the user of the "
        f"service and names it in ReadWritePaths= of triaged.service; docs/operating.md says how"
    )


# --- looking ----------------------------------------------------------------------------------------------------


def look(config: Config, written: Written, name: str, *, now: datetime) -> Found:
    """What is wrong with a set, without the model, so no example is judged; hints are about the file `name`. 0.2 s."""
    try:
        rules, templates = rules_and_templates(config, written)
    except ConfigError as error:
        return Found(tuple(sorted(error.problems, key=by_line)))
    problems = tuple(unknown_kept(config, rules))
    if name.startswith(TEMPLATES):
        return Found(problems, _proof(config, written, name, rules, now=now))
    hints = lint(
        rules,
        files=written.rules,
        templates=templates.names,
        mailboxes=frozenset(mailbox.name for mailbox in config.mailbox),
        today=now.astimezone(ZoneInfo(config.hours.timezone)).date(),
    )
    return Found(problems, tuple(each for each in hints if place(each, written)[0] == name))


def _proof(config: Config, written: Written, name: str, rules: RuleSet, *, now: datetime) -> tuple[Problem, ...]:
    """What would come out wrong in a template, read beside its translations alone: all of them take too long."""
    stem = name[len(TEMPLATES) :].split(".")[0]
    near = {each: octets for each, octets in written.templates.items() if each.split(".")[0] == stem or each == LAYOUT}
    found = proofread(near, rules=rules, ours=ours_of(config), colleagues=languages_of(config), now=now)
    return tuple(each for each in (*found.problems, *found.hints) if place(each, written)[0] == name)


def judged(config: Config, written: Written) -> Found:
    """As `look` for all files, every example judged too; 3 s in another process. Raises: Permanent, OSError."""
    with laid(config, written) as folder:
        lines = say(config, "rules", "check", str(folder), "--no-log", within_s=CHECK_S)
    told = {
        kind: tuple(Problem(each["where"], each["what"]) for each in lines if each["kind"] == kind)
        for kind in ("error", "hint")
    }
    return Found(told["error"], told["hint"])


def place(problem: Problem, written: Written) -> tuple[str, int | None]:
    """The file of a set that a problem is about, `""` for none, and the line."""
    file, _, line = problem.where.rpartition(":")
    number = int(line) if file != "" and line.isdigit() else None
    file = file if number is not None else problem.where
    for name in (f"{RULES}{file}", f"{TEMPLATES}{file}", file):
        if is_part(name) and (name in written.files or name == file):
            return name, number
    return "", number


def told(found: Found, written: Written, name: str) -> list[Told]:
    """For the page of the file `name`: its own first."""
    both = [("error", each) for each in found.problems] + [("hint", each) for each in found.hints]
    return sorted(_told(both, written, name), key=lambda each: (each.kind, not each.here))


def _told(both: list[tuple[str, Problem]], written: Written, name: str) -> Iterator[Told]:
    for kind, each in both:
        file, line = place(each, written)
        address = "" if file in ("", name) else address_of(file) + (f"?line={line}" if line is not None else "")
        yield Told(kind, each.where, line, each.what, file == name, address)


# --- saving -----------------------------------------------------------------------------------------------------


def save(desk: Desk, visitor: Visitor, draft: Draft, *, why: str, tried: str) -> tuple[str, bool]:
    """Write a draft into its folder and have the worker take it; what came of it in words, and whether that is well.

    tried: what past mail said of it, in words. Raises: Conflict, Refused, Permanent, ConfigError.
    """
    if not may_write(desk.config, draft.name):
        raise Permanent(may_not_words(desk.config, draft.name))
    there = written_of(desk.config)
    if shown(there, draft.name) != draft.was:
        raise Conflict(shown(there, draft.name), who_saved(desk, draft.name))
    written = with_draft(there, draft)
    must_be_no_worse(desk.config, written, there, draft.name, now=desk.clock())
    changed = "; ".join(change.words for change in file_changes(there, written))
    what = "rules.save" if draft.name.startswith(RULES) else "templates.save"
    return put(
        desk,
        visitor,
        written,
        there=there,
        how="loaded",
        what=what,
        about=draft.name,
        why=why,
        told=f"{changed}; {tried}",
    )


def shown(written: Written, name: str) -> str:
    """The text of a file; what is no plain text, as far as it can be shown."""
    try:
        return opened(written, name)
    except ConfigError:
        return typed(written.files.get(name, b"").decode("utf-8", "backslashreplace"))


def must_be_no_worse(config: Config, written: Written, there: Written, name: str, *, now: datetime) -> None:
    """Raises: Refused with what is wrong, unless all of it is wrong in the folders already (then it mends a part)."""
    found = look(config, written, name, now=now)
    if len(found.problems) == 0:
        found = judged(config, written)
    if len(found.problems) == 0:
        return
    before = look(config, there, name, now=now)
    before = before if len(before.problems) > 0 else judged(config, there)
    known = {(place(each, there)[0], each.what) for each in before.problems}
    if not {(place(each, written)[0], each.what) for each in found.problems} <= known:
        raise Refused(found)


def put(
    desk: Desk,
    visitor: Visitor,
    written: Written,
    *,
    there: Written,
    how: str,
    what: str,
    about: str,
    why: str,
    told: str,
) -> tuple[str, bool]:
    """Keep what lies in the folders as a set, have them hold these files, and ask the worker to take them.

    what, about, why, told: for the audit log. What came of it in words, and whether that is well.
    Raises: Permanent when it cannot be written, ConfigError when somebody saved meanwhile.
    """
    now, config = desk.clock(), desk.config
    with desk.writing() as log:
        keep_files(log, there, now=now)
    try:
        with desk.writing() as log:
            users.audit(log, what, f"{why} ({told})", who=visitor.name, now=now, about=about)
            aside = lay_back(written, *folders_of(config), there=there, aside=aside_of(now))
    except OSError as error:
        if error.errno in MAY_NOT:
            raise Permanent(may_not_words(config, about)) from None
        raise Permanent(f"{error.filename or 'a file'} cannot be written: {error.strerror}. Try again") from None
    moved = f" {_names(aside)} is no part of the set any more." if len(aside) > 0 else ""
    try:
        running = bring_in(config, written, how=how, who=visitor.name, why=why)
    except Permanent as error:
        return f"Saved, but not in use: {error}.{moved}", False
    if not running:
        return f"Saved. No worker runs; it takes rule set {written.id} when it starts.{moved}", True
    return f"Saved, and in use: rule set {written.id}.{moved}", True


def _names(aside: tuple[Path, ...]) -> str:
    return ", ".join(path.name for path in aside)


def who_saved(desk: Desk, name: str) -> str:
    """Who saved a file last, and when: by this desk, or on the machine; in words."""
    rules, templates = folders_of(desk.config)
    path = rules / name[len(RULES) :] if name.startswith(RULES) else templates / name[len(TEMPLATES) :]
    with desk.reading() as reader:
        last = next(iter(users.audits(reader, limit=1, about=name)), None)
    try:
        status = path.stat()
    except OSError:
        return f"{last.who} removed it at this desk: {last.detail}" if last is not None else "It was removed"
    saved = datetime.fromtimestamp(status.st_mtime, UTC)
    if last is not None and abs((saved - last.at).total_seconds()) < 10:
        return f"{last.who} saved it at this desk: {last.detail}"
    owner = str(status.st_uid)
    with suppress(KeyError):
        owner = pwd.getpwuid(status.st_uid).pw_name
    local = saved.astimezone(ZoneInfo(desk.zone))
    return f"It was saved on the machine at {local:%Y-%m-%d %H:%M:%S}; the file belongs to {owner}"


def differs(was: str, now: str, name: str, *, names: tuple[str, str]) -> tuple[FileDiff, ...]:
    """The lines of one file that differ."""
    sides: list[Mapping[str, bytes]] = [{name: text.encode("utf-8", "replace")} for text in (was, now)]
    return tuple(diffs(Written.of(sides[0]), Written.of(sides[1]), names=names))
