"""The pictures: as high as the numbers, told in words, nothing in them that a mail could have put there."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from triaged.web.plot import BOTTOM, HEIGHT, TOP, WIDTH, Bar, Part, stacked_bars, ticks


def drawn(*bars: Bar) -> ElementTree.Element:
    return ElementTree.fromstring(stacked_bars(bars, name="volume", title="Mails", told="3 mails came."))


def bar(label: str, *numbers: int) -> Bar:
    kinds = ("complaint", "request", "renewal")
    return Bar(label, tuple(Part(kind, kind, number) for kind, number in zip(kinds, numbers, strict=False)))


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (5, (0, 1, 2, 3, 4, 5)),
        (6, (0, 2, 4, 6)),
        (23, (0, 5, 10, 15, 20, 25)),
        (60, (0, 20, 40, 60)),
        (101, (0, 50, 100, 150)),
        (1_000_001, (0, 500_000, 1_000_000, 1_500_000)),
    ],
)
def test_lines_stand_at_round_numbers(most: int, expected: tuple[int, ...]) -> None:
    assert ticks(most) == expected


def test_lines_are_few_and_reach_the_top() -> None:
    for most in range(0, 5000, 7):
        found = ticks(most)
        assert found[0] == 0
        assert found[-1] >= most
        assert 2 <= len(found) <= 6


def test_bars_are_as_high_as_their_numbers() -> None:
    picture = drawn(bar("Mon", 4, 2), bar("Tue", 1, 0))
    heights = {rect.findtext("title"): float(rect.attrib["height"]) + 0.5 for rect in picture.iter("rect")}
    unit = (HEIGHT - TOP - BOTTOM) / 6
    assert heights == pytest.approx(
        {"Mon: 4 complaint": 4 * unit, "Mon: 2 request": 2 * unit, "Tue: 1 complaint": unit}, abs=0.1
    )


def test_pieces_stand_on_one_another_within_the_picture() -> None:
    rects = [
        {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
        for rect in drawn(bar("Mon", 3, 5, 2), bar("Tue", 9, 0, 1)).iter("rect")
    ]
    assert len(rects) == 5
    for below, above in pairwise(rects[:3]):
        assert above["x"] == below["x"]
        assert above["y"] + above["height"] == pytest.approx(below["y"], abs=0.6)
    assert all(0 <= each["x"] <= WIDTH - each["width"] and TOP - 0.1 <= each["y"] <= HEIGHT - BOTTOM for each in rects)


def test_it_says_what_it_shows() -> None:
    picture = drawn(bar("Mon", 1))
    assert picture.attrib["role"] == "img"
    named = picture.attrib["aria-labelledby"].split()
    assert [each.text for name in named for each in picture.iter() if each.attrib.get("id") == name] == [
        "Mails",
        "3 mails came.",
    ]


def test_words_are_words() -> None:
    text = stacked_bars(
        [Bar("<b>", (Part("own", '"><script>', 1),))], name="volume", title="<i>", told="<script>alert(1)</script>"
    )
    assert "<script" not in text
    assert "style=" not in text
    assert ElementTree.fromstring(text).findtext("title") == "<i>"


def test_labels_are_few_enough_to_be_read_and_the_last_has_one() -> None:
    labels = [each.text for each in drawn(*(bar(f"{day:02}", day) for day in range(1, 29))).iter("text")]
    days = [each for each in labels if each is not None and len(each) == 2 and each.startswith(("0", "1", "2"))]
    assert "28" in days
    assert len([each for each in days if each not in ("10", "20")]) <= 8


def test_nothing_at_all_is_a_picture_too() -> None:
    assert list(drawn().iter("rect")) == []
    assert list(drawn(bar("Mon", 0, 0)).iter("rect")) == []
