"""What a mail says about when to talk: a corpus in three languages, and what must hold for any text."""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triaged.calls.lexicon import LONGEST, TABLES
from triaged.calls.times import Reading, read_times
from triaged.model import Interval

CORPUS = Path(__file__).parents[1] / "corpus" / "times.toml"
MINUTES = 30


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence of the corpus in its situation."""

    text: str
    language: str
    expected: Reading
    written: datetime
    zone: str
    offered: tuple[Interval, ...]
    standing: Interval | None
    wanted: bool = False

    def read(self) -> Reading:
        return read_times(
            self.text,
            written=self.written,
            zone=self.zone,
            minutes=MINUTES,
            offered=self.offered,
            standing=self.standing,
            wanted=self.wanted,
        )


def moment(text: str, zone: str) -> datetime:
    """ "12-01 10:00" on the wall clock of a zone, in UTC; of 2026 unless it names another year."""
    full = text if len(text.split()[0]) > 5 else f"2026-{text}"
    return datetime.fromisoformat(full).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def midnight_after(day: str, zone: str) -> datetime:
    local = moment(f"{day} 00:00", zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(days=1)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def window(text: str, zone: str) -> Interval:
    """As the head of the corpus tells."""
    days, _, clocks = text.partition(" ")
    if clocks == "":
        first, _, last = days.partition("..")
        return Interval(moment(f"{first} 00:00", zone), midnight_after(last or first, zone))
    since, _, until = clocks.partition("-")
    start = moment(f"{days} {since}", zone)
    if until == "":
        return Interval(start, start + timedelta(minutes=MINUTES))
    return Interval(start, midnight_after(days, zone) if until == "24:00" else moment(f"{days} {until}", zone))


def corpus() -> list[Case]:
    found = []
    for group in tomllib.loads(CORPUS.read_text(encoding="utf-8"))["group"]:
        zone = group["zone"]
        for text, says, *windows in group["sentences"]:
            found.append(
                Case(
                    text=text,
                    language=group["lang"],
                    expected=Reading(says, tuple(window(each, zone) for each in windows)),
                    written=moment(group["written"], zone),
                    zone=zone,
                    offered=tuple(window(each, zone) for each in group.get("offered", ())),
                    standing=window(group["standing"], zone) if "standing" in group else None,
                    wanted=group.get("wanted", False),
                )
            )
    return found


def judge(case: Case) -> str:
    """ "right"; "missed" where a person has to look or nothing was seen; "wrong" where a call would go astray."""
    got = case.read()
    if (got.says, got.windows) == (case.expected.says, case.expected.windows):
        return "right"
    return "missed" if got.says in ("unsure", "nothing") else f"wrong: {case.text!r} {got}"


def test_no_sentence_is_read_wrongly_and_nearly_all_are_read() -> None:
    judged = Counter((case.language, judge(case)) for case in corpus())
    assert [verdict for _, verdict in judged if verdict.startswith("wrong")] == []
    assert judged.total() > 650
    for language in TABLES:
        right, missed = judged[language, "right"], judged[language, "missed"]
        assert right + missed > 150
        assert right / (right + missed) >= 0.95, (language, right, missed)


def test_the_judge_sees_a_wrong_reading() -> None:
    case = next(each for each in corpus() if each.expected.says == "choice")
    other = Case(
        case.text, case.language, Reading("choice", case.offered[-1:]), case.written, case.zone, case.offered, None
    )
    assert judge(case) == "right"
    assert judge(other).startswith("wrong")


def test_words_and_reasons() -> None:
    for case in corpus():
        got = case.read()
        assert got.words in case.text
        assert (got.says == "unsure") == (got.why != "")
        assert (got.says in ("choice", "times")) == (len(got.windows) > 0)
        assert (got.says == "nothing") == (got.words == ""), case.text


# --- situations ----------------------------------------------------------------------------------------------------

WRITTEN = moment("11-25 09:12", "Europe/Berlin")
"""A Wednesday."""


def said(text: str, zone: str = "Europe/Berlin", written: datetime = WRITTEN, **slots: str) -> str:
    """What is read, with the first start on the client's wall clock; "unsure" with nothing more."""
    got = read_times(
        text,
        written=written,
        zone=zone,
        minutes=MINUTES,
        offered=tuple(window(each, zone) for each in slots.get("offered", "").split(", ") if each != ""),
        standing=window(slots["standing"], zone) if "standing" in slots else None,
    )
    return f"{got.says} {got.windows[0].start.astimezone(ZoneInfo(zone)):%d %H:%M}" if got.windows else got.says


def test_hours_without_am_or_pm() -> None:
    clocks = {"3": "15:00", "8": "08:00", "9": "09:00", "10": "10:00", "11:30": "11:30", "12": "12:00", "5": "17:00"}
    assert {clock: said(f"Can we talk tomorrow at {clock}?")[-5:] for clock in clocks} == clocks
    assert said("Can we talk tomorrow at 6?") == said("Can we talk tomorrow at 7:30?") == "unsure"
    assert said("Can we talk tomorrow at 7 am?") == said("Can we talk tomorrow at 07:00?") == "times 26 07:00"
    assert said("Can we talk tomorrow at 19:00?") == "times 26 19:00"
    assert said("Can we talk tomorrow at 03:00?") == "unsure"
    assert said("tomorrow at 7", offered="11-26 19:00") == "choice 26 19:00"
    assert said("Can we talk tomorrow between 2 and 4?") == "times 26 14:00"
    assert said("Can we talk tomorrow between 9 and 5?") == "times 26 09:00"


@pytest.mark.parametrize(
    ("day", "read"),
    [
        ("Friday", "times 27 10:00"),
        ("Wednesday", "unsure"),
        ("this Friday", "times 27 10:00"),
        ("this Tuesday", "unsure"),
        ("next Friday", "unsure"),
        ("next Tuesday", "times 01 10:00"),
        ("next Wednesday", "times 02 10:00"),
        ("Friday next week", "times 04 10:00"),
        ("nächsten Freitag", "unsure"),
        ("kommenden Freitag", "times 27 10:00"),
        ("vendredi prochain", "times 27 10:00"),
        ("last Friday", "nothing"),
        ("the 3rd", "unsure"),
        ("on the 3rd", "times 03 10:00"),
        ("on 3 June", "unsure"),
    ],
)
def test_weekdays_and_dates(day: str, read: str) -> None:
    assert said(f"Can we talk {day} at 10?") == read


def test_a_weekday_is_of_the_week_that_is_spoken_of() -> None:
    assert said("Friday at 3 pm", offered="12-08 10:00") == "unsure"
    assert said("Thursday at 3 pm", offered="12-01 10:00") == "times 03 15:00", "tomorrow would be called so"
    assert said("Thursday at 3 pm", offered="12-03 10:00, 12-10 10:00") == "unsure"
    assert said("Wednesday at 3 pm", offered="12-01 10:00") == "times 02 15:00"
    assert said("next Friday", offered="12-04 10:00") == "choice 04 10:00"


def test_day_and_month() -> None:
    assert said("Can we talk on 12/3 at 2 pm?") == "unsure"
    after = moment("12-08 09:00", "Europe/Berlin")
    assert said("Can we talk on 12/3 at 2 pm?", written=after) == "unsure", "3 December is over, but 12 March is far"
    assert said("Can we talk on 12/13 at 2 pm?") == said("Can we talk on 13/12 at 2 pm?") == "times 13 14:00"
    assert said("Can we talk on Thursday, 12/3 at 2 pm?") == "times 03 14:00"
    assert said("12/3 at 2 pm", offered="12-03 14:00") == "choice 03 14:00"
    assert said("Pouvez-vous m'appeler le 3/12 à 14h ?") == "times 03 14:00"


@pytest.mark.parametrize(
    ("zone", "read"),
    [
        ("", "30 15:00"),
        ("GMT", "30 16:00"),
        ("CET", "30 15:00"),
        ("CEST", "unsure"),
        ("EST", "30 21:00"),
        ("EDT", "unsure"),
        ("New York time", "30 21:00"),
        ("your time", "unsure"),
        ("Ruritanian time", "unsure"),
    ],
)
def test_zones(zone: str, read: str) -> None:
    assert said(f"Can we talk on Monday at 3 pm {zone}?").removeprefix("times ") == read


def test_clocks_that_are_changed() -> None:
    before = moment("10-20 09:00", "Europe/Berlin")
    assert said("Can we talk on Sunday at 2:30 am?", written=before) == "unsure"
    assert said("Can we talk on Sunday at 10?", written=before) == "times 25 10:00"
    sydney = moment("10-01 09:00", "Australia/Sydney")
    assert said("Can we talk on Sunday?", zone="Australia/Sydney", written=sydney) == "times 04 00:00"


def test_written_at_night_tomorrow_is_not_clear() -> None:
    assert said("Can we talk tomorrow at 10?", written=moment("11-25 01:30", "Europe/Berlin")) == "unsure"
    assert said("Can we talk tomorrow at 10?", written=moment("11-25 23:30", "Europe/Berlin")) == "times 26 10:00"


def test_what_is_past_is_not_taken() -> None:
    assert said("Can we talk today at 9?") == "unsure"
    assert said("Can we talk yesterday at 10?") == "nothing"
    assert said("Tuesday works", offered="11-24 10:00") == "unsure"
    assert said("option 1", offered="11-24 10:00") == "unsure"


def test_a_yes_needs_one_slot() -> None:
    assert said("Yes, that works.") == "nothing"
    assert (
        said("Yes, that works.", offered="12-01 10:00") == said("Yes, that works.", standing="12-01 10:00") == "agrees"
    )
    assert said("Yes, that works.", offered="12-01 10:00, 12-02 10:00") == "unsure"
    assert said("not before Thursday", standing="11-27 10:00") == "unsure"
    assert said("The new export format is broken. That works.", offered="12-01 10:00") == "unsure"


def test_a_word_that_is_not_known_leaves_it_to_a_person() -> None:
    assert said("Tuesday at 10 works", offered="12-01 10:00") == "choice 01 10:00"
    for word in ("badly", "nowhere", "Paul", "xyzzy"):
        assert said(f"Tuesday at 10 works {word}", offered="12-01 10:00") == "unsure"


# --- any text ------------------------------------------------------------------------------------------------------

VOCABULARY = sorted(
    {phrase.strip() for table in TABLES.values() for phrases in table.values() for phrase in phrases.split(",")}
    | {
        "Monday",
        "Dienstag",
        "mercredi",
        "3",
        "14:30",
        "3.12.",
        "12/3",
        "2026-12-03",
        "2nd",
        "31 December",
        "\n",
        ",",
        ".",
    }
    | {"xyzzy", "29 February", "25:00", "99", "2.30", "00:00", "24:00", "9999-12-31", "0001-01-01", "?", "-"}
)
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(VOCABULARY), max_size=12).map(" ".join)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo"])


@settings(max_examples=600, deadline=None)
@given(text=TEXTS, written=MOMENTS, zone=ZONES, ahead=st.lists(st.integers(-3, 40), max_size=4), stands=st.booleans())
@example(text="Tuesday at 3", written=WRITTEN, zone="Europe/Berlin", ahead=[], stands=False)
def test_whatever_is_written(text: str, written: datetime, zone: str, ahead: list[int], stands: bool) -> None:
    starts = [written.replace(minute=0, second=0, microsecond=0) + timedelta(hours=7 * each) for each in ahead]
    slots = [Interval(start, start + timedelta(minutes=MINUTES)) for start in starts]
    standing = slots.pop() if stands and slots else None
    got = read_times(text, written=written, zone=zone, minutes=MINUTES, offered=slots, standing=standing)
    for each in got.windows:
        assert each.start.tzinfo is UTC
        assert each.end.tzinfo is UTC
        assert each.start < each.end
        assert each.end > written
    assert got.words in text
    if got.says == "choice":
        assert len(got.windows) == 1
        assert got.windows[0] in slots
    if got.says in ("agrees", "declines", "cancels"):
        assert slots or standing is not None
    if got.says == "agrees":
        assert len(slots) == 1 or (not slots and standing is not None)


def test_a_long_mail_costs_no_more_than_its_beginning() -> None:
    said("warm")
    for text in ("Tuesday ", "Tuesday at 3 or ", "not Tuesday but ", "3.", "0 ", "Tuesday at 3 works. "):
        started = time.process_time()
        read_times(text * (1_000_000 // len(text)), written=WRITTEN, zone="Europe/Berlin", minutes=MINUTES)
        assert time.process_time() - started < 0.5, text  # 0.1 s here; four times that where the machine is busy
    late = "x" * LONGEST + "\nTuesday at 10 works."
    assert read_times(late, written=WRITTEN, zone="Europe/Berlin", minutes=MINUTES).says == "nothing"


def test_windows_of_the_corpus_are_read_as_written() -> None:
    berlin = "Europe/Berlin"
    assert window("12-01 10:00", berlin) == Interval(
        datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    )
    assert window("12-01..12-02", berlin).end == datetime(2026, 12, 2, 23, tzinfo=UTC)
    assert window("12-01 13:00-24:00", berlin).end == datetime(2026, 12, 1, 23, tzinfo=UTC)
