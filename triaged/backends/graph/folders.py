"""Folder names of a Microsoft 365 mailbox in, their ids, a folder made, or what lies in all of them, out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from triaged.backends.graph.line import GraphLine, expanded, moment, properties_of, quoted, text_of
from triaged.backends.heads import FIELDS, surveyed
from triaged.errors import Gone, LoginRefused, Permanent
from triaged.model import Surveyed

INBOX = "inbox"
"""The one well-known name (learn.microsoft.com/graph/api/resources/mailfolder) that folders are configured by; in the
mailbox it is called as its language has it."""
_NOT_ITS_OWN = ("drafts", "outbox")
"""Well-known names of folders with what nobody sent yet."""

IN_REPLY_TO, REFERENCES = "String 0x1042", "String 0x1039"
"""PidTagInReplyToId, PidTagInternetReferences (MS-OXPROPS): what the mailbox sent has no internetMessageHeaders."""
_FIELD_CHARACTERS = 20_000
"""Characters kept of a header field's end; 200 Message-IDs have some 15,000."""

log = logging.getLogger(__name__)


def folder_id(line: GraphLine, path: str) -> str | None:
    """The id of a folder, None when there is none. path: `INBOX` in any case, or names as shown, levels by `/`.

    Raises: as `GraphLine.ask`.
    """
    found: str | None = None
    for level, name in enumerate(_levels(path)):
        found = _inbox(line) if level == 0 and name.lower() == INBOX else _child(line, found, name)
        if found is None:
            return None
    return found


def make_folder(line: GraphLine, path: str) -> str:
    """The id of a folder, made with all its levels if missing. Raises: as `GraphLine.ask`."""
    found: str | None = None
    for level, name in enumerate(_levels(path)):
        parent = found
        found = _inbox(line) if level == 0 and name.lower() == INBOX else _child(line, parent, name)
        if found is not None:
            continue
        answer = line.post(_children_of(parent), {"displayName": name}, accept=(409,))
        if answer.status == 409:  # somebody else has just made it
            found = _child(line, parent, name)
            if found is None:
                raise line.refusal(answer)
        else:
            found = text_of(line.object_of(answer), "id")
    assert found is not None
    return found


def survey(line: GraphLine, since: datetime, *, watched_id: str, watched: str, sent_only: bool) -> Iterator[Surveyed]:
    """As `ports.Mailbox.survey`. Raises: as `GraphLine.ask`."""
    sent = _sent_folder(line)
    for identifier, path in (sent if sent_only else _all_but_drafts(line)).items():
        shown = watched if identifier == watched_id else path
        try:
            for item in _since(line, identifier, since):
                date = moment(text_of(item, "receivedDateTime"))
                if date is not None and date >= since:
                    key, is_sent = text_of(item, "id"), identifier in sent
                    yield surveyed(_head(item), folder=shown, key=key, date=date, is_sent_folder=is_sent)
        except LoginRefused:
            raise
        except Permanent as error:  # no right to read it, or it was just deleted
            log.info("unsurveyed folder_id=%s kind=%s", identifier, type(error).__name__)


def _sent_folder(line: GraphLine) -> dict[str, str]:
    """Id → name of the folder of sent mail; none where it may not be seen."""
    try:
        found = line.get("/mailFolders/sentitems", {"$select": "id,displayName"})
    except Gone:
        return {}
    return {text_of(found, "id"): text_of(found, "displayName")}


def _all_but_drafts(line: GraphLine) -> dict[str, str]:
    left_out = {_well_known(line, name) for name in _NOT_ITS_OWN}
    return {identifier: path for identifier, path in _all(line, None, "") if identifier not in left_out}


def _since(line: GraphLine, identifier: str, since: datetime) -> Iterator[dict[str, Any]]:
    return line.listed(
        f"/mailFolders/{quoted(identifier)}/messages",
        {
            "$select": "internetMessageId,internetMessageHeaders,receivedDateTime,from,"
            "toRecipients,ccRecipients,bccRecipients",
            "$filter": f"receivedDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "$expand": expanded(IN_REPLY_TO, REFERENCES),
        },
    )


def _head(item: Mapping[str, Any]) -> bytes:
    """The fields of a message that a survey reads, as a head; the headers first, then what Graph knows besides."""
    headers = item.get("internetMessageHeaders")
    pairs = [
        (text_of(each, "name"), text_of(each, "value"))
        for each in (headers if isinstance(headers, list) else [])
        if isinstance(each, Mapping)
    ]
    known = properties_of(item)
    pairs += [
        ("Message-ID", text_of(item, "internetMessageId")),
        ("From", text_of(item, "from", "emailAddress", "address")),
        *((name, _addresses(item, f"{name.lower()}Recipients")) for name in ("To", "Cc", "Bcc")),
        ("In-Reply-To", known.get(IN_REPLY_TO.lower(), "")),
        ("References", known.get(REFERENCES.lower(), "")),
    ]
    wanted = {name.lower() for name in FIELDS}
    lines = [
        f"{name}: {' '.join(value.split())[-_FIELD_CHARACTERS:]}\r\n"
        for name, value in pairs
        if name.lower() in wanted and value.strip() != ""
    ]
    return "".join(lines).encode("utf-8", "replace") + b"\r\n"


def _addresses(item: Mapping[str, Any], name: str) -> str:
    found = item.get(name)
    people = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    return ", ".join(text_of(each, "emailAddress", "address") for each in people)


def _all(line: GraphLine, parent: str | None, above: str) -> Iterator[tuple[str, str]]:
    """Id and path of every folder that holds mail of its own, a level's before those below."""
    for item in _listed(line, parent):
        if "mailSearchFolder" in text_of(item, "@odata.type"):
            continue  # shows mail that lies elsewhere
        identifier, path = text_of(item, "id"), above + text_of(item, "displayName")
        yield identifier, path
        if item.get("childFolderCount") != 0:
            yield from _all(line, identifier, path + "/")


def _child(line: GraphLine, parent: str | None, name: str) -> str | None:
    """The folder of this name; in another case where none has this (Exchange lets no two differ in case alone)."""
    by_name = {text_of(item, "displayName"): text_of(item, "id") for item in _listed(line, parent)}
    folded = {shown.casefold(): identifier for shown, identifier in by_name.items()}
    return by_name.get(name) or folded.get(name.casefold())


def _listed(line: GraphLine, parent: str | None) -> Iterator[dict[str, Any]]:
    return line.listed(_children_of(parent), {"$select": "id,displayName,childFolderCount"})


def _children_of(parent: str | None) -> str:
    return "/mailFolders" if parent is None else f"/mailFolders/{quoted(parent)}/childFolders"


def _inbox(line: GraphLine) -> str | None:
    return _well_known(line, INBOX)


def _well_known(line: GraphLine, name: str) -> str | None:
    try:
        return text_of(line.get(f"/mailFolders/{name}", {"$select": "id"}), "id")
    except Gone:
        return None


def _levels(path: str) -> list[str]:
    levels = path.split("/")
    if any(level.strip() == "" for level in levels):
        raise Permanent(f"'{path}' cannot be the name of a folder: each level between the `/` needs a name")
    return levels
