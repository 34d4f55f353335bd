"""A checked configuration in, what every page needs out: the log to read and to write, the templates, the clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from triaged import __version__
from triaged.errors import Gone, Permanent
from triaged.log import unwritable, users
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web import words
from triaged.web.gate import Visitor
from triaged.web.keptrules import RuleSets
from triaged.web.mailsource import Sources
from triaged.web.trials import Trials
from triaged.wire import caps_of, log_path
from triaged.worker.service import utc_now

HERE = Path(__file__).parent
STATIC, PAGES = HERE / "static", HERE / "pages"
BY_ITSELF = "x-by-itself"
"""A header: the page looks for what is new, and nobody asked for it. That is no visit, and takes nothing said away."""
TOUCHED = timedelta(minutes=1)
"""A visit is written down no more often than this: a page that is only looked at costs no commit."""


class Desk:
    """What the pages share; one a process. It reads and writes the log as the command line does, beside the worker."""

    def __init__(self, config: Config, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.config, self.clock, self.zone = config, clock, config.hours.timezone
        self.log_path = log_path(config)
        self.sources, self.rule_sets = Sources(config), RuleSets(config)
        self.trials = Trials(config, clock=clock)
        self._log: Log | None = None
        self._lock = Lock()
        self.retrying = Lock()
        """Held while a mail is read once more: each such process takes some 200 MB, and one is enough."""
        self._kept: dict[str, tuple[str, Any]] = {}
        self._pages = Environment(
            loader=FileSystemLoader(PAGES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= words.filters(self.zone, clock)
        self._pages.globals |= {
            "firm": config.firm.name,
            "version": __version__,
            "static": _addresses(STATIC),
            "by_proxy": config.desk.user_header != "",
        }

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """The log, to be read by one request."""
        with closing(Reader(self.log_path)) as reader:
            yield reader

    @contextmanager
    def writing(self) -> Iterator[Log]:
        """The log inside one transaction; requests take turns. Raises: Permanent."""
        with unwritable.told(), self._lock:
            if self._log is None:
                self._log = Log(self.log_path, caps=caps_of(self.config))
            with self._log.transaction():
                yield self._log

    def close(self) -> None:
        """End what is tried, and close the log."""
        self.trials.close()
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def once(self, name: str, of: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, made again only when `of` is another: for what takes long and depends on files alone."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != of:
            kept = self._kept[name] = (of, make())
        return kept[1]

    # --- pages ---

    def page(self, request: Request, visitor: Visitor, page: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for somebody who is signed in, with what the last change said, which is said once."""
        said = self._seen(visitor) if BY_ITSELF not in request.headers else None
        html = self._pages.get_template(page).render(
            **values,
            visitor=visitor,
            csrf=visitor.session.csrf,
            said=said,
            path=request.url.path,
            mark=request.state.mark,
        )
        return HTMLResponse(html, status_code=status)

    def bare_page(self, page: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for anybody: signing in, and what went wrong."""
        return HTMLResponse(self._pages.get_template(page).render(**values), status_code=status)

    def done(self, visitor: Visitor, where: str, words: str, *, bad: bool = False, **more: Any) -> RedirectResponse:
        """After a change: to the page `where`, which says `words` once. bad: it could not be done, and why."""
        with suppress(Permanent), self.writing() as log:  # what was to be done is done, said or not
            users.say(log, visitor.session, {"words": words, "bad": bad, **more})
        return RedirectResponse(where, status_code=303)

    def _seen(self, visitor: Visitor) -> dict[str, Any] | None:
        session, now = visitor.session, self.clock()
        seen = session.user.seen
        if session.said != "" or seen is None or now - seen > TOUCHED:
            with suppress(Permanent), self.writing() as log:  # with a full disk the page that says so must be seen
                users.touch(log, session, now=now)
        return json.loads(session.said) if session.said != "" else None


def mail_row(reader: Reader, text: str) -> LogRow:
    """The mail of a number or a reference, as an address names it. Raises: Gone."""
    number = reader.find(text)
    row = reader.row(number) if number is not None else None
    if row is None:
        raise Gone(f"There is no mail {text} in the log.")
    return row


def desk_of(request: Request) -> Desk:
    """The desk of this process."""
    desk: Desk = request.app.state.desk
    return desk


def _addresses(folder: Path) -> dict[str, str]:
    """Where each static file is found; the address changes with the file, so that browsers may keep it."""
    return {
        path.name: f"/static/{path.name}?{hashlib.sha256(path.read_bytes()).hexdigest()[:10]}"
        for path in sorted(folder.iterdir())
    }
