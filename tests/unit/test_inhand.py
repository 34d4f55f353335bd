"""The note of mails in hand: what the service died with is known at the next start, what it read is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import raw
from triaged.worker.inhand import InHand

ONE, TWO = raw(b"one", key="1"), raw(b"two", key="2")


def deaths(path: Path) -> tuple[int, int]:
    """As the next start of the service sees them."""
    found = InHand(path)
    return found.deaths(ONE.locator), found.deaths(TWO.locator)


def test_only_what_was_in_hand_is_counted(tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert deaths(note) == (0, 0)
    for _ in range(2):
        InHand(note).take([ONE])  # and dies
    assert deaths(note) == (2, 0)
    again = InHand(note)
    again.take([ONE])
    again.put_down([ONE])
    again.take([TWO])
    assert deaths(note) == (0, 1)


def test_a_mail_under_suspicion_stays_so_while_others_are_read(tmp_path: Path) -> None:
    note = tmp_path / "note"
    InHand(note).take([ONE])
    InHand(note).take([TWO])
    assert deaths(note) == (1, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "b"}', "\0"])
def test_a_note_that_was_cut_off_accuses_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "note").write_text(text)
    assert deaths(tmp_path / "note") == (0, 0)
