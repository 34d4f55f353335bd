"""F14: an IMAP server on which mails come, vanish amid a FETCH, are told of twice or never, and get new numbers.

Schedules are drawn by chance. In the end every mail that still lies on the server has its row, each different mail
is decided once, and nothing is in the log that never was. Graph and EWS follow when they exist.
"""

from __future__ import annotations

import random
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.crash.nursery import Nursery, running_nursery
from tests.crash.sites import FILED, all_maildir, pattern_site
from tests.e2e.site import wait_for
from tests.faults.ground import Ground
from tests.servers.scripted import Line, ScriptedServer, scripted_server

STEPS = 12
"""Things that happen on the server in one schedule."""
AT_ONCE = 8

_numbers = count()


@dataclass
class Folder:
    """One INBOX that changes. mails: UID → octets. told: what the next answer tells without being asked."""

    draw: random.Random
    validity: int = 1
    next_uid: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    given: set[bytes] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    untold: int = 0

    def happen(self, number: int, words: str) -> None:
        """One thing drawn by chance."""
        with self.lock:
            match self.draw.choices(("come", "copy", "vanish", "renumber", "tell twice"), (5, 2, 2, 1, 2))[0]:
                case "come":
                    self._lay(_mail(words, number))
                case "copy" if len(self.mails) > 0:
                    self._lay(self.draw.choice(list(self.mails.values())))
                case "vanish" if len(self.mails) > 0:
                    del self.mails[self.draw.choice(list(self.mails))]
                case "renumber":
                    self.validity += 1
                    self.mails = dict(enumerate(self.mails.values(), 1))
                    self.next_uid = len(self.mails) + 1
                case _:
                    self.untold += 2

    def _lay(self, octets: bytes) -> None:
        self.mails[self.next_uid] = octets
        self.given.add(octets)
        self.next_uid += 1
        self.untold += self.draw.choice((0, 1, 1, 2))


def _mail(words: str, number: int) -> bytes:
    return (
        f"From: <n{number}@oak.example>\r\nTo: <desk@harbour.example>\r\nSubject: {words} {number}\r\n"
        f"Date: Mon, 16 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{words}.{number}@client.example>\r\n\r\n"
        f"The lamp {number} flickers.\r\n"
    ).encode()


def serve(folder: Folder) -> object:
    """IMAP as far as the worker speaks it, on a folder that changes under it."""

    def script(line: Line, server: ScriptedServer) -> None:
        line.say("* OK ready")
        opened = 0
        while True:
            tag, *words = line.hear().split()
            command = " ".join(words).upper()
            with folder.lock:
                told = "".join(f"* {len(folder.mails)} EXISTS\n" for _ in range(folder.untold))
                folder.untold = 0
                moved = opened not in (0, folder.validity)
                if moved and command not in ("LOGOUT", "CAPABILITY"):
                    line.say("* BYE the folder was made anew")
                    return
                if command.startswith(("EXAMINE", "SELECT")):
                    opened = folder.validity
                answer, no = _answer(command, folder)
            line.say(f"{told}{answer}{tag} {no or 'OK done'}" if command != "IDLE" else f"{told}+ idling")
            if command == "IDLE":
                _idle(line, folder, server)
                line.say(f"{tag} OK done")
            if command == "LOGOUT":
                return

    return script


def _idle(line: Line, folder: Folder, server: ScriptedServer) -> None:
    """Tell of what comes, some of it not at all, until DONE."""
    line.socket.settimeout(0.05)
    while not server.ended.is_set():
        try:
            assert line.hear() == "DONE"
            break
        except TimeoutError:
            with folder.lock:
                told, folder.untold = folder.untold, 0
                for _ in range(told):
                    line.say(f"* {len(folder.mails)} EXISTS")
    line.socket.settimeout(30)


def _answer(command: str, folder: Folder) -> tuple[str, str]:
    """Untagged lines, and what comes instead of OK."""
    if command == "CAPABILITY":
        return "* CAPABILITY IMAP4rev1 IDLE\n", ""
    if command.startswith(("EXAMINE", "SELECT")):
        facts = f"* {len(folder.mails)} EXISTS\n* OK [UIDVALIDITY {folder.validity}] v\n"
        return f"{facts}* OK [UIDNEXT {folder.next_uid}] n\n", ""
    if command.startswith("UID SEARCH"):
        found = re.search(r"UID (\d+):(\*|\d+)", command)
        assert found is not None, command
        last = max(folder.mails, default=0) if found[2] == "*" else int(found[2])
        low, high = sorted((int(found[1]), last))
        return f"* SEARCH {' '.join(str(uid) for uid in sorted(folder.mails) if low <= uid <= high)}\n", ""
    if command.startswith("UID FETCH"):
        return _fetched(command, folder)
    return "", ""


def _fetched(command: str, folder: Folder) -> tuple[str, str]:
    wanted = [uid for part in command.split()[2].split(",") for uid in _range(part)]
    there = [uid for uid in wanted if uid in folder.mails]
    if "RFC822.SIZE" in command:
        date = '"16-Nov-2026 09:00:00 +0000"'
        return "".join(
            f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(folder.mails[uid])} INTERNALDATE {date})\n" for uid in there
        ), ""
    if len(there) < len(wanted) and folder.draw.random() < 0.5:
        return "", "NO [EXPUNGEISSUED] some are gone"
    given = [(uid, folder.mails[uid].replace(b"\r\n", b"\n").decode()) for uid in there]
    return "".join(
        f"* {uid} FETCH (UID {uid} BODY[] {{{len(folder.mails[uid])}}}\n{text})\n" for uid, text in given
    ), ""


def _range(part: str) -> range:
    first, _, last = part.partition(":")
    return range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a schedule ended: mails given, further copies and vanished ones that the log tells of, what is wrong."""

    mails: int
    wrong: list[str]


def schedule(nursery: Nursery, pattern: Path, folder: Path, seed: int) -> Ended:
    """A worker on such a folder, until the log has all that lies there."""
    name = f"f{next(_numbers)}"
    inbox = Folder(random.Random(seed))
    with scripted_server(serve(inbox)) as server:  # type: ignore[arg-type]
        site = all_maildir(pattern)(folder / name, name)
        config = (site.folder / "config.toml").read_text()
        box = (
            f'kind = "imap"\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\nuser = "desk"\n'
            'password_file = "secret-smtp"\npoll_s = 1\ntimeout_s = 5'
        )
        config = config.replace('kind = "maildir"\npath = "mail/inbox"', box).replace(f'file_into = "{FILED}"\n', "")
        (site.folder / "config.toml").write_text(config)
        with nursery.staying(site.folder):
            for number in range(STEPS):
                inbox.happen(number, name)
                threading.Event().wait(inbox.draw.uniform(0, 0.15))
            try:
                wait_for(lambda: _all_located(site.log, inbox), "a row for all that lies there")
            except AssertionError as error:
                return Ended(len(inbox.given), [str(error)])
    return Ended(len(inbox.given), _wrong(site.log, inbox))


def _all_located(log: Path, inbox: Folder) -> bool:
    """Whether everything on the server has its place in the log and nothing is owed."""
    if not log.exists():
        return False
    with closing(sqlite3.connect(log)) as db, inbox.lock:
        if db.execute("SELECT count(*) FROM effect WHERE state IN ('owed', 'doing')").fetchone()[0] > 0:
            return False
        known = {key for (key,) in db.execute("SELECT key FROM locator WHERE message IS NOT NULL")}
        return {f"{inbox.validity}/{uid}" for uid in inbox.mails} <= known


def _wrong(log: Path, inbox: Folder) -> list[str]:
    given = {re.search(rb"Message-ID: (\S+)", octets)[1].decode() for octets in inbox.given}  # type: ignore[index]
    lies = {re.search(rb"Message-ID: (\S+)", octets)[1].decode() for octets in inbox.mails.values()}  # type: ignore[index]
    with closing(sqlite3.connect(log)) as db:
        rows = [name for (name,) in db.execute("SELECT message_id FROM message WHERE state = 'triaged'")]
        odd = db.execute("SELECT count(*) FROM message WHERE state <> 'triaged'").fetchone()[0]
        acks = db.execute("SELECT count(*), count(DISTINCT message) FROM effect WHERE kind = 'ack'").fetchone()
    found = []
    if len(rows) != len(set(rows)):
        found.append("a mail is in the log twice")
    if not lies <= set(rows) <= given:
        found.append(f"lost {lies - set(rows)}, never there {set(rows) - given}")
    if odd > 0:
        found.append(f"{odd} mails set aside")
    if acks[0] != acks[1]:
        found.append(f"{acks[0]} answers to {acks[1]} mails")
    return found


def told(ends: list[Ended]) -> None:
    wrong = [end.wrong for end in ends if len(end.wrong) > 0]
    print(  # noqa: T201 - the trial's one line
        f"F14 schedules: {len(ends):,} schedules, {sum(end.mails for end in ends):,} mails, {len(wrong)} with a mail "
        "lost or doubled"
    )
    assert wrong == [], wrong[:3]


def schedules(nursery: Nursery, pattern: Path, folder: Path, number: int) -> list[Ended]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda seed: schedule(nursery, pattern, folder, seed), range(number)))


def test_mails_that_come_vanish_and_get_new_numbers(ground: Ground, tmp_path: Path) -> None:
    told(schedules(ground.nursery, ground.pattern, tmp_path, 12))


def long_run(folder: Path) -> None:
    """A thousand schedules of twelve steps: over ten thousand things that happen."""
    pattern = folder / "pattern"
    pattern_site(pattern)
    with running_nursery(pattern / "config.toml", folder / "nursery.log") as nursery:
        told(schedules(nursery, pattern, folder, 1000))
