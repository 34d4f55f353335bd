"""The answer to a what-if in, one HTML page out: the consequences in sentences and as bars, then every mail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triaged.terminal import wall
from triaged.whatif.consequences import WAYS, Consequence, WhatIf, way_words
from triaged.whatif.otherwise import Change
from triaged.whatif.words import because, edited, headline, not_taken, shown, title

PAGE = Path(__file__).with_name("page.html")


def page(answer: WhatIf, *, zone: str) -> str:
    """The answer as one HTML page: no script, nothing from elsewhere."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(PAGE.read_text(encoding="utf-8"))
    most = max((each.more + each.otherwise for each in answer.consequences), default=0)
    most = max((most, *(each.fewer for each in answer.consequences)))
    return template.render(
        since=wall(answer.since, zone),
        headline=headline(answer),
        edited=edited(answer),
        not_taken=not_taken(answer),
        answer=answer,
        bars=[_bars(each, most) for each in answer.consequences],
        mails=[_mail(each, zone) for each in answer.found.changes],
    )


def _bars(each: Consequence, most: int) -> dict[str, Any]:
    """Lengths in percent of half the picture's width, by side; where nothing differs the bar is not drawn."""
    counts = {way: getattr(each, way) for way in WAYS}
    bars = [
        {"way": way, "length": round(100 * count / most, 1), "words": f"{count} {says}"}
        for (way, count), says in zip(counts.items(), way_words(each.name), strict=True)
        if count > 0
    ]
    return {
        "title": each.title,
        "left": [bar for bar in bars if bar["way"] == "fewer"],
        "right": [bar for bar in bars if bar["way"] != "fewer"],
        "words": ", ".join(bar["words"] for bar in bars),
    }


def _mail(change: Change, zone: str) -> dict[str, Any]:
    aspects = [
        {"title": title(each), "was": was, "would": would, "because": because(each)}
        for each in change.aspects
        for was, would in (shown(each, zone=zone),)
    ]
    return {
        "row": change.row,
        "subject": change.subject or "(no subject)",
        "sender": change.sender or "-",
        "received": wall(change.received, zone),
        "said": ", ".join(change.said) or "other" if change.said is not None else "",
        "words": ", ".join(change.words),
        "aspects": aspects,
    }
