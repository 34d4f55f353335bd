"""What Gmail does differently (a fake of its IMAP): labels, archives, an EXPUNGE that may delete, own copies."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from tests.servers.gmail import ALL_MAIL, CAPABILITIES, Gmail, running_gmail
from triaged.backends.imap import sent as imapsent
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.imap.sent import ImapSent
from triaged.errors import Gone, LoginRefused, Permanent
from triaged.ports import keys_after

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def mail(number: int) -> bytes:
    return f"From: client@example.com\r\nMessage-ID: <{number}@example.com>\r\n\r\nMail number {number}.\r\n".encode()


@pytest.fixture
def account() -> Iterator[Gmail]:
    with running_gmail(Gmail()) as running:
        for number in (1, 2, 3):
            running.deliver(mail(number), NOON + timedelta(minutes=number), "INBOX")
        yield running


@pytest.fixture
def box(account: Gmail) -> Iterator[ImapMailbox]:
    opened = ImapMailbox("desk", "INBOX", account.settings(), max_message_bytes=1_000_000)
    yield opened
    opened.close()


def labels(account: Gmail, number: int) -> set[str]:
    return next((account.labels(each) for each in account.mails() if each.octets == mail(number)), set())


def told(box: ImapMailbox) -> Counter[tuple[str, str]]:
    return Counter((each.message_id, each.folder) for each in box.survey(NOON))


@pytest.mark.parametrize("expunged", ["archive", "trash", "deleteForever"])
@pytest.mark.parametrize("folder", ["Done", ALL_MAIL, "Kunden/Übergabe"])
def test_filing_loses_nothing_whatever_the_accounts_settings(
    account: Gmail, box: ImapMailbox, expunged: Literal["archive", "trash", "deleteForever"], folder: str
) -> None:
    account.expunged = expunged
    account.deliver(mail(2), NOON, "Acme")  # a label that a person set
    keys = keys_after(box, None)
    box.file(keys[0], folder)
    box.file(keys[1], folder)
    assert labels(account, 1) == {ALL_MAIL, folder}
    assert labels(account, 2) == {ALL_MAIL, folder, "Acme"}
    assert keys_after(box, None) == keys[2:]
    with pytest.raises(Gone):
        box.file(keys[0], folder)
    assert b"EXPUNGE" not in b"".join(account.heard).upper()


@pytest.mark.parametrize("missing", ["MOVE", "MOVE UIDPLUS"])
def test_without_move_nothing_is_filed(account: Gmail, box: ImapMailbox, missing: str) -> None:
    account.capabilities = " ".join(each for each in CAPABILITIES.split() if each not in missing.split())
    account.expunged = "deleteForever"
    keys = keys_after(box, None)
    with pytest.raises(Permanent, match="by hand") as caught:
        box.file(keys[0], ALL_MAIL)
    assert not isinstance(caught.value, Gone)
    assert labels(account, 1) == {"INBOX", ALL_MAIL}
    assert keys_after(box, None) == keys


def test_what_was_archived_is_brought_back_once(account: Gmail, box: ImapMailbox) -> None:
    keys = keys_after(box, None)
    box.file(keys[0], ALL_MAIL)
    box.refile("<1@example.com>", ALL_MAIL, "INBOX")
    assert labels(account, 1) == {"INBOX", ALL_MAIL}
    assert len(keys_after(box, None)) == 3
    with pytest.raises(Gone, match="lies in INBOX already"):
        box.refile("<1@example.com>", ALL_MAIL, "INBOX")
    box.refile("<1@example.com>", ALL_MAIL, "Acme")
    with pytest.raises(Gone, match="lies in Acme already"):
        box.refile("<1@example.com>", ALL_MAIL, "Acme")
    box.refile("<1@example.com>", "Acme", "Beta")
    assert labels(account, 1) == {"INBOX", ALL_MAIL, "Beta"}


def test_marks_are_labels_of_their_own(account: Gmail, box: ImapMailbox) -> None:
    account.make("complaint")  # what people file with
    keys = keys_after(box, None)
    for _ in range(2):
        box.mark(keys[0], ["complaint", 'a/b\\c"*', "Kündigung & Co"])
    wanted = {"triaged/complaint", "triaged/a b c  ", "triaged/Kündigung & Co"}
    assert labels(account, 1) == {"INBOX", ALL_MAIL, *wanted}
    assert labels(account, 2) == {"INBOX", ALL_MAIL}
    assert keys_after(box, None) == keys
    box.file(keys[0], "Done")
    assert labels(account, 1) == {"Done", ALL_MAIL, *wanted}
    assert [mail.flags for mail in account.mails()] == [set(), set(), set()]


def test_a_survey_tells_of_each_mail_where_people_see_it(account: Gmail, box: ImapMailbox) -> None:
    for label in ("Acme", "Beta", "[Gmail]/Starred", "[Gmail]/Important"):
        account.deliver(mail(1), NOON, label)
    keys = keys_after(box, None)
    box.mark(keys[0], ["complaint"])
    box.mark(keys[1], ["complaint"])
    box.file(keys[1], ALL_MAIL)
    for number, label in ((4, "[Gmail]/Sent Mail"), (5, "[Gmail]/Drafts"), (6, "[Gmail]/Trash"), (7, "[Gmail]/Spam")):
        account.deliver(mail(number), NOON, label)
    assert told(box) == {
        ("<1@example.com>", "Acme"): 1,
        ("<1@example.com>", "Beta"): 1,
        ("<1@example.com>", "INBOX"): 1,
        ("<2@example.com>", ALL_MAIL): 1,
        ("<3@example.com>", "INBOX"): 1,
        ("<4@example.com>", "[Gmail]/Sent Mail"): 1,
        ("<6@example.com>", "[Gmail]/Trash"): 1,
        ("<7@example.com>", "[Gmail]/Spam"): 1,
    }
    assert [each.message_id for each in box.survey(NOON) if each.is_sent_folder] == ["<4@example.com>"]
    assert [each.message_id for each in box.survey(NOON, sent_only=True)] == ["<4@example.com>"]


def test_a_survey_bears_what_people_hide(account: Gmail, box: ImapMailbox) -> None:
    account.deliver(mail(4), NOON, "[Gmail]/Sent Mail")
    account.deliver(mail(5), NOON)
    account.hidden = {"[Gmail]/Sent Mail"}
    found = {each.message_id: each for each in box.survey(NOON)}
    assert (found["<4@example.com>"].folder, found["<4@example.com>"].is_sent_folder) == (ALL_MAIL, True)
    assert (found["<5@example.com>"].folder, found["<5@example.com>"].is_sent_folder) == (ALL_MAIL, False)
    assert list(box.survey(NOON, sent_only=True)) == [found["<4@example.com>"]]
    account.hidden = {ALL_MAIL}
    assert set(told(box)) == {
        *((f"<{number}@example.com>", "INBOX") for number in (1, 2, 3)),
        ("<4@example.com>", "[Gmail]/Sent Mail"),
    }


# --- the copy in Sent ---------------------------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imapsent, "GMAIL_FILES_WITHIN_S", 3.0)
    monkeypatch.setattr(imapsent, "LOOK_S", 0.05)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("late_s", [0.0, 0.4])
def test_gmails_own_copy_is_the_only_one(account: Gmail, late_s: float) -> None:
    """By SMTP Gmail keeps our Message-ID and adds fields of its own, so its copy is not ours octet for octet."""
    sent = ImapSent(None, account.settings())
    filed = b"Received: by smtp.gmail.com\r\n" + mail(9)
    files = threading.Timer(late_s, account.deliver, (filed, NOON, "[Gmail]/Sent Mail"))
    sent.connect()
    files.start()
    sent.append(mail(9))
    files.join()
    kept = [each.octets for each in account.folders["[Gmail]/Sent Mail"].mails.values()]
    assert kept == [filed]
    assert sent.find("<9@example.com>") is True
    sent.close()


@pytest.mark.usefixtures("short")
def test_a_copy_that_comes_late_is_found_after_a_crash(account: Gmail) -> None:
    sent = ImapSent(None, account.settings())
    files = threading.Timer(0.4, account.deliver, (mail(9), NOON, "[Gmail]/Sent Mail"))
    files.start()
    assert sent.find("<9@example.com>") is True
    files.join()
    sent.close()


@pytest.mark.usefixtures("short")
def test_what_left_by_another_server_is_copied(account: Gmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imapsent, "GMAIL_FILES_WITHIN_S", 0.2)
    sent = ImapSent(None, account.settings())
    assert sent.find("<9@example.com>") is False
    sent.append(mail(9))
    assert [each.octets for each in account.folders["[Gmail]/Sent Mail"].mails.values()] == [mail(9)]
    assert sent.find("<9@example.com>") is True
    sent.close()


def test_a_password_that_gmail_does_not_take(account: Gmail) -> None:
    wrong = dataclasses.replace(account.settings(), password="other")
    with pytest.raises(LoginRefused):
        ImapMailbox("desk", "INBOX", wrong, max_message_bytes=1000).connect()
