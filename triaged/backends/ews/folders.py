"""A line to an Exchange server in: its folders, one made, a message by its Message-ID, what lies in all, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime

from exchangelib import errors as ews
from lxml import etree

from triaged.backends.ews.line import EwsLine
from triaged.backends.ews.xml import M, T, each_of, extended, id_of, item_ids, moment, shape, text_of, written
from triaged.backends.heads import none_or_several, surveyed
from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError
from triaged.model import Surveyed

PAGE = 500
"""Folders or items a page of FindFolder and FindItem; Exchange's own limit is 1,000."""
TRIES = 3
"""Of a message that the server fails over with an internal error, each time, before it counts as unreadable."""
AT_ONCE = 100
"""Items per GetItem without their contents."""
NOT_SURVEYED = ("drafts", "outbox")
"""Distinguished folders (MS-OXWSFOLD) that hold what nobody has sent."""

HEAD = T.ExtendedFieldURI(PropertyTag="0x7D", PropertyType="String")
"""PidTagTransportMessageHeaders (MS-OXOMSG 2.2.1.61): the head as it came; what was written here has none."""
_SUBMITTED = T.ExtendedFieldURI(
    DistinguishedPropertySetId="InternetHeaders", PropertyName="Auto-Submitted", PropertyType="String"
)
_RECIPIENTS = {"To": "ToRecipients", "Cc": "CcRecipients", "Bcc": "BccRecipients"}
_FIELDS = (
    *("item:DateTimeReceived", "item:InReplyTo", "message:References", "message:InternetMessageId", "message:From"),
    *(f"message:{name}" for name in _RECIPIENTS.values()),
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder below the top of the mailbox. path: names with `/` between."""

    key: str
    path: str
    has_mail: bool


def folders(line: EwsLine) -> dict[str, Folder]:
    """All folders that people see, by id. Raises: Transient, Permanent, LoginRefused."""
    found: dict[str, tuple[str, str, bool]] = {}
    offset, last = 0, False
    while not last:
        request = M.FindFolder(
            shape("FolderShape", "folder:DisplayName", "folder:ParentFolderId", "folder:FolderClass"),
            M.IndexedPageFolderView(MaxEntriesReturned=str(PAGE), Offset=str(offset), BasePoint="Beginning"),
            M.ParentFolderIds(line.distinguished("msgfolderroot")),
            Traversal="Deep",
        )
        root = line.one(request, "list the folders").find(M.name("RootFolder"))
        page = each_of(root, "t:Folders/*") if root is not None else []  # none where there are no folders at all
        for each in page:
            parent = each.find(T.name("ParentFolderId"))
            kind = text_of(each, "t:FolderClass")
            has_mail = each.tag == T.name("Folder") and (kind == "" or kind.startswith(("IPF.Note", "IPF.Imap")))
            above = str(parent.get("Id", "")) if parent is not None else ""
            found[id_of(each)] = (above, text_of(each, "t:DisplayName"), has_mail)
        offset += len(page)
        last = root is None or len(page) == 0 or root.get("IncludesLastItemInRange", "true").lower() != "false"
    return {key: Folder(key, _path(key, found), has_mail) for key, (_, _, has_mail) in found.items()}


def _path(key: str, found: dict[str, tuple[str, str, bool]]) -> str:
    names: list[str] = []
    while key in found and len(names) <= len(found):
        key, name, _ = found[key]
        names.append(name)
    return "/".join(reversed(names))


def folder_id(line: EwsLine, path: str) -> str:
    """The id of a folder by its path; `INBOX` in any case is the inbox, in whatever language it has a name.

    Raises: Gone (no such folder), Transient, Permanent, LoginRefused.
    """
    if path.upper() == "INBOX":
        return distinguished_id(line, "inbox")
    wanted = path.strip("/").casefold()
    for each in folders(line).values():
        if each.path.casefold() == wanted:
            return each.key
    raise Gone(f"{line.host}: there is no folder {path}")


def distinguished_id(line: EwsLine, name: str) -> str:
    """The id of a folder that every mailbox has. Raises: Gone, Transient, Permanent, LoginRefused."""
    request = M.GetFolder(shape("FolderShape"), M.FolderIds(line.distinguished(name)))
    return id_of(line.one(request, f"open the folder {name}"))


def made_folder(line: EwsLine, path: str) -> str:
    """As `folder_id`; what is missing of the path is made. Raises: Transient, Permanent, LoginRefused."""
    if path.upper() == "INBOX":
        return distinguished_id(line, "inbox")
    known = {each.path.casefold(): each.key for each in folders(line).values()}
    levels = [level for level in path.split("/") if level != ""]
    if len(levels) == 0:
        raise Permanent(f"{path!r} is no name for a folder")
    parent, key = line.distinguished("msgfolderroot"), ""
    for depth in range(1, len(levels) + 1):
        here = "/".join(levels[:depth])
        key = known.get(here.casefold(), "") or _make(line, parent, levels[depth - 1], here)
        parent = T.FolderId(Id=key)
    return key


def _make(line: EwsLine, parent: etree._Element, name: str, path: str) -> str:
    folder = T.Folder(T.FolderClass("IPF.Note"), T.DisplayName(name))
    try:
        return id_of(line.one(M.CreateFolder(M.ParentFolderId(parent), M.Folders(folder)), f"make the folder {path}"))
    except Permanent as error:
        if type(error.__cause__).__name__ != "ErrorFolderExists":
            raise
        return folder_id(line, path)  # made this moment by somebody else


def move(line: EwsLine, key: str, to: str) -> None:
    """Move one item into the folder with that id. Raises: Gone (no such item), Transient, Permanent, LoginRefused."""
    line.one(M.MoveItem(M.ToFolderId(T.FolderId(Id=to)), item_ids([key])), "move a message")


def keys_of(line: EwsLine, folder: etree._Element, message_id: str) -> list[str]:
    """Ids of the items in a folder that have this Message-ID, octet for octet.

    Raises: Gone (no such folder), Transient, Permanent, LoginRefused.
    """
    condition = T.IsEqualTo(
        T.FieldURI(FieldURI="message:InternetMessageId"), T.FieldURIOrConstant(T.Constant(Value=message_id))
    )
    found = found_items(line, folder, condition, "message:InternetMessageId", doing="look for a message")
    return [id_of(each) for each in found if text_of(each, "t:InternetMessageId") == message_id]


def the_one(line: EwsLine, name: str, message_id: str, path: str) -> str:
    """The id of the one message in a folder that has this Message-ID. name: the mailbox's.

    Raises: Gone (none, or no such folder), Permanent (several), Transient, LoginRefused.
    """
    keys = keys_of(line, T.FolderId(Id=folder_id(line, path)), message_id)
    if len(keys) != 1:
        raise none_or_several(name, len(keys), message_id, path)
    return keys[0]


def found_items(
    line: EwsLine, folder: etree._Element, condition: etree._Element, *fields: str, doing: str
) -> Iterator[etree._Element]:
    """Items of a folder for which a condition holds, page by page.

    Raises: Gone (no such folder), Permanent (the server cannot look by that), Transient, LoginRefused.
    """
    offset, last = 0, False
    while not last:
        request = M.FindItem(
            shape("ItemShape", *fields),
            M.IndexedPageItemView(MaxEntriesReturned=str(PAGE), Offset=str(offset), BasePoint="Beginning"),
            M.Restriction(deepcopy(condition)),
            M.ParentFolderIds(deepcopy(folder)),
            Traversal="Shallow",
        )
        root = line.one(request, doing).find(M.name("RootFolder"))
        page = each_of(root, "t:Items/*") if root is not None else []
        yield from page
        offset += len(page)
        last = root is None or len(page) == 0 or root.get("IncludesLastItemInRange", "true").lower() != "false"


def items(
    line: EwsLine, keys: Sequence[str], wanted: etree._Element, doing: str, *, failed: Counter[str] | None = None
) -> dict[str, etree._Element | TriagedError]:
    """By key the item, or why it is not told; without those that vanished. wanted: an ItemShape.

    A server that answers some and is too busy for the others is asked again for those, as long as it goes on. failed:
    how often it has failed over a message alone; the third time that message is refused, so that it holds up no other.
    Raises: Transient, LoginRefused.
    """
    told: dict[str, etree._Element | TriagedError] = {}
    left = list(keys)
    while len(left) > 0:
        answers = line.ask(M.GetItem(deepcopy(wanted), item_ids(left)), doing)
        if len(answers) != len(left):
            raise Transient(f"{line.host}: cannot {doing}: {len(answers)} answers for {len(left)} messages")
        later: list[str] = []
        for key, answer in zip(left, answers, strict=True):
            if isinstance(answer, LoginRefused):
                raise answer
            if isinstance(answer, Transient):
                later.append(key)
            elif isinstance(answer, TriagedError):
                if not isinstance(answer, Gone):
                    told[key] = answer
            elif (item := next(iter(each_of(answer, "m:Items/*")), None)) is not None:
                told[key] = item
        if len(later) == len(left):
            error = next(answer for answer in answers if isinstance(answer, Transient))
            if failed is None or not isinstance(error.__cause__, ews.ErrorInternalServerError):
                raise error
            if len(left) > 1:
                for key in left:
                    told |= items(line, [key], wanted, doing, failed=failed)
                return told
            failed[left[0]] += 1
            if failed[left[0]] < TRIES:
                raise error
            return told | {left[0]: Permanent(str(error))}
        left = later
    return told


def _date_of(item: etree._Element) -> datetime | None:
    try:
        return moment(text_of(item, "t:DateTimeReceived"))
    except ValueError:
        return None


def survey(line: EwsLine, since: datetime, *, watched: str, sent_only: bool) -> Iterator[Surveyed]:
    """As `ports.Mailbox.survey`. watched: the watched folder's name. Raises: Transient, LoginRefused, Permanent."""
    sent = _sent_folder(line)
    watched_id = folder_id(line, watched)
    wanted = _all_but_drafts(line) if not sent_only else [sent] if sent is not None else []
    for folder in wanted:
        shown = watched if folder.key == watched_id else folder.path
        try:
            keys = _keys_since(line, folder.key, since)
        except (LoginRefused, Transient):
            raise
        except Permanent:  # no right to read it, or it was just deleted
            continue
        for start in range(0, len(keys), AT_ONCE):
            for key, item in _heads(line, keys[start : start + AT_ONCE]).items():
                if (date := _date_of(item)) is not None and date >= since:
                    is_sent = sent is not None and folder.key == sent.key
                    yield surveyed(_head(item), folder=shown, key=key, date=date, is_sent_folder=is_sent)


def _sent_folder(line: EwsLine) -> Folder | None:
    """The folder of sent mail, which lies at the top; None where it may not be seen."""
    request = M.GetFolder(shape("FolderShape", "folder:DisplayName"), M.FolderIds(line.distinguished("sentitems")))
    try:
        found = line.one(request, "open the folder sentitems")
    except LoginRefused:
        raise
    except Permanent:  # a delegate need not see every folder
        return None
    return Folder(id_of(found), found.findtext(f".//{T.name('DisplayName')}", ""), has_mail=True)


def _all_but_drafts(line: EwsLine) -> list[Folder]:
    left_out = {_id_or_none(line, name) for name in NOT_SURVEYED}
    return [each for each in folders(line).values() if each.has_mail and each.key not in left_out]


def _id_or_none(line: EwsLine, name: str) -> str:
    try:
        return distinguished_id(line, name)
    except LoginRefused:
        raise
    except Permanent:  # a delegate need not see every folder
        return ""


def _keys_since(line: EwsLine, folder: str, since: datetime) -> list[str]:
    condition = T.IsGreaterThanOrEqualTo(
        T.FieldURI(FieldURI="item:DateTimeReceived"),
        T.FieldURIOrConstant(T.Constant(Value=written(since.astimezone(UTC)))),
    )
    return [id_of(each) for each in found_items(line, T.FolderId(Id=folder), condition, doing="look into a folder")]


def _heads(line: EwsLine, keys: Sequence[str]) -> dict[str, etree._Element]:
    wanted = shape("ItemShape", *_FIELDS, deepcopy(HEAD), deepcopy(_SUBMITTED))
    told = items(line, keys, wanted, "read the heads of messages")
    return {key: item for key, item in told.items() if isinstance(item, etree._Element)}


def _head(item: etree._Element) -> bytes:
    """The head as it came, and what the server tells by itself, for what was written here and for servers without."""
    submitted = next((value for names, value in extended(item) if names.get("PropertyName") == "Auto-Submitted"), "")
    fields = {
        "Message-ID": text_of(item, "t:InternetMessageId"),
        "In-Reply-To": text_of(item, "t:InReplyTo"),
        "References": text_of(item, "t:References"),
        "From": text_of(item, "t:From/t:Mailbox/t:EmailAddress"),
        **{name: _addresses(item, field) for name, field in _RECIPIENTS.items()},
        "Auto-Submitted": submitted,
    }
    told = "\r\n".join(f"{name}: {' '.join(value.split())}" for name, value in fields.items() if value != "")
    return f"{came_head(item)}{told}".encode()


def _addresses(item: etree._Element, field: str) -> str:
    return ", ".join(text_of(each, "t:EmailAddress") for each in each_of(item, f"t:{field}/t:Mailbox"))


def came_head(item: etree._Element) -> str:
    """PidTagTransportMessageHeaders of an item that was asked for `HEAD`, CRLF lines; `""` where there is none."""
    for names, value in extended(item):
        if (tag := names.get("PropertyTag", "")) != "" and int(tag, 0) == 0x7D:
            lines = value.replace("\r\n", "\n").strip("\n").split("\n")
            return "".join(f"{line}\r\n" for line in lines if line != "")
    return ""
