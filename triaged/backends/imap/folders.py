"""An open IMAP connection in: which of its folders keep sent mail, what lies in all of them, a folder made, out.

Gmail's folders are labels (developers.google.com/workspace/gmail/imap/imap-extensions): a message lies in several, and
all but drafts, spam and trash lie in All Mail too, archived ones there alone. What one EXPUNGE does is each account's
own setting (Gmail API, ImapSettings.expungeBehavior): archive, throw away, or delete for ever. So none is ever sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from imaplib import IMAP4

from imapclient import DELETED, IMAPClient

from triaged.backends.heads import FIELDS, HEAD_BYTES, is_draft_name, is_sent_name, none_or_several, surveyed
from triaged.errors import Gone, Permanent
from triaged.model import Surveyed

HEADS = 200
"""Messages per FETCH of a survey: some 500 octets each, HEAD_BYTES at most."""
SEARCH_SPAN = 50_000
"""UIDs per SEARCH, as in `imap`: imaplib refuses an answer line over 1,000,000 octets."""
NOT_ITS_OWN = frozenset({b"\\noselect", b"\\nonexistent", b"\\all", b"\\flagged", b"\\important", b"\\drafts"})
"""Marks of folders that cannot be opened, show mail that lies elsewhere, or hold what nobody sent (RFC 3501, 6154,
8457)."""
GMAIL = "X-GM-EXT-1"
"""The capability that tells Gmail."""
MARKS = "triaged"
"""The label under which the labels of categories stand on Gmail, apart from those that people file with."""

_ATOM = frozenset(map(chr, range(0x20, 0x7F))) - frozenset('(){%*"\\]')
"""Letters of a keyword; RFC 3501 9: ATOM-CHAR, and the blank, which becomes `_`."""

log = logging.getLogger(__name__)


def make_folder(client: IMAPClient, folder: str) -> None:
    """Make and subscribe a folder unless it is there. Raises: IMAP4.error."""
    if not client.folder_exists(folder):
        client.create_folder(folder)
        client.subscribe_folder(folder)


def keyword(category: str) -> str:
    """A category as an IMAP keyword: an atom (RFC 3501 9), a blank written as `_`, other odd letters left out."""
    return "".join("_" if letter == " " else letter for letter in category if letter in _ATOM) or "triaged"


def mark(client: IMAPClient, uid: int, categories: Sequence[str]) -> None:
    """Set a keyword each, on Gmail, which shows keywords to nobody, a label. Raises: IMAP4.error."""
    if not client.has_capability(GMAIL):
        client.add_flags([uid], [keyword(each) for each in categories], silent=True)
        return
    labels = [f"{MARKS}/{''.join(' ' if _parts(each) else each for each in category)}" for category in categories]
    for label in labels:
        make_folder(client, label)  # nothing published says that STORE makes it
    client.add_gmail_labels([uid], labels, silent=True)


def _parts(letter: str) -> bool:
    """Whether a letter would nest a label, stand for others in LIST, or cannot be seen."""
    return letter in '/\\"*%' or not letter.isprintable()


def move(client: IMAPClient, uid: int, folder: str, *, source: str) -> None:
    """Move a message of the folder `source`, which is open, as `imap.ImapMailbox.file` promises.

    Raises: IMAP4.error; on Gmail Permanent without MOVE, Gone when it comes from All Mail and lies in `folder` already.
    """
    make_folder(client, folder)
    if client.has_capability(GMAIL) and source == _all_mail(client):
        # All that was archived stays in All Mail: bringing it back means to add a label.
        labels = client.get_gmail_labels([uid]).get(uid)
        if labels is None or ("\\Inbox" if folder.upper() == "INBOX" else folder) in labels:
            raise Gone(f"the message lies in {folder} already")
        client.copy([uid], folder)
        return
    if client.has_capability("MOVE"):
        client.move([uid], folder)
        return
    if client.has_capability(GMAIL):
        raise Permanent(f"Gmail offers no MOVE today, and without it a mail could be lost; move it to {folder} by hand")
    client.copy([uid], folder)
    client.add_flags([uid], [DELETED], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge([uid])


def the_one(client: IMAPClient, name: str, message_id: str, folder: str) -> int:
    """UID of the one message in the open folder with this Message-ID; SEARCH finds longer ones too (RFC 3501 6.4.4).

    name: the mailbox's. Raises: Gone (none), Permanent (several), IMAP4.error.
    """
    found = client.search(["UNDELETED", "HEADER", "Message-ID", message_id])
    part = f"BODY.PEEK[HEADER.FIELDS ({' '.join(FIELDS)})]<0.{HEAD_BYTES}>"
    heads = client.fetch(found, [part]) if len(found) > 0 else {}
    uids = [uid for uid, items in heads.items() if _tells(items, message_id)]
    if len(uids) != 1:
        raise none_or_several(name, len(uids), message_id, folder)
    return int(uids[0])


def _tells(items: Mapping[bytes, object], message_id: str) -> bool:
    head = next((value for key, value in items.items() if key.startswith(b"BODY[")), None)
    found = head if isinstance(head, bytes) else b""
    epoch = datetime.fromtimestamp(0, UTC)
    return surveyed(found, folder="", key="", date=epoch, is_sent_folder=False).message_id == message_id


def sent_folder(client: IMAPClient) -> str:
    """The folder marked \\Sent (RFC 6154), else `Sent`. Raises: IMAP4.error."""
    for flags, _, name in client.list_folders():
        if any(flag.lower() == b"\\sent" for flag in flags):
            return str(name)
    return "Sent"


def survey(client: IMAPClient, since: datetime, *, watched: str, sent_only: bool) -> Iterator[Surveyed]:
    """As `ports.Mailbox.survey`, by EXAMINE and BODY.PEEK; another folder is open afterwards. Raises: IMAP4.error.

    On Gmail a message is told of in each folder that it has a label of, those of our marks aside, and last what lies
    in All Mail alone; of sent mail alone that last only where people hide the folder of sent mail.
    """
    is_gmail = client.has_capability(GMAIL)
    told: set[int] = set()
    folders = [(folder, is_sent) for folder, is_sent in _folders(client) if is_sent or not sent_only]
    for folder, is_sent in folders:
        shown = watched if folder.upper() == watched.upper() == "INBOX" else folder
        for uids, validity in _examined(client, folder, since):
            told.update(_gmail_ids(client, uids) if is_gmail else ())
            for uid, date, head in _heads(client, uids, since):
                yield surveyed(head, folder=shown, key=f"{validity}/{uid}", date=date, is_sent_folder=is_sent)
    if is_gmail and not (sent_only and len(folders) > 0) and (all_mail := _all_mail(client)) is not None:
        for uids, validity in _examined(client, all_mail, since):
            labels = client.get_gmail_labels(_untold(client, uids, told))
            left = [
                uid
                for uid, found in labels.items()
                if not any(each.startswith("\\Draft") for each in found) and ("\\Sent" in found or not sent_only)
            ]
            for uid, date, head in _heads(client, left, since):
                is_sent = "\\Sent" in labels[uid]
                yield surveyed(head, folder=all_mail, key=f"{validity}/{uid}", date=date, is_sent_folder=is_sent)


def _examined(client: IMAPClient, folder: str, since: datetime) -> Iterator[tuple[list[int], int]]:
    """UIDs of what the folder took since, HEADS at a time, and its UIDVALIDITY; none when it may not be opened."""
    try:
        answer = client.select_folder(folder, readonly=True)
    except IMAP4.abort:
        raise
    except IMAP4.error as error:  # no right to read it, or it was just deleted
        log.info("unsurveyed error=%s", error)
        return
    uids = _uids_since(client, since, uid_next=int(answer.get(b"UIDNEXT", 0)))
    for start in range(0, len(uids), HEADS):
        yield uids[start : start + HEADS], int(answer.get(b"UIDVALIDITY", 0))


def _gmail_ids(client: IMAPClient, uids: list[int]) -> Iterator[int]:
    """Gmail's numbers of messages, the same in each folder."""
    return (
        int(items[b"X-GM-MSGID"]) for items in client.fetch(uids, ["X-GM-MSGID"]).values() if b"X-GM-MSGID" in items
    )


def _untold(client: IMAPClient, uids: list[int], told: set[int]) -> list[int]:
    facts = client.fetch(uids, ["X-GM-MSGID"])
    return [uid for uid in uids if uid in facts and facts[uid].get(b"X-GM-MSGID") not in told]


def _all_mail(client: IMAPClient) -> str | None:
    """The folder marked \\All (RFC 6154), None where people hide it from mail programs."""
    found = (str(name) for flags, _, name in client.list_folders() if b"\\all" in {flag.lower() for flag in flags})
    return next(found, None)


def _folders(client: IMAPClient) -> Iterator[tuple[str, bool]]:
    """Each folder that holds mail of its own, and whether it is for sent mail."""
    listed = [(str(name), {flag.lower() for flag in flags}) for flags, _, name in client.list_folders()]
    sent_is_marked = any(b"\\sent" in flags for _, flags in listed)
    is_gmail = client.has_capability(GMAIL)
    for name, flags in listed:
        if is_gmail and name.startswith(f"{MARKS}/"):
            continue
        if len(flags & NOT_ITS_OWN) == 0 and not is_draft_name(name):
            yield name, b"\\sent" in flags if sent_is_marked else is_sent_name(name)


def _uids_since(client: IMAPClient, since: datetime, *, uid_next: int) -> list[int]:
    """UIDs of what the server took since, and a day more: SINCE means days of the server's zone (RFC 3501 6.4.4)."""
    day = (since - timedelta(days=1)).date()
    found: set[int] = set()
    for start in range(1, max(uid_next, 2), SEARCH_SPAN):
        found.update(client.search(["UID", f"{start}:{start + SEARCH_SPAN - 1}", "SINCE", day]))
    return sorted(found)


def _heads(client: IMAPClient, uids: list[int], since: datetime) -> Iterator[tuple[int, datetime, bytes]]:
    """UID, time and head of those taken since; one that vanished meanwhile, for which Dovecot says NO, is left out.

    Times come first: SEARCH finds those of two days more, whose heads are ten times as long.
    """
    part = f"BODY.PEEK[HEADER.FIELDS ({' '.join(FIELDS)})]<0.{HEAD_BYTES}>"
    try:
        dated = {uid: items.get(b"INTERNALDATE") for uid, items in client.fetch(uids, ["INTERNALDATE"]).items()}
        dates = {uid: date for uid, date in dated.items() if isinstance(date, datetime) and date >= since}
        found = client.fetch(list(dates), [part])
    except IMAP4.abort:
        raise
    except IMAP4.error:
        for uid in uids if len(uids) > 1 else ():
            yield from _heads(client, [uid], since)
        return
    for uid, items in found.items():
        if uid in dates:
            head = next((items[key] for key in items if key.startswith(b"BODY[")), b"") or b""
            yield uid, dates[uid].astimezone(UTC), head
