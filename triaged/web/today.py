"""The log in, the first page out: what came since the last visit, what was done about it, what waits, what is late."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from triaged.clocks.hours import Hours, instant, openings
from triaged.loading import hours_of
from triaged.log import overview, waiting
from triaged.log.read import Reader
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Viewer
from triaged.web.plot import Picture, colour, picture
from triaged.web.words import counted
from triaged.worker.service import is_running
from triaged.worker.telling import disk_of

SPANS = {"day": timedelta(days=1), "week": timedelta(days=7)}
"""What came is told since the last visit, or for one of these."""
DAYS = (14, 28)
"""Of the picture of what came."""
GRAVE_FOR, MOST_GRAVE = timedelta(days=7), 8
MOST_ACCOUNTS = 8
EDGES = {
    "<4 h": ("under 4 hours", timedelta(hours=4)),
    "<1 d": ("4 hours to 1 day", timedelta(days=1)),
    "<2 d": ("1 to 2 days", timedelta(days=2)),
    "<3 d": ("2 to 3 days", timedelta(days=3)),
    "<7 d": ("3 to 7 days", timedelta(days=7)),
    "<4 w": ("1 to 4 weeks", timedelta(days=28)),
}
"""Of the picture of ages: what stands below a bar, the same in words, and where the bar ends."""
OLDER = "older"

router = APIRouter()


@router.get("/")
def today(request: Request, visitor: Viewer, span: str = "", days: int = DAYS[0]) -> HTMLResponse:
    """The page. span: one of `SPANS`, else since the last visit; days: of the picture."""
    desk, now = desk_of(request), desk_of(request).clock()
    hours = hours_of(desk.config, desk.config.hours, where="hours")
    since = max(_since(visitor.session.user.visited, span, hours, now), now - overview.LONGEST)
    midnight, tomorrow = _days(now, hours, 0), _days(now, hours, 1)
    names = [mailbox.name for mailbox in desk.config.mailbox]
    with desk.reading() as reader:
        waits = waiting.entries(reader)
        values: dict[str, Any] = {
            "came": overview.came(reader, since=since),
            "done": overview.done(reader, since=since, until=now),
            "owed": overview.owed(reader, now=now, tomorrow=tomorrow),
            "grave": overview.grave(reader, since=now - GRAVE_FOR, limit=MOST_GRAVE),
            "calls": overview.calls_between(reader, midnight, tomorrow),
            "ages": _ages(overview.ages(reader, now=now, edges=[edge for _, edge in EDGES.values()])),
            "volume": _volume(desk, reader, now=now, hours=hours, days=days if days in DAYS else DAYS[0]),
            "pulse": _pulse(desk, reader, names),
        }
    return desk.page(
        request,
        visitor,
        "today.html",
        **values,
        now=now,
        since=since,
        span=span if span in SPANS else "",
        days=days,
        waits={kind: sum(kind in entry.kinds for entry in waits) for kind in waiting.KINDS},
        waiting=len(waits),
        people={person.id: person.name for person in desk.config.person},
        most_accounts=MOST_ACCOUNTS,
    )


def _since(visited: datetime | None, span: str, hours: Hours, now: datetime) -> datetime:
    """When the last visit ended; before the first, when the desk last closed on an earlier day."""
    if span in SPANS:
        return now - SPANS[span]
    if visited is not None:
        return visited
    midnight = _days(now, hours, 0)
    past = takewhile(lambda times: times[1] <= midnight, openings(now - overview.LONGEST, hours))
    return max((closes for _, closes in past), default=now - SPANS["day"])


def _days(now: datetime, hours: Hours, count: int) -> datetime:
    """Midnight on the desk's wall clock, so many days from today."""
    local = now.astimezone(ZoneInfo(hours.timezone)).date() + timedelta(days=count)
    return instant(local, datetime.min.time(), hours)


def _pulse(desk: Desk, reader: Reader, names: list[str]) -> overview.Pulse:
    disk = disk_of(desk.config.state_dir)
    return overview.pulse(
        reader,
        running=is_running(desk.log_path),
        disk_full=disk is not None and disk.full,
        mailboxes=names,
    )


# --- pictures ---------------------------------------------------------------------------------------------------


def _volume(desk: Desk, reader: Reader, *, now: datetime, hours: Hours, days: int) -> Picture:
    """What came, by day and category."""
    edges = [_days(now, hours, place) for place in range(1 - days, 2)]
    counts = overview.volume(reader, days=edges, mailboxes=[mailbox.name for mailbox in desk.config.mailbox])
    order = ("complaint", "request", "renewal")
    own = sorted({category for each in counts for category in each}.difference(order, ("other", "automatic")))
    series = tuple((colour(each), each) for each in (*order, *own, "other", "automatic"))
    dates = [edge.astimezone(ZoneInfo(hours.timezone)) for edge in edges[:-1]]
    pairs = zip(dates, counts, strict=True)
    rows = tuple((f"{each:%a %d %b}", tuple(number[name] for _, name in series)) for each, number in pairs)
    labels = [f"{each:%d %b}" for each in dates]
    total = sum(number.total() for number in counts)
    most = max(rows, key=lambda row: sum(row[1]))
    told = f"{counted(total, 'mail')} came in {days} days; most of them, {sum(most[1]):,}, on {most[0]}."
    return picture("volume", "Mails by day and first category", told, series, rows, labels)


def _ages(counts: list[tuple[int, int]]) -> Picture:
    """How old the mails are that an answer is owed for."""
    rows = tuple(zip((*(words for words, _ in EDGES.values()), OLDER), counts, strict=True))
    in_time, late = (sum(each) for each in zip(*counts, strict=True))
    told = f"{counted(in_time + late, 'answer is', 'answers are')} owed; {late:,} of them late."
    series = (("bar-fill", "in time"), ("late", "late"))
    return picture("ages", "Answers that are owed, by age of the mail", told, series, rows, [*EDGES, OLDER])
