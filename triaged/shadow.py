"""Observed mails and a survey of their folders in, the shadow report out: what triaged would do, what people did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Literal
from zoneinfo import ZoneInfo

from triaged.accounts.replies import Ours, reaches, replies
from triaged.log.mailboxes import ObservedMail, Wish
from triaged.model import Surveyed

PAGE = Path(__file__).with_name("shadow.html")

Meeting = Literal["both", "neither", "only people", "only triaged"]
"""Who answered, or would have."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """One mail: what triaged would have done beside what people did.

    meeting: who answers it. answered: when a person did, None if nobody has. folder: where it lies now; `""` when it
    is in none any more, None when it cannot be told (a mail without a Message-ID).
    """

    mail: ObservedMail
    meeting: Meeting
    answered: datetime | None
    folder: str | None

    @property
    def took(self) -> timedelta | None:
        """How long a person took to answer."""
        return max(self.answered - self.mail.received, timedelta(0)) if self.answered is not None else None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole comparison; mails oldest first."""

    mailbox: str
    since: datetime
    until: datetime
    mails: tuple[Shadow, ...]

    def of(self, *meetings: Meeting) -> list[Shadow]:
        """The mails of these meetings."""
        return [each for each in self.mails if each.meeting in meetings]

    @property
    def median_took(self) -> timedelta | None:
        """How long people took in the middle; None when nobody answered."""
        taken_s = [each.took.total_seconds() for each in self.mails if each.took is not None]
        return timedelta(seconds=median(taken_s)) if len(taken_s) > 0 else None

    @property
    def folders(self) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
        """For each category (`other` too) the folders its mails lie in now, most first."""
        found: dict[str, Counter[str]] = {}
        for each in self.mails:
            if each.folder is not None:
                for category in each.mail.categories or ("other",):
                    found.setdefault(category, Counter())[each.folder or "(no longer there)"] += 1
        return [(category, tuple(folders.most_common())) for category, folders in sorted(found.items())]


def answers(mails: Iterable[ObservedMail], surveyed: Iterable[Surveyed], ours: Ours) -> dict[int, datetime]:
    """A mail's number → when a person of ours first answered its client; without those that nobody answered."""
    named: dict[str, list[Surveyed]] = {}
    for each in replies(surveyed, ours):
        for name in {*each.in_reply_to, *each.references}:
            named.setdefault(name, []).append(each)
    dates = {
        mail.id: [each.date for each in named.get(mail.message_id, ()) if reaches(each, [mail.sender], ours)]
        for mail in mails
    }
    return {number: min(found) for number, found in dates.items() if len(found) > 0}


def compare(
    mails: Sequence[ObservedMail],
    surveyed: Sequence[Surveyed],
    *,
    mailbox: str,
    watched: str,
    ours: Ours,
    since: datetime,
    until: datetime,
) -> Report:
    """watched: the folder that is watched; a mail that lies in another one too counts as filed there."""
    answered, lies_in = answers(mails, surveyed, ours), folders_of(surveyed, watched)
    shadows = []
    for mail in mails:
        when = answered.get(mail.id)
        would = mail.wish("ack") is not None
        meeting: Meeting = ("both" if would else "only people") if when else ("only triaged" if would else "neither")
        folder = lies_in.get(mail.message_id, "") if mail.message_id != "" else None
        shadows.append(Shadow(mail, meeting, when, folder))
    return Report(mailbox, since, until, tuple(shadows))


def folders_of(surveyed: Iterable[Surveyed], watched: str) -> dict[str, str]:
    """Message-ID → the folder it lies in, another than the watched one if it lies in both; sent mail left out."""
    found: dict[str, str] = {}
    for each in surveyed:
        if each.message_id != "" and not each.is_sent_folder and found.get(each.message_id, watched) == watched:
            found[each.message_id] = each.folder
    return found


# --- in words -------------------------------------------------------------------------------------------------


def sentences(report: Report, *, zone: str) -> list[str]:
    """What a coordinator should know, in plain sentences."""
    total = len(report.mails)
    since = report.since.astimezone(ZoneInfo(zone))
    said = [f"{_mails(total)} to {report.mailbox} since {since:%d %b %Y %H:%M}: only observed, nothing was sent."]
    if total == 0:
        return said
    both, neither = report.of("both"), report.of("neither")
    agreed = len(both) + len(neither)
    said.append(
        f"People and triaged agree on {agreed} of {total} ({agreed / total:.0%}): "
        f"{len(both)} would be acknowledged and were answered, {len(neither)} neither."
    )
    if alone := report.of("only people"):
        reasons = Counter(each.mail.reason for each in alone).most_common()
        why = "; ".join(f"{count}: {reason}" for reason, count in reasons)
        said.append(f"People answered {_mails(len(alone))} that triaged would not acknowledge. {why}.")
    if alone := report.of("only triaged"):
        said.append(f"Nobody has answered {_mails(len(alone))} yet that triaged would have acknowledged.")
    if (held := sum(_is_held(each.mail.wish("ack")) for each in report.mails)) > 0:
        said.append(f"{_mails(held)} would have waited for a person's approval first.")
    if report.median_took is not None:
        count = sum(each.answered is not None for each in report.mails)
        said.append(f"People took {span_words(report.median_took)} to answer (the middle one of {count}).")
    for category, folders in report.folders:
        lie = ", ".join(f"{count} in {folder}" for folder, count in folders)
        said.append(f"{category}: {lie}.")
    return said


def _mails(count: int) -> str:
    return f"{count} mail{'s' if count != 1 else ''}"


def _is_held(wish: Wish | None) -> bool:
    return wish is not None and wish.intended == "held"


def span_words(span: timedelta) -> str:
    """`2 d 4 h`, `3 h 12 min`, `8 min`."""
    minutes = round(span.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days > 0:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours > 0 else f"{minutes} min"


def wish_words(wish: Wish) -> str:
    """What would have been done, short: `acknowledgement "complaint"`."""
    payload = wish.payload
    what = {
        "ack": lambda: f'acknowledgement "{payload["template"]}"',
        "call": lambda: f"call of {_call_words(payload)}",
        "offer": lambda: f"times for a call of {_call_words(payload)}",
        "notify": lambda: f"note to {payload['person']}",
        "file": lambda: f"move to {payload['folder']}",
        "ask": lambda: f"question to a person: {payload['question']}",
    }
    told = what[wish.kind]() if wish.kind in what else wish.kind
    return f"{told}, after a person's approval" if wish.intended == "held" else told


def _call_words(payload: Mapping[str, Any]) -> str:
    return f"{payload['appointment']['minutes']} minutes with {payload['appointment']['person']}"


def would_words(mail: ObservedMail) -> str:
    """All that would have been done for a mail, or why nothing."""
    told = [wish_words(wish) for wish in mail.wishes]
    return "; ".join(told) if mail.wish("ack") is not None else "; ".join([*told, f"no answer: {mail.reason}"])


def did_words(shadow: Shadow) -> str:
    """What people did with a mail."""
    answered = f"answered after {span_words(shadow.took)}" if shadow.took is not None else "not answered"
    if shadow.folder is None:
        return answered
    return f"{answered}; {'in ' + shadow.folder if shadow.folder != '' else 'no longer there'}"


def view(report: Report) -> dict[str, Any]:
    """What `triaged mailbox report --json` prints; the names are a promise."""
    took = report.median_took
    return {
        "mailbox": report.mailbox,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "observed": len(report.mails),
        "meetings": {
            meeting.replace(" ", "_"): len(report.of(meeting))
            for meeting in ("both", "neither", "only people", "only triaged")
        },
        "median_answer_s": round(took.total_seconds()) if took is not None else None,
        "folders": {category: dict(folders) for category, folders in report.folders},
        "mails": [
            {
                "id": each.mail.id,
                "reference": each.mail.reference,
                "received": each.mail.received.isoformat(),
                "sender": each.mail.sender,
                "subject": each.mail.subject,
                "categories": list(each.mail.categories),
                "meeting": each.meeting.replace(" ", "_"),
                "would": [wish_words(wish) for wish in each.mail.wishes],
                "reason": each.mail.reason,
                "answered": each.answered.isoformat() if each.answered is not None else None,
                "folder": each.folder,
            }
            for each in report.mails
        ],
    }


def page(report: Report, *, zone: str) -> str:
    """The report as one HTML page: no script, nothing from elsewhere."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE.read_text(encoding="utf-8"))
    rows = [
        {
            "received": each.mail.received.astimezone(ZoneInfo(zone)).strftime("%d %b %H:%M"),
            "sender": each.mail.sender or "-",
            "subject": each.mail.subject or "(no subject)",
            "reference": each.mail.reference,
            "categories": each.mail.categories or ("other",),
            "would": would_words(each.mail),
            "did": did_words(each),
            "meeting": each.meeting,
        }
        for each in report.mails
    ]
    counts = {meeting: len(report.of(meeting)) for meeting in ("both", "neither", "only people", "only triaged")}
    return template.render(mailbox=report.mailbox, said=sentences(report, zone=zone), rows=rows, counts=counts)
