"""One suite for every Mailbox: the double in memory, a Maildir, IMAP on real servers, fakes of Gmail and Exchange."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import pytest
from imapclient import IMAPClient

from tests.contract.graph_sites import graph_mailbox
from tests.doubles.mailbox import MemoryMailbox
from tests.servers.certificates import Authority
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.servers.gmailsite import gmail_site
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.maildir import MaildirMailbox
from triaged.errors import Gone, Permanent
from triaged.ports import Mailbox, keys_after

LIMIT = 2_000
LONG_S = 30.0
"""A wait's timeout; a wait that is to end early must end far sooner."""


def mail(number: int, *, size_bytes: int = 0) -> bytes:
    head = f"From: client@example.com\r\nSubject: number {number}\r\nMessage-ID: <{number}@example.com>\r\n\r\n"
    body = f"Mail number {number}.\r\n.with a dot\r\n"
    return (head + body).encode() + b"x" * max(size_bytes - len(head) - len(body) - 2, 0) + b"\r\n"


class Site(Protocol):
    """A mailbox under test and a way to its folder that does not go through the code under test."""

    ordered: bool

    @property
    def mailbox(self) -> Mailbox: ...
    def deliver(self, octets: bytes, received: datetime) -> None: ...
    def state(self) -> object:
        """All that reading must not change."""

    def expunge_second(self) -> None: ...
    def in_folder(self, folder: str) -> list[bytes]: ...
    def marks(self, octets: bytes) -> set[str] | None:
        """The categories of a mail in the folder, without the server's own; None where there are none to be had."""

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        """Put a mail into another folder, made if missing."""

    def remove_folder(self) -> None: ...
    def settle(self) -> None:
        """Make the last change look old."""


class MemorySite:
    ordered = True

    def __init__(self) -> None:
        self.mailbox = MemoryMailbox(max_message_bytes=LIMIT)

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.mailbox.deliver(octets, received=received)

    def state(self) -> object:
        return dict(self.mailbox._messages)

    def expunge_second(self) -> None:
        self.mailbox.expunge(f"{self.mailbox.validity}/2")

    def in_folder(self, folder: str) -> list[bytes]:
        return [octets for _, octets in self.mailbox.folders[folder]]

    def marks(self, octets: bytes) -> set[str] | None:
        [number] = [number for number, (_, each) in self.mailbox._messages.items() if each == octets]
        return self.mailbox.marks.get(f"{self.mailbox.validity}/{number}", set())

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        self.mailbox.folders.setdefault(folder, []).append((received.astimezone(UTC), octets))

    def remove_folder(self) -> None:
        self.mailbox.exists = False

    def settle(self) -> None:
        pass


class MaildirSite:
    ordered = False

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True)
        self.mailbox = MaildirMailbox("desk", path, max_message_bytes=LIMIT)
        self.count = 0

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.count += 1
        draft = self.path / "tmp" / f"{self.count:06}.host"
        draft.write_bytes(octets)
        os.utime(draft, (received.timestamp(), received.timestamp()))
        # Every other mail has been looked at already.
        draft.rename(
            self.path / ("new" if self.count % 2 else "cur") / (draft.name + ("" if self.count % 2 else ":2,S"))
        )

    def state(self) -> object:
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_ino) for path in self.path.rglob("*"))

    def expunge_second(self) -> None:
        (self.path / "cur" / "000002.host:2,S").unlink()

    def marks(self, octets: bytes) -> set[str] | None:
        return None

    def in_folder(self, folder: str) -> list[bytes]:
        return [path.read_bytes() for path in (self.path / f".{folder}" / "cur").iterdir()]

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        self.count += 1
        path = self.path / ("." + folder.replace("/", ".")) / "cur" / f"{self.count:06}.host:2,S"
        for part in ("tmp", "new", "cur"):
            (path.parents[1] / part).mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        os.utime(path, (received.timestamp(), received.timestamp()))

    def remove_folder(self) -> None:
        self.path.rename(self.path.with_name("elsewhere"))

    def settle(self) -> None:
        for part in ("new", "cur"):
            os.utime(self.path / part, (1_700_000_000, 1_700_000_000))


class ImapSite:
    ordered = True

    def __init__(self, server: Dovecot | Cyrus, reader: IMAPClient) -> None:
        self.server = server
        self.reader = reader
        self.folder = f"test {uuid.uuid4().hex}"
        reader.create_folder(self.folder)
        self.mailbox = ImapMailbox("desk", self.folder, server.settings(), max_message_bytes=LIMIT)

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.reader.append(self.folder, octets, msg_time=received)

    def state(self) -> object:
        self.reader.select_folder(self.folder, readonly=True)
        facts = self.reader.fetch(self.reader.search(), ["FLAGS", "MODSEQ"])
        self.reader.unselect_folder()
        # \Recent is the session's own matter (RFC 3501 2.3.2).
        return {uid: (set(item[b"FLAGS"]) - {b"\\Recent"}, item[b"MODSEQ"]) for uid, item in facts.items()}

    def expunge_second(self) -> None:
        self.reader.select_folder(self.folder)
        self.reader.delete_messages([2])
        self.reader.expunge()
        self.reader.unselect_folder()

    def marks(self, octets: bytes) -> set[str] | None:
        self.reader.select_folder(self.folder, readonly=True)
        found = self.reader.fetch(self.reader.search(), ["FLAGS", "BODY.PEEK[]"])
        self.reader.unselect_folder()
        [flags] = [item[b"FLAGS"] for item in found.values() if item[b"BODY[]"] == octets]
        return {flag.decode().replace("_", " ") for flag in flags if not flag.startswith(b"\\")}

    def in_folder(self, folder: str) -> list[bytes]:
        self.reader.select_folder(folder, readonly=True)
        found = self.reader.fetch(self.reader.search(), ["BODY.PEEK[]"])
        self.reader.unselect_folder()
        return [item[b"BODY[]"] for item in found.values()]

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        if not self.reader.folder_exists(folder):
            self.reader.create_folder(folder)
        self.reader.append(folder, octets, msg_time=received)

    def remove_folder(self) -> None:
        self.reader.delete_folder(self.folder)

    def settle(self) -> None:
        pass


@pytest.fixture(params=["memory", "maildir", "imap", "cyrus", "gmail fake", "ews fake", "graph fake"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param in ("imap", "cyrus"):
        server: Dovecot | Cyrus = request.getfixturevalue("dovecot" if request.param == "imap" else "cyrus")
        with server.client() as reader:
            found: Site = ImapSite(server, reader)
            yield from opened(found)
    elif request.param == "ews fake":
        pytest.importorskip("exchangelib")
        from tests.contract.ews_sites import EwsSite, fresh_address, running_fake, settings_of

        authority: Authority = request.getfixturevalue("authority")
        with running_fake(authority, fresh_address()) as fake:
            yield from opened(EwsSite(fake, settings_of(fake, authority), limit=LIMIT))
    elif request.param == "gmail fake":
        with gmail_site(LIMIT) as gmail:
            yield from opened(gmail)
    elif request.param == "graph fake":
        with graph_mailbox(request.getfixturevalue("authority"), max_message_bytes=LIMIT) as found:
            yield from opened(found)
    else:
        found = MemorySite() if request.param == "memory" else MaildirSite(tmp_path / "desk")
        yield from opened(found)


def opened(site: Site) -> Iterator[Site]:
    site.mailbox.connect()
    yield site
    site.mailbox.close()


def fill(site: Site, count: int) -> list[bytes]:
    """Mails a minute apart, the first at the time FIRST."""
    mails = [mail(number) for number in range(1, count + 1)]
    for number, octets in enumerate(mails):
        site.deliver(octets, FIRST + timedelta(minutes=number))
    return mails


FIRST = datetime(2026, 11, 2, 14, 0, 7, tzinfo=timezone(timedelta(hours=5)))


@contextmanager
def meanwhile(what: threading.Timer) -> Iterator[float]:
    started = time.monotonic()
    what.start()
    yield started
    what.join()


def test_an_empty_folder_has_no_keys(site: Site) -> None:
    assert keys_after(site.mailbox, None) == ()
    assert list(site.mailbox.fetch(())) == []


def test_oldest_first_and_octet_for_octet(site: Site) -> None:
    mails = fill(site, 5)
    keys = keys_after(site.mailbox, None)
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == mails
    assert [raw.octets for raw in site.mailbox.fetch(keys[::-1])] == mails[::-1]


def test_what_is_told_about_a_mail(site: Site) -> None:
    mails = fill(site, 2)
    keys = keys_after(site.mailbox, None)
    raws = list(site.mailbox.fetch(keys))
    assert [raw.received for raw in raws] == [FIRST.astimezone(UTC), FIRST.astimezone(UTC) + timedelta(minutes=1)]
    assert all(raw.received.utcoffset() == timedelta(0) for raw in raws)
    assert [raw.size_bytes for raw in raws] == [len(octets) for octets in mails]
    assert [raw.locator.key for raw in raws] == list(keys)
    assert {(raw.locator.mailbox, raw.locator.folder) for raw in raws} == {("desk", site.mailbox.folder)}


def test_the_cursor_covers_what_was_committed(site: Site) -> None:
    fill(site, 4)
    keys = keys_after(site.mailbox, None)
    assert len(set(keys)) == 4
    listed = list(site.mailbox.list_after(None))
    assert tuple(key for page in listed for key in page.keys) == keys
    for number, page in enumerate(listed):
        later = tuple(key for page in listed[number + 1 :] for key in page.keys)
        assert keys_after(site.mailbox, page.cursor) == (later if site.ordered else keys)
    # After all of them nothing: not the last one, which IMAP's `n:*` gives.
    assert keys_after(site.mailbox, "what is this") == keys
    assert keys_after(site.mailbox, "987654321/3") == keys  # of another UIDVALIDITY


def test_reading_changes_nothing(site: Site) -> None:
    fill(site, 4)
    before = site.state()
    keys = keys_after(site.mailbox, None)
    assert len(list(site.mailbox.fetch(keys))) == 4
    site.mailbox.wait(0.05)
    site.mailbox.connect()
    assert site.state() == before


def test_a_mail_that_vanished_is_left_out(site: Site) -> None:
    mails = fill(site, 3)
    keys = keys_after(site.mailbox, None)
    site.expunge_second()
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == [mails[0], mails[2]]
    assert list(site.mailbox.fetch(["987654321/1", "nonsense", keys[1]])) == []


def test_of_a_mail_over_the_limit_only_the_head_comes(site: Site) -> None:
    exact, over = mail(1, size_bytes=LIMIT), mail(2, size_bytes=LIMIT + 1)
    assert (len(exact), len(over)) == (LIMIT, LIMIT + 1)
    for minute, octets in enumerate((exact, over, mail(3))):
        site.deliver(octets, FIRST + timedelta(minutes=minute))
    first, second, third = site.mailbox.fetch(keys_after(site.mailbox, None))
    assert first.octets == exact
    assert second.octets == over[: over.index(b"\r\n\r\n") + 4]
    assert second.size_bytes == LIMIT + 1
    assert third.octets == mail(3)


def test_more_mails_than_one_batch(site: Site) -> None:
    mails = fill(site, 230)
    keys = keys_after(site.mailbox, None)
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == mails


def test_a_quiet_folder_is_waited_for(site: Site) -> None:
    fill(site, 1)
    site.settle()
    keys_after(site.mailbox, None)
    started = time.monotonic()
    site.mailbox.wait(0.8)
    assert 0.75 < time.monotonic() - started < 5


def test_wait_returns_when_a_mail_comes(site: Site) -> None:
    fill(site, 1)
    site.settle()
    keys = keys_after(site.mailbox, None)
    with meanwhile(threading.Timer(0.3, site.deliver, (mail(2), FIRST + timedelta(days=1)))) as started:
        site.mailbox.wait(LONG_S)
    assert 0.25 < time.monotonic() - started < LONG_S / 5
    assert len(keys_after(site.mailbox, None)) == len(keys) + 1


def test_a_mail_that_came_before_the_wait_ends_it(site: Site) -> None:
    keys_after(site.mailbox, None)
    site.deliver(mail(1), FIRST)
    started = time.monotonic()
    site.mailbox.wait(LONG_S)
    assert time.monotonic() - started < 2


def test_wake_ends_a_wait_from_another_thread(site: Site) -> None:
    site.settle()
    keys_after(site.mailbox, None)
    with meanwhile(threading.Timer(0.3, site.mailbox.wake)) as started:
        site.mailbox.wait(LONG_S)
    assert 0.25 < time.monotonic() - started < 1.3


def test_wake_before_a_wait_is_not_forgotten_and_counts_once(site: Site) -> None:
    site.settle()
    keys_after(site.mailbox, None)
    site.mailbox.wake()
    site.mailbox.wake()
    started = time.monotonic()
    site.mailbox.wait(LONG_S)
    assert time.monotonic() - started < 1
    site.mailbox.wait(0.8)
    assert time.monotonic() - started > 0.75


def test_filing_moves_the_mail_into_a_folder_made_for_it(site: Site) -> None:
    mails = fill(site, 3)
    keys = keys_after(site.mailbox, None)
    folder = f"Done-{uuid.uuid4().hex}"
    site.mailbox.file(keys[0], folder)
    site.mailbox.file(keys[1], folder)
    assert sorted(site.in_folder(folder)) == sorted(mails[:2])
    assert keys_after(site.mailbox, None) == keys[2:]
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == mails[2:]


def test_marks_stand_on_the_mail_beside_those_of_people(site: Site) -> None:
    mails = fill(site, 3)
    keys = keys_after(site.mailbox, None)
    for categories in (["complaint", "contract renewal"], ["complaint"], ["request"]):
        site.mailbox.mark(keys[1], categories)
    assert site.marks(mails[1]) in ({"complaint", "contract renewal", "request"}, None)
    assert site.marks(mails[0]) in (set(), None)
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == mails
    assert keys_after(site.mailbox, None) == keys


def test_a_mail_that_is_gone_cannot_be_marked(site: Site) -> None:
    mails = fill(site, 2)
    keeps_none = site.marks(mails[0]) is None
    keys = keys_after(site.mailbox, None)
    site.mailbox.file(keys[0], f"Done-{uuid.uuid4().hex}")
    if keeps_none:
        site.mailbox.mark(keys[0], ["complaint"])  # a Maildir has nothing to mark, and nothing to refuse
        assert keys_after(site.mailbox, None) == keys[1:]
        return
    for key in (keys[0], "987654321/2", "nonsense"):
        with pytest.raises(Gone):
            site.mailbox.mark(key, ["complaint"])


def test_filing_twice_finds_it_gone(site: Site) -> None:
    fill(site, 2)
    keys = keys_after(site.mailbox, None)
    folder = f"Done-{uuid.uuid4().hex}"
    site.mailbox.file(keys[0], folder)
    for key in (keys[0], "987654321/2", "nonsense"):
        with pytest.raises(Gone):
            site.mailbox.file(key, folder)
    assert len(site.in_folder(folder)) == 1


def test_what_was_filed_is_brought_back(site: Site) -> None:
    mails = fill(site, 3)
    keys = keys_after(site.mailbox, None)
    folder = f"Done-{uuid.uuid4().hex}"
    site.mailbox.file(keys[0], folder)
    site.mailbox.file(keys[1], folder)
    site.mailbox.refile("<1@example.com>", folder, site.mailbox.folder)
    assert site.in_folder(folder) == [mails[1]]
    now = keys_after(site.mailbox, None)
    assert sorted(raw.octets for raw in site.mailbox.fetch(now)) == sorted((mails[0], mails[2]))
    assert keys[2] in now
    with pytest.raises(Gone):
        site.mailbox.refile("<1@example.com>", folder, site.mailbox.folder)
    other = f"Else-{uuid.uuid4().hex}"
    site.mailbox.refile("<2@example.com>", folder, other)
    site.mailbox.refile("<1@example.com>", site.mailbox.folder, other)
    assert sorted(site.in_folder(other)) == sorted(mails[:2])
    assert [raw.octets for raw in site.mailbox.fetch(keys_after(site.mailbox, None))] == [mails[2]]


def test_what_was_filed_can_be_looked_at_and_stays_as_it_is(site: Site) -> None:
    folder = f"Done-{uuid.uuid4().hex}"
    for number in (11, 12):
        site.lay(folder, mail(number, size_bytes=700), FIRST)
    fill(site, 1)
    before = site.state()
    found = site.mailbox.find("<11@example.com>", folder)
    assert (found.octets, found.size_bytes) == (mail(11, size_bytes=700), 700)
    assert (found.locator.folder, found.received) == (folder, FIRST.astimezone(UTC))
    site.mailbox.connect()
    assert site.mailbox.find("<1@example.com>", site.mailbox.folder).octets == mail(1)
    for message_id, where in (("<13@example.com>", folder), ("<11@example.com>", site.mailbox.folder)):
        site.mailbox.connect()
        with pytest.raises(Gone):
            site.mailbox.find(message_id, where)
    site.mailbox.connect()
    with pytest.raises(Gone):
        site.mailbox.find("<11@example.com>", "No")
    assert site.state() == before
    site.lay(folder, mail(11), FIRST)
    site.mailbox.connect()
    with pytest.raises(Permanent, match="2 messages"):
        site.mailbox.find("<11@example.com>", folder)


def test_what_cannot_be_told_by_its_message_id_stays(site: Site) -> None:
    folder = f"Done-{uuid.uuid4().hex}"
    for octets in (mail(1), mail(1, size_bytes=700), mail(11)):
        site.lay(folder, octets, FIRST)
    with pytest.raises(Permanent, match="2 messages"):
        site.mailbox.refile("<1@example.com>", folder, site.mailbox.folder)
    for message_id, source in (("<3@example.com>", folder), ("<11@example.co>", folder), ("<1@example.com>", "No")):
        with pytest.raises(Gone):
            site.mailbox.refile(message_id, source, site.mailbox.folder)
    assert len(site.in_folder(folder)) == 3
    assert keys_after(site.mailbox, None) == ()


def headed(fields: str) -> bytes:
    return f"{fields}\n\nIn-Reply-To: <of-the-body@example.com>\n".replace("\n", "\r\n").encode("utf-8")


def test_a_survey_tells_of_every_folder(site: Site) -> None:
    mark = uuid.uuid4().hex
    asked = f"<asked.{mark}@example.com>"
    site.deliver(headed(f"From: ann@client.example\nMessage-ID: {asked}"), FIRST)
    filed = f"Done-{mark}/Clients"
    answer = f"From: Lena <Lena@Desk.example>\nMessage-ID: <answer.{mark}@example.com>\nIn-Reply-To: {asked}\n"
    answer += 'To: "Ann" <Ann@client.example>,\n bob@client.example\nCc: Marek <marek@desk.example>\n'
    site.lay("Sent Items", headed(answer + f"References: <a@example.com>\n\t{asked}\n  <nonsense"), FIRST)
    site.lay(filed, headed(f"message-id: <filed.{mark}@example.com>\nAuto-Submitted: auto-replied (away)"), FIRST)
    site.lay("Drafts", headed(f"Message-ID: <draft.{mark}@example.com>"), FIRST)
    before = site.state()
    found = {each.message_id: each for each in site.mailbox.survey(FIRST) if mark in each.message_id}
    assert set(found) == {asked, f"<answer.{mark}@example.com>", f"<filed.{mark}@example.com>"}
    assert {each.date for each in found.values()} == {FIRST.astimezone(UTC)}
    told = found[f"<answer.{mark}@example.com>"]
    assert (told.in_reply_to, told.references) == ((asked,), ("<a@example.com>", asked))
    assert (told.sender, told.folder, told.is_sent_folder) == ("lena@desk.example", "Sent Items", True)
    assert told.recipients == ("ann@client.example", "bob@client.example", "marek@desk.example")
    assert found[asked].recipients == ()
    assert [(each.automatic, each.is_sent_folder) for each in (found[asked], told)] == [(False, False), (False, True)]
    assert found[f"<filed.{mark}@example.com>"].automatic
    assert found[f"<filed.{mark}@example.com>"].folder == filed
    site.mailbox.connect()
    assert (found[asked].folder, found[asked].key) == (site.mailbox.folder, keys_after(site.mailbox, None)[0])
    assert site.state() == before


def test_a_survey_begins_at_its_moment_and_the_mailbox_goes_on(site: Site) -> None:
    mails = fill(site, 230)
    keys = keys_after(site.mailbox, None)
    since = FIRST + timedelta(minutes=11)
    found = {each.message_id for each in site.mailbox.survey(since) if each.folder == site.mailbox.folder}
    assert found == {f"<{number}@example.com>" for number in range(12, 231)}
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == mails
    assert list(site.mailbox.survey(datetime(2099, 1, 1, tzinfo=UTC))) == []


def test_a_survey_of_sent_mail_alone(site: Site) -> None:
    mark = uuid.uuid4().hex
    site.deliver(headed(f"Message-ID: <asked.{mark}@example.com>"), FIRST)
    site.lay(f"Done-{mark}", headed(f"Message-ID: <filed.{mark}@example.com>"), FIRST)
    site.lay("Drafts", headed(f"Message-ID: <draft.{mark}@example.com>"), FIRST)
    for number, minutes in ((1, -1), (2, 0), (3, 1)):
        received = FIRST + timedelta(minutes=minutes)
        site.lay("Sent Items", headed(f"To: {number}@client.example\nMessage-ID: <{number}.{mark}@x>"), received)
    before = site.state()
    whole = {each.key: each for each in site.mailbox.survey(FIRST) if each.is_sent_folder}
    found = {each.key: each for each in site.mailbox.survey(FIRST, sent_only=True)}
    ours = sorted((each.message_id, each.recipients) for each in found.values() if mark in each.message_id)
    assert ours == [(f"<{number}.{mark}@x>", (f"{number}@client.example",)) for number in (2, 3)]
    assert found == whole
    assert {each.folder for each in found.values()} == {"Sent Items"}
    assert site.state() == before
    assert list(site.mailbox.survey(datetime(2099, 1, 1, tzinfo=UTC), sent_only=True)) == []


HOSTILE = (
    b"",
    b"\x00\xff\xfe",
    b"\r\n\r\n",
    b"Message-ID: " + b"<" * 50_000,
    b"References: " + b"<x@y> " * 50_000,
    b'From: "' + b'"' * 50_000 + b"@" * 50_000,
    b"To: " + b"a" * 50_000 + b"@" * 50_000,
    b"Message-ID: <a\x00b@c>\r\nFrom: =?utf-8?q?x?= <\xc3\xa4@b>\r\n \r\n\r\nAuto-Submitted:",
)


def test_a_survey_bears_any_head(site: Site) -> None:
    whole = [octets for octets in HOSTILE if not isinstance(site, ImapSite) or (b"\x00" not in octets and octets)]
    for octets in whole:
        site.deliver(octets + b"\r\n\r\n", FIRST)
    found = [each for each in site.mailbox.survey(FIRST) if each.folder == site.mailbox.folder]
    assert len(found) == len(whole) >= 4
    assert max(len(each.references) for each in found) == 200


def test_a_missing_folder_is_gone(site: Site) -> None:
    site.remove_folder()
    with pytest.raises(Gone):
        site.mailbox.connect()


def test_connecting_and_closing_twice(site: Site) -> None:
    mails = fill(site, 1)
    site.mailbox.connect()
    assert [raw.octets for raw in site.mailbox.fetch(keys_after(site.mailbox, None))] == mails
    site.mailbox.close()
    site.mailbox.close()
    site.mailbox.wake()
    site.mailbox.connect()
    assert [raw.octets for raw in site.mailbox.fetch(keys_after(site.mailbox, None))] == mails


def test_the_double_makes_its_folder_anew() -> None:
    mailbox = MemoryMailbox()
    mailbox.deliver(mail(1))
    cursor = mailbox.deliver(mail(2))
    mailbox.remake()
    fresh = mailbox.deliver(mail(3))
    assert keys_after(mailbox, cursor) == (fresh,)
