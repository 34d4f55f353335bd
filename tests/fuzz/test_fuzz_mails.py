"""Two thousand mutated mails go through `parse`: none raises, and the checks that say so fail where they should."""

from dataclasses import replace

import pytest

from tests.fuzz import mails
from tests.fuzz.seeds import SEEDS
from triaged.mail.parse import parse
from triaged.model import Attachment, Identity, Locator, Message, Raw

NO_LIMIT_MS = float("inf")


def _read(octets: bytes) -> Message:
    return parse(Raw(Locator("desk", "INBOX", "1"), mails.WHEN, octets, len(octets)), border=mails.BORDER)


def test_two_thousand_mutants_are_read() -> None:
    found = mails.run(mails.seeds(), range(2_000), seed=20261122, max_cpu_ms=NO_LIMIT_MS)
    assert found.count == 2_000
    assert [(number, why) for number, why, _ in found.failures] == []


def test_a_mutant_is_the_same_each_time_and_unlike_the_others() -> None:
    made = [mails.mutant(SEEDS, 1, number) for number in range(300)]
    assert made == [mails.mutant(SEEDS, 1, number) for number in range(300)]
    assert len(set(made)) > 250


def test_every_seed_is_read_as_what_it_is() -> None:
    read = [_read(seed) for seed in SEEDS]
    assert len(read) >= 14
    assert all(mails.wrong(message) == "" and message.sender is not None for message in read)
    assert sum(message.new_text != "" for message in read) >= 13
    assert {message.automatic.by for message in read} >= {"person", "machine"}


GOOD = _read(SEEDS[0])


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, defects=("could not be read: KeyError",)),
        replace(GOOD, subject="a\nb"),
        replace(GOOD, new_text=""),
        replace(GOOD, sender=None, identity=Identity("unauthenticated", "x")),
        replace(GOOD, attachments=(Attachment("../x", "text/plain", 1),)),
        replace(GOOD, text="\udc80"),
    ],
)
def test_what_is_wrong_is_seen(bad: Message) -> None:
    assert mails.wrong(GOOD) == ""
    assert mails.wrong(bad) != ""


def test_a_mail_over_the_time_limit_is_a_failure() -> None:
    found = mails.run(SEEDS, range(5), seed=1, max_cpu_ms=0.0)
    assert len(found.failures) == 5
    assert all(why.startswith("took") for _, why, _ in found.failures)
