"""The log in, the numbers for a monitoring system out: counts, lags and ages, no address and no word of a mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from triaged.log.encode import from_ms, to_ms
from triaged.log.limits import BOUNCED, BREAKER, CUT_OFF, DOMAIN, WINDOW
from triaged.log.read import Reader

LAG_MAILS = 500
"""The lag is that of so many mails at most, the latest."""

_WITHHELD = f"""
SELECT CASE WHEN detail LIKE '{BREAKER}%' THEN 'breaker'
    WHEN detail LIKE '{WINDOW}%' THEN 'window'
    WHEN detail LIKE '{BOUNCED}%' THEN 'bounced'
    WHEN detail LIKE '{CUT_OFF}%' THEN 'cut_off'
    WHEN detail LIKE '{DOMAIN}%' THEN 'domain'
    WHEN state = 'observed' THEN 'observed'
    WHEN state = 'held' THEN 'person' ELSE 'dropped' END, count(*)
FROM effect WHERE kind = 'ack' AND state IN ('held', 'dropped', 'observed') GROUP BY 1
"""  # noqa: S608 - words of ours
"""Why acknowledgements did not leave."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts with their labels last.

    mails: by mailbox, category (the first; `other`), state. effects: by kind, state. withheld: acknowledgements
    that were not sent, by reason. acks_per_hour: that left in the last 60 minutes. newest: when the latest mail came,
    by mailbox. lags_s: seconds from the server's receipt to the log of the latest mails of the last hour, by mailbox,
    sorted. accounts: how many. runs, crashes: how often the worker was started, and ended without being told to.
    """

    mails: tuple[tuple[str, str, str, int], ...]
    effects: tuple[tuple[str, str, int], ...]
    withheld: tuple[tuple[str, int], ...]
    acks_per_hour: int
    newest: tuple[tuple[str, datetime], ...]
    lags_s: dict[str, tuple[float, ...]]
    runs: int
    crashes: int


def figures(reader: Reader, *, now: datetime) -> Figures:
    """Count; index-only where the log is large."""
    mails = reader.select(
        "SELECT mailbox, coalesce(json_extract(categories, '$[0]'), 'other'), state, sum(number) FROM "
        "(SELECT mailbox, categories, state, count(*) AS number FROM message INDEXED BY message_figures "
        "GROUP BY 1, 2, 3) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    machines = reader.select(
        "SELECT count(*) FROM message INDEXED BY message_figures WHERE automatic = 'machine' AND state = 'triaged'"
    )[0][0]
    hour = timedelta(hours=1)
    acks = reader.select(
        "SELECT count(*) FROM answered JOIN effect ON effect.id = answered.effect WHERE answered.kind = 'ack' "
        "AND effect.state = 'done' AND leaves_at BETWEEN ? AND ?",
        (to_ms(now - hour), to_ms(now)),
    )[0][0]
    started, crashed = reader.select(
        "SELECT count(*), count(*) FILTER (WHERE ended_at IS NULL AND id < (SELECT max(id) FROM run)) FROM run"
    )[0]
    newest = reader.select(
        "SELECT mailbox, max(received_at) FROM message INDEXED BY message_figures WHERE state <> 'canary' GROUP BY 1"
    )
    return Figures(
        mails=tuple((row[0], row[1], row[2], row[3]) for row in mails),
        effects=tuple(
            (row[0], row[1], row[2])
            for row in reader.select("SELECT kind, state, count(*) FROM effect GROUP BY 1, 2 ORDER BY 1, 2")
        ),
        withheld=(("machine", machines), *((row[0], row[1]) for row in reader.select(_WITHHELD))),
        acks_per_hour=acks,
        newest=tuple((row[0], from_ms(row[1])) for row in newest),
        lags_s=_lags_s(reader, now - hour),
        runs=started,
        crashes=crashed,
    )


def _lags_s(reader: Reader, since: datetime) -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {}
    rows = reader.select(
        "SELECT mailbox, logged_at, received_at FROM message ORDER BY id DESC LIMIT ?",
        (LAG_MAILS,),
    )
    for mailbox, logged_at, received_at in rows:
        if logged_at >= to_ms(since):
            found.setdefault(mailbox, []).append(max(0, logged_at - received_at) / 1000)
    return {mailbox: tuple(sorted(lags)) for mailbox, lags in found.items()}
