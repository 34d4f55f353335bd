"""What tests of the queue read: the forms of its pages as a browser has them, the log behind, and what left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.web.site import Browser, browsing
from triaged.log import approvals, waiting
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.settings import Config
from triaged.wire import log_path


@dataclass
class WebForm:
    """A form of a page. fields: as sent without a click on a button; buttons: their words, keys and own fields."""

    action: str
    fields: list[tuple[str, str]]
    buttons: list[tuple[str, str, tuple[str, str] | None]]

    def key(self, key: str) -> bool:
        """Whether a button of it has this key."""
        return any(key in named.split() for _, named, _ in self.buttons)

    def sent(self) -> dict[str, str | list[str]]:
        """The fields, by name."""
        found: dict[str, str | list[str]] = {}
        for name in dict.fromkeys(name for name, _ in self.fields):
            values = [value for other, value in self.fields if other == name]
            found[name] = values if len(values) > 1 else values[0]
        found.pop("csrf", None)
        return found


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[WebForm] = []
        self._button: tuple[str, tuple[str, str] | None] | None = None
        self._words = ""
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(WebForm(had.get("action", ""), [], []))
        elif tag == "input" and "name" in had and len(self.forms) > 0:
            if had.get("type") != "checkbox" or "checked" in had:
                self.forms[-1].fields.append((had["name"], had.get("value", "")))
        elif tag == "textarea":
            self._area, self._words = had["name"], ""
        elif tag == "button":
            chosen = (had["name"], had.get("value", "")) if "name" in had else None
            self._button, self._words = (had.get("data-key", ""), chosen), ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None and len(self.forms) > 0:
            self.forms[-1].buttons.append((" ".join(self._words.split()), *self._button))
            self._button = None
        elif tag == "textarea" and self._area is not None:
            self.forms[-1].fields.append((self._area, self._words))
            self._area = None


def forms(page: str) -> list[WebForm]:
    """The forms of a page, in order."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


def form(page: str, key: str) -> WebForm:
    """The one whose button has this key."""
    (found,) = [each for each in forms(page) if each.key(key)]
    return found


def press(browser: Browser, page: str, key: str, **more: str) -> Any:
    """Send the form whose button has this key; the answer, or the page after it."""
    it = form(page, key)
    return browser.post(it.action, **{**it.sent(), **more})


def at(page: str) -> int:
    """The number of the mail that a page of the queue is about."""
    found = re.search(r'name="mail" value="(\d+)"', page)
    assert found is not None
    return int(found[1])


# --- the log behind it ------------------------------------------------------------------------------------------


def entries(config: Config) -> list[waiting.Entry]:
    """What waits."""
    with closing(Reader(log_path(config))) as reader:
        return waiting.entries(reader)


def held(config: Config, kind: str = "ack") -> tuple[int, approvals.Waiting]:
    """The first mail for which exactly one effect waits, of this kind, and that effect."""
    with closing(Reader(log_path(config))) as reader:
        for entry in waiting.entries(reader):
            found = approvals.waiting_effects(reader, entry.id)
            if entry.kinds == ("approve",) and [each.kind for each in found] == [kind]:
                return entry.id, found[0]
    raise AssertionError("nothing is held")


def one(config: Config, sql: str, *values: Any) -> Any:
    """The first column of the first row."""
    with closing(Reader(log_path(config))) as reader:
        return reader.select(sql, values)[0][0]


@contextmanager
def changing(config: Config) -> Iterator[Log]:
    """The log, to be changed in one transaction."""
    with closing(Log(log_path(config))) as log, log.transaction():
        yield log


def sent(config: Config) -> dict[str, bytes]:
    """The mails that left, by the names of their files; lines end in LF."""
    folder = Path(config.base) / "mail/outgoing/new"
    return {path.name: path.read_bytes().replace(b"\r\n", b"\n") for path in folder.iterdir()}


def sent_since(config: Config, before: dict[str, bytes]) -> list[bytes]:
    """Those that were not there before."""
    return [octets for name, octets in sent(config).items() if name not in before]


@contextmanager
def a_minute_ago(config: Config, name: str) -> Iterator[Browser]:
    """Somebody at a desk whose clock is late, so that the worker need not wait until what they approve may leave."""
    with browsing(config, name) as browser:
        browser.client.app.state.desk.clock = lambda: datetime.now(UTC) - timedelta(minutes=1)  # type: ignore[attr-defined]
        yield browser
