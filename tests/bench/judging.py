"""Mails and a site in, seconds of the pure triage function in one process out; also which mails will be answered."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.mails import make_mails
from triaged.accounts.match import directory
from triaged.accounts.read_csv import read_accounts
from triaged.config import load_config
from triaged.decision import SendAck
from triaged.errors import ConfigError
from triaged.loading import build_playbook
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Locator, Raw
from triaged.worker.triage import Desk, Triaged, triage

BATCH = 16
RULES_A_FILE = 1_000
"""A rule file may have 256 KB."""


@dataclass(frozen=True, slots=True)
class Judging:
    """phrases: in the rule set. load_s: rules, templates and model. mails_per_s: by CPU time.

    answered: which mails will be, by place. answer: octets of the largest acknowledgement.
    """

    phrases: int
    load_s: float
    mails_per_s: float
    answered: tuple[int, ...]
    answer: bytes


def judging(settings: Path, accounts: Path, mails: Sequence[bytes]) -> Judging:
    """Judge all mails once, in batches as the worker does. Raises: RuntimeError (rules, templates)."""
    began = time.monotonic()
    try:
        playbook = build_playbook(load_config(settings), dry=True)
    except ConfigError as error:  # its problems do not travel between processes
        raise RuntimeError(str(error)) from None
    loaded = time.monotonic()
    known, now = directory(read_accounts(accounts, people=frozenset())), datetime.now(UTC)
    raws = [Raw(Locator("desk", "INBOX", f"1/{n}"), now, mail, len(mail)) for n, mail in enumerate(mails, start=1)]
    desk = Desk(playbook, known, None, DoNotAnswer())
    triage(raws[:BATCH], desk=desk, now=now)
    judged, answers = time.process_time(), dict[int, bytes]()
    for start in range(0, len(raws), BATCH):
        batch = raws[start : start + BATCH]
        for place, result in enumerate(triage(batch, desk=desk, now=now), start):
            assert isinstance(result, Triaged), result
            for planned in result.decision.effects:
                if isinstance(planned.effect, SendAck) and planned.state == "owed":
                    answers[place] = planned.effect.mail.octets
    took_s = time.process_time() - judged
    phrases = len(playbook.rules.phrases)
    return Judging(phrases, loaded - began, len(mails) / took_s, tuple(answers), max(answers.values(), key=len))


def write_many_rules(folder: Path, count: int, *, seed: int) -> None:
    """`count` rules of one phrase each: three words that follow each other somewhere in the mails, so that some hit."""
    chance = random.Random(seed)
    words = [
        word.strip(".,;:!?()\"'")
        for mail in make_mails(300, seed=seed + 1)
        for word in mail.decode("utf-8", "replace").split("\r\n\r\n", 1)[1].split()
        if word.isalpha()
    ]
    phrases: dict[str, None] = {}
    while len(phrases) < count:
        at = chance.randrange(len(words) - 3)
        phrases[" ".join(words[at : at + 3])] = None
    rules = [
        f'[[rule]]\nname = "Bench {n}"\nbecause = "Many rules must cost no more than few"\n'
        f'when.says = "{phrase}"\nthen.tag = "bench"\n'
        for n, phrase in enumerate(phrases)
    ]
    for start in range(0, count, RULES_A_FILE):
        (folder / f"bench-{start:05d}.toml").write_text("\n".join(rules[start : start + RULES_A_FILE]), "utf-8")
