"""A site after kills and restarts in, everything that is lost, doubled, torn or left open out, in sentences."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

from icalendar import Calendar

from tests.crash.sites import COPIES, DISTINCT, Site, message_id
from triaged.decision import BookCall, FileMessage, Notify, OfferCall, SendAck, SendInvitation
from triaged.loading import SECRET_BYTES
from triaged.log.encode import EFFECT


@dataclass(frozen=True, slots=True)
class Expected:
    """How a run that nobody kills ends. effects: key → state; inbox, filed: Message-IDs."""

    effects: dict[str, str]
    inbox: list[str]
    filed: list[str]


def expected_of(site: Site) -> Expected:
    """From a site whose worker ran undisturbed."""
    with closing(sqlite3.connect(site.log)) as log:
        effects = dict(log.execute("SELECT key, state FROM effect").fetchall())
    return Expected(effects, site.inbox(), site.filed())


@dataclass(frozen=True, slots=True)
class Doubts:
    """Sendings that a kill interrupted. with_persons: left with a person; of these arrived did leave.

    found: looked up and found to have left.
    """

    with_persons: int = 0
    arrived: int = 0
    found: int = 0


def doubts(site: Site) -> Doubts:
    """What became of sendings that a kill interrupted."""
    sent = {message_id(octets) for octets in site.sent()}
    with closing(sqlite3.connect(site.log)) as log:
        left = log.execute("SELECT external_id FROM effect WHERE state = 'person' AND lane = 'mail'").fetchall()
        found = log.execute(
            "SELECT count(*) FROM effect WHERE lane = 'mail' AND detail LIKE '%found again%'"
        ).fetchone()
    return Doubts(len(left), sum(name in sent for (name,) in left), found[0])


def is_idle(site: Site) -> bool:
    """Whether nothing is owed now or begun, and every copy has its row."""
    with closing(sqlite3.connect(site.log)) as log:
        if log.execute("SELECT count(*) FROM sqlite_master WHERE name = 'effect'").fetchone()[0] == 0:
            return False
        open_now = "state IN ('owed', 'doing') AND kind <> 'release'"  # offered times are kept free for days
        owed = log.execute(f"SELECT count(*) FROM effect WHERE {open_now}").fetchone()[0]
        return bool(owed == 0 and log.execute("SELECT count(*) FROM locator").fetchone()[0] >= COPIES)


def problems(site: Site, expected: Expected, *, doubtful: int) -> list[str]:
    """Everything that is wrong. doubtful: how many sendings may be left with a person (0 where all can be known)."""
    with closing(sqlite3.connect(site.log)) as log:
        return [
            *_secret(site),
            *_log(log),
            *_effects(log, expected, doubtful),
            *_outside(log, site),
            *_places(site, expected),
        ]


def _secret(site: Site) -> Iterator[str]:
    size = (site.folder / "state/secret").stat().st_size
    if size != SECRET_BYTES:
        yield f"the secret has {size} octets, so anybody can make our Message-IDs"


def _log(log: sqlite3.Connection) -> Iterator[str]:
    def one(sql: str) -> object:
        return log.execute(sql).fetchone()[0]

    if one("PRAGMA integrity_check") != "ok" or log.execute("PRAGMA foreign_key_check").fetchall() != []:
        yield "the database is damaged"
    for what, sql, number in (
        ("mails", "SELECT count(*) FROM message WHERE state = 'triaged'", DISTINCT),
        ("mails of any state", "SELECT count(*) FROM message", DISTINCT),
        ("copies", "SELECT count(*) FROM locator WHERE message IS NOT NULL", COPIES),
        ("copies, gone ones too", "SELECT count(*) FROM locator", COPIES),
        ("decisions", "SELECT count(*) FROM decision", DISTINCT),
        ("decided mails", "SELECT count(DISTINCT message) FROM decision", DISTINCT),
        ("stories that begin", "SELECT count(*) FROM event WHERE name = 'triaged'", DISTINCT),
        ("searchable mails", "SELECT count(*) FROM message_fts WHERE message_fts MATCH 'good'", DISTINCT),
    ):
        if (found := one(sql)) != number:
            yield f"{found} {what} in the log, there were {number}"


def _effects(log: sqlite3.Connection, expected: Expected, doubtful: int) -> Iterator[str]:
    found = {key: (state, lane) for key, state, lane in log.execute("SELECT key, state, lane FROM effect")}
    in_doubt = {key for key, (state, lane) in found.items() if state == "person" and lane == "mail"}
    if len(in_doubt) > doubtful:
        yield f"{len(in_doubt)} sendings are left with a person, at most {doubtful} may be"
    for key, state in expected.effects.items():
        now = found.get(key, ("missing", ""))[0]
        if now != state and key not in in_doubt:
            yield f"effect {key} is {now}, not {state}"
    yield from (f"effect {key} should not be" for key in found.keys() - expected.effects.keys())


def _outside(log: sqlite3.Connection, site: Site) -> Iterator[str]:
    """Each mail and each event against its row: done is once, in doubt is at most once, and nothing else is there."""
    sent = site.sent()
    times = Counter(message_id(octets) for octets in sent)
    calendar = Counter(_uid(octets) for octets in site.events())
    known = set[str]()
    for payload, state in log.execute("SELECT payload, state FROM effect").fetchall():
        effect = EFFECT.validate_json(payload)
        match effect:
            case SendAck() | Notify() | SendInvitation():
                made = {effect.mail.message_id: times[effect.mail.message_id]}
                if made[effect.mail.message_id] == 1 and effect.mail.octets not in sent:
                    yield f"{effect.key}: the mail that left is not the one in the log"
            case BookCall():
                made = {effect.appointment.uid: calendar[effect.appointment.uid]}
            case OfferCall():
                made = {uid: calendar[uid] for uid in effect.holds}
            case FileMessage() | _:
                continue
        known |= made.keys()
        if any(number > 1 or (state == "done" and number == 0) for number in made.values()):
            yield f"{effect.key} is {state} and happened {sorted(made.values())} times"
    yield from (f"{name} happened and nothing asked for it" for name in (*times, *calendar) if name not in known)
    times_of = sorted(_times(octets) for octets in site.events())
    if any(later[0] < sooner[1] for sooner, later in pairwise(times_of)):
        yield "two calls lie over each other"


def _places(site: Site, expected: Expected) -> Iterator[str]:
    for what, found, wanted in (("inbox", site.inbox(), expected.inbox), ("folder", site.filed(), expected.filed)):
        if found != wanted:
            yield f"in the {what} lie {found}, not {wanted}"


def _uid(octets: bytes) -> str:
    return str(Calendar.from_ical(octets).walk("VEVENT")[0]["UID"])


def _times(octets: bytes) -> tuple[float, float]:
    event = Calendar.from_ical(octets).walk("VEVENT")[0]
    return event["DTSTART"].dt.timestamp(), event["DTEND"].dt.timestamp()
