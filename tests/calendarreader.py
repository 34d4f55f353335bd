"""A calendar object in, when its event is out, by its own VTIMEZONE alone: a reader that shares no code with ours.

dateutil works the rules out; names of time zones mean nothing to it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from io import StringIO

from dateutil.tz import tzical

_TIME = re.compile(r"^(DTSTART|DTEND)(?:;TZID=\"?([^:\"]+)\"?)?:([0-9]{8}T[0-9]{6})(Z?)$", re.MULTILINE)
_ZONE = re.compile(r"^BEGIN:VTIMEZONE$.*?^END:VTIMEZONE$\n", re.MULTILINE | re.DOTALL)


def shown(octets: bytes) -> tuple[datetime, datetime]:
    """Start and end as they are written, each on its own clock (or in UTC)."""
    text = octets.decode().replace("\r\n ", "").replace("\r\n", "\n")
    zones = _ZONE.findall(text)
    times = {name: _moment(zones, tzid, wall, utc) for name, tzid, wall, utc in _TIME.findall(_ZONE.sub("", text))}
    return times["DTSTART"], times["DTEND"]


def read(octets: bytes) -> tuple[datetime, datetime]:
    """Start and end, in UTC."""
    start, end = shown(octets)
    return start.astimezone(UTC), end.astimezone(UTC)


def _moment(zones: list[str], tzid: str, wall: str, utc: str) -> datetime:
    assert (tzid == "") == (utc == "Z"), "either a zone or UTC"
    (zone,) = [_zone(each) for each in zones if f"TZID:{tzid}\n" in each] if tzid != "" else [UTC]
    return datetime.strptime(wall, "%Y%m%dT%H%M%S").replace(tzinfo=zone)


@lru_cache(maxsize=10_000)
def _zone(vtimezone: str) -> tzinfo:
    zone = tzical(StringIO(vtimezone)).get()
    assert zone is not None
    return zone
