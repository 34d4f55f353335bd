"""Names and values in, elements of EWS requests out; and of answers the few values that we read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from lxml import etree

from triaged.backends.web import Lost

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
NSMAP = {"t": TYPES, "m": MESSAGES}

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)$")


class Namespace:
    """`T.Mailbox(T.EmailAddress("a@b"))`: an element with children, text and attributes (False left out)."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __getattr__(self, tag: str) -> partial[etree._Element]:
        return partial(self._make, tag)

    def name(self, tag: str) -> str:
        """`{uri}tag`."""
        return f"{{{self._uri}}}{tag}"

    def named(self, tag: str) -> etree._Element:
        """One whose tag is known when it is made."""
        return self._make(tag)

    def _make(self, tag: str, *content: etree._Element | str, **attributes: str) -> etree._Element:
        made = etree.Element(self.name(tag), nsmap=NSMAP)
        for name, value in attributes.items():
            made.set(name, _NO_XML.sub(" ", value))
        for each in content:
            if isinstance(each, str):
                made.text = _NO_XML.sub(" ", each)
            else:
                made.append(each)
        return made


T = Namespace(TYPES)
M = Namespace(MESSAGES)


def shape(tag: str, *fields: str | etree._Element, more: tuple[etree._Element, ...] = ()) -> etree._Element:
    """What is to be told of an item or a folder: its id, and these. tag: ItemShape or FolderShape.

    fields: names like `item:Size`, or elements like ExtendedFieldURI. more: between base shape and fields.
    """
    wanted = [T.FieldURI(FieldURI=each) if isinstance(each, str) else each for each in fields]
    beside = [T.AdditionalProperties(*wanted)] if len(wanted) > 0 else []
    made: etree._Element = getattr(M, tag)(T.BaseShape("IdOnly"), *more, *beside)
    return made


def item_ids(keys: Iterator[str] | tuple[str, ...] | list[str]) -> etree._Element:
    """An ItemIds element."""
    return M.ItemIds(*(T.ItemId(Id=key) for key in keys))


def text_of(parent: etree._Element, path: str) -> str:
    """The text at a path like `t:Start`, `""` where there is none."""
    return (parent.findtext(path, namespaces=NSMAP) or "").strip()


def each_of(parent: etree._Element, path: str) -> list[etree._Element]:
    """The elements at a path like `m:Items/*`."""
    return list(parent.iterfind(path, namespaces=NSMAP))


def id_of(element: etree._Element) -> str:
    """The Id of the first ItemId or FolderId in it. Raises: Lost (none)."""
    for each in element.iter(T.name("ItemId"), T.name("FolderId")):
        return str(each.get("Id", ""))
    raise Lost(f"the Exchange server's answer makes no sense: no id in {etree.QName(element).localname}")


def known_id(item: etree._Element) -> etree._Element:
    """The ItemId of an item, with the ChangeKey that tells in which state it was read."""
    read = next(item.iter(T.name("ItemId")), T.ItemId(Id=id_of(item)))
    given = {name: str(read.get(name)) for name in ("Id", "ChangeKey") if read.get(name) is not None}
    made: etree._Element = T.ItemId(**given)
    return made


def extended(item: etree._Element) -> list[tuple[dict[str, str], str]]:
    """The extended properties of an item: how each is named, and its value with its line breaks."""
    found = []
    for each in each_of(item, "t:ExtendedProperty"):
        names = next(
            ({str(k): str(v) for k, v in uri.attrib.items()} for uri in each.iter(T.name("ExtendedFieldURI"))), {}
        )
        found.append((names, each.findtext(T.name("Value")) or ""))
    return found


def moment(text: str) -> datetime:
    """An xs:dateTime, also one with `+0100` for an offset (seen at an independent server), in UTC.

    One without an offset is UTC: that is the time zone of all our requests. Raises: ValueError.
    """
    read = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", text.strip()))
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)


def written(at: datetime) -> str:
    """A moment as EWS reads it everywhere: whole seconds, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
