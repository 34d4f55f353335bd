"""A desk for unit tests: a site laid out in a folder, its playbook, and mails written in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from triaged.accounts.match import directory
from triaged.classify.model import judge
from triaged.config import load_config
from triaged.decide import decide, whose
from triaged.decision import Decision, Effect, StandingCall
from triaged.log.mailboxes import enable
from triaged.log.store import Log
from triaged.mail.parse import parse
from triaged.model import Account, Contact, Locator, Message, Raw, Trend
from triaged.playbook import Background, Playbook
from triaged.settings import Config
from triaged.shipped import lay_out

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
"""A Tuesday, nine o'clock in Berlin."""

ACME = Account(
    "C-1",
    "Acme",
    domains=("acme.example",),
    contacts=(Contact("ann@acme.example", "Ann Archer"),),
    manager="lena",
    tier="gold",
    language="en",
)

AUTHSERV_ID = "mx.nordlicht.example"
"""The border server of the site below."""

MAILDIRS = ("mail/inbox", "mail/outgoing")


def lay_out_site(folder: Path, *, changes: Mapping[str, str] | None = None) -> Config:
    """The shipped site in `folder`, with empty Maildirs and calendars; changes: text in config.toml → other text."""
    lay_out(folder)
    for name in MAILDIRS:
        for part in ("cur", "new", "tmp"):
            (folder / name / part).mkdir(parents=True, exist_ok=True)
    for person in ("lena", "marek", "sofia"):
        (folder / "calendars" / person).mkdir(parents=True, exist_ok=True)
    settings = folder / "config.toml"
    text = settings.read_text(encoding="utf-8")
    for old, new in {"authserv_ids = []": f'authserv_ids = ["{AUTHSERV_ID}"]', **(changes or {})}.items():
        assert old in text, old
        text = text.replace(old, new)
    settings.write_text(text, encoding="utf-8")
    return load_config(settings)


def open_log(path: Path) -> Log:
    """A log in which the mailbox `desk` is enabled, for mail of any age."""
    log = Log(path)
    with log.transaction():
        enable(log, "desk", cut_off=datetime.fromtimestamp(0, UTC), who="test", now=NOW)
    return log


def mail(
    text: str,
    *,
    subject: str = "Hello",
    sender: str = "Ann Archer <ann@acme.example>",
    to: str = "desk@nordlicht.example",
    fields: str = "",
    number: int = 1,
    authenticated: bool = True,
) -> bytes:
    """A mail's octets; fields: further header lines, each with its line end. authenticated: our border says so."""
    domain = sender.rpartition("@")[2].rstrip(">")
    results = f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from={domain}\r\n" if authenticated else ""
    return (
        f"{results}From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Tue, 17 Nov 2026 08:30:00 +0100\r\n"
        f"Message-ID: <mail-{number}@acme.example>\r\n{fields}MIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    ).encode()


def raw(octets: bytes, *, key: str = "1", received: datetime = NOW) -> Raw:
    """As a mailbox gives it."""
    return Raw(Locator("desk", "inbox", key), received, octets, len(octets))


def decided(
    playbook: Playbook,
    octets: bytes,
    *,
    accounts: tuple[Account, ...] = (ACME,),
    now: datetime = NOW,
    thread: tuple[str, ...] = (),
    trend: Trend | None = None,
    listed: str = "",
    open_items: int = 0,
    call: StandingCall | None = None,
) -> tuple[Message, Decision]:
    """Parse and decide, as the worker does."""
    given = raw(octets)
    message = parse(given, border=playbook.border)
    decision = decide(
        message,
        locator=given.locator,
        playbook=playbook,
        background=background(
            playbook,
            message,
            accounts=accounts,
            thread=thread,
            trend=trend,
            listed=listed,
            open_items=open_items,
            call=call,
        ),
        now=now,
    )
    return message, decision


def background(
    playbook: Playbook,
    message: Message,
    *,
    accounts: tuple[Account, ...] = (ACME,),
    thread: tuple[str, ...] = (),
    trend: Trend | None = None,
    listed: str = "",
    open_items: int = 0,
    call: StandingCall | None = None,
) -> Background:
    """What is known of a mail where there is no log."""
    matched, account = whose(message, playbook=playbook, directory=directory(accounts), thread_accounts=thread)
    judged = judge(playbook.model, [message.judged])[0]
    return Background(matched, account, judged, trend, open_items, listed, call)


def effects_of(decision: Decision, kind: type[Effect]) -> list[tuple[Effect, str]]:
    """The effects of a kind, each with the state it starts in."""
    return [(each.effect, each.state) for each in decision.effects if isinstance(each.effect, kind)]


Decide = Callable[..., tuple[Message, Decision]]
