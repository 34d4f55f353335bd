"""A number of rules in, what they add to judging a mail out: ten thousand beside the starter rules, in the same run.

Kinds of rules are measured apart, for they cost differently: phrases, senders, patterns, tokens. The mails are the
written ones of the corpus. `make bench-rules`; about two minutes.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.worker import write_config
from triaged import shipped
from triaged.accounts.match import Directory, directory
from triaged.classify.language import language
from triaged.classify.model import judge
from triaged.classify.tokens import TokenIndex, token_problem
from triaged.config import load_config
from triaged.decide import decide, hits
from triaged.examples import EPOCH, bare_message
from triaged.loading import build_playbook
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Account, Locator, Message
from triaged.playbook import Playbook
from triaged.rules.grammar import CONDITIONS
from triaged.rules.patterns import PatternIndex, problem
from triaged.worker.triage import Desk, background_of

WRITTEN = Path(__file__).parents[1] / "corpus" / "written"
MAILS = 1_320
"""Written mails there are."""
MANY_RULES = 10_000
MANY_PATTERNS = 1_000
RATIO_AIM = 1.5
PATTERNS_AIM_MS = 0.5
RULES_A_FILE = 1_000
"""A rule file may have 256 KB."""
CLIENT = "someone@client.invalid"

Words = Sequence[str]
Make = Callable[[random.Random, Words], str]
"""Of the words of the mails, in their order: a condition as a rule file holds it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a mail by CPU time, medians of the rounds. phrases: of all, to find them."""

    rules: int
    load_s: float
    judge: float
    phrases: float
    decide: float

    @property
    def total(self) -> float:
        return self.judge + self.decide


def bench(
    mails: Annotated[int, typer.Option(help="Written mails, at most 1,320.")] = 150,
    rounds: Annotated[int, typer.Option(help="Times that each rule set judges all of them, in turn.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what many rules cost."""
    chance = random.Random(7)
    messages = written(mails, chance)
    everything = written(MAILS, chance)  # few mails have too few words for so many rules
    words = [word for message in everything for word in message.judged.split() if word.isalpha()]
    with tempfile.TemporaryDirectory(prefix="triaged-bench-") as name:
        site = Path(name)
        shutil.copytree(shipped.shipped("templates"), site / "templates")
        kinds = {kind: make for kind, make in KINDS.items() if kind in CONDITIONS}
        playbooks = {"starter rules": _loaded(site, "starter rules", 0, ())}
        for kind, make in kinds.items():
            made = (make(chance, words) for _ in count())
            playbooks[f"{MANY_RULES:,} {kind}"] = _loaded(site, kind, MANY_RULES, made)
    costs = _costs(playbooks, messages, rounds)
    few = costs["starter rules"]
    told: dict[str, Any] = {
        title: {"ratio": cost.total / few.total, **{each: getattr(cost, each) for each in Cost.__slots__}}
        for title, cost in costs.items()
    }
    told |= {"indexes, ms/mail": _indexes(_longer(messages, chance), words, chance, rounds)}
    if as_json:
        print(json.dumps(told, indent=1))  # noqa: T201
    else:
        _show(told)


def written(number: int, chance: random.Random) -> list[Message]:
    """Written mails of all languages, the same for the same seed."""
    rows = [json.loads(line) for file in sorted(WRITTEN.glob("*.jsonl")) for line in file.open(encoding="utf-8")]
    return [bare_message(row["subject"], row["body"]) for row in chance.sample(rows, number)]


# --- rules -----------------------------------------------------------------------------------------------------


def says(chance: random.Random, words: Words) -> str:
    """Three words that follow each other in some mail."""
    at = chance.randrange(len(words) - 3)
    return json.dumps(" ".join(words[at : at + 3]), ensure_ascii=False)


def sender(chance: random.Random, _words: Words) -> str:
    """A domain that writes none of the mails."""
    return json.dumps(f"*@client-{chance.randrange(10**9)}.example")


def pattern(chance: random.Random, words: Words) -> str:
    """Of the kinds that people write, with words of the mails that say something (five letters and more)."""
    one, other = (chance.choice(words) for _ in range(2))
    while min(len(one), len(other)) < 5:
        one, other = (chance.choice(words) for _ in range(2))
    made = chance.choice(
        (
            rf"{one}\s+{other}",
            rf"(?:{one}|{other})\s+\w+\s+{chance.choice(words)}",
            rf"{one[:5]}\w*\s+(?:of|der|de)\s+{other}",
            rf"{one[:3].upper()}-\d{{4,6}}",
            rf"{one}.{{0,30}}{other}",
            rf"^{one}\s+{other}",
            rf"(?:EUR|€|\$)\s*\d+(?:[.,]\d+)*\s*{one}",
        )
    )
    return json.dumps(made, ensure_ascii=False) if problem(made) is None else pattern(chance, words)


def tokens(chance: random.Random, words: Words) -> str:
    """Two words with up to two others between them."""
    one, other = (chance.choice(words).lower() for _ in range(2))
    made = [{"LOWER": one}, {"OP": "{0,2}"}, {"LOWER": {"IN": [other, f"{other}s"]}}]
    if token_problem(made) is not None:
        return tokens(chance, words)
    quoted = json.dumps([other, f"{other}s"], ensure_ascii=False)
    return f'[{{LOWER = "{one}"}}, {{OP = "{{0,2}}"}}, {{LOWER = {{IN = {quoted}}}}}]'


KINDS: Mapping[str, Make] = {"says": says, "from": sender, "pattern": pattern, "tokens": tokens}
"""By condition; those that the rule language does not know are left out."""


def _loaded(site: Path, kind: str, number: int, conditions: Any) -> tuple[Playbook, float]:
    """The starter rules and so many of one kind, and the seconds it took to load them."""
    folder = site / f"rules-{kind.replace(' ', '-')}"
    shutil.copytree(shipped.STARTER_RULES, folder)
    wanted = [condition for condition, _ in zip(_once(conditions), range(number), strict=False)]
    rules = [
        f'[[rule]]\nname = "Bench {n}"\nbecause = "Many cost no more than few"\n'
        f'when.{kind} = {condition}\nthen.tag = "bench"\n'
        for n, condition in enumerate(wanted)
    ]
    for start in range(0, number, RULES_A_FILE):
        (folder / f"z-{start:05d}.toml").write_text("\n".join(rules[start : start + RULES_A_FILE]), "utf-8")
    settings = write_config(
        site / f"{folder.name}.toml", imap_port=1, smtp_port=1, user="desk", keep_sent=False, rules=folder.name
    )
    began = time.monotonic()
    playbook = build_playbook(load_config(settings), dry=True)
    return playbook, time.monotonic() - began


def _once(conditions: Any) -> Any:
    seen: set[str] = set()
    for condition in conditions:
        if condition not in seen:
            seen.add(condition)
            yield condition


# --- what they cost --------------------------------------------------------------------------------------------


def _costs(
    playbooks: Mapping[str, tuple[Playbook, float]], messages: Sequence[Message], rounds: int
) -> dict[str, Cost]:
    """Each rule set in turn, so that what else this machine does falls on all of them."""
    accounts = directory([Account("client", "Client", addresses=(CLIENT,))])
    taken: dict[str, list[tuple[float, float, float]]] = {title: [] for title in playbooks}
    for number in range(rounds + 1):
        for title, (playbook, _) in playbooks.items():
            cost = _round(playbook, messages, accounts)
            if number > 0:  # the first round fills what RE2 and spaCy remember
                taken[title].append(cost)
    return {
        title: Cost(len(playbooks[title][0].rules.rules), playbooks[title][1], *map(median, zip(*each, strict=True)))
        for title, each in taken.items()
    }


def _round(playbook: Playbook, messages: Sequence[Message], accounts: Directory) -> tuple[float, float, float]:
    """Milliseconds a mail: the model, the phrases alone, the whole of `decide` (with the phrases)."""
    began = time.process_time()
    opinions = judge(playbook.model, [message.judged for message in messages])
    judged = time.process_time()
    for message in messages:
        hits(playbook.sought, message.judged, language(message.new_text))
    found = time.process_time()
    desk = Desk(playbook, accounts, None, DoNotAnswer())
    for message, opinion in zip(messages, opinions, strict=True):
        background = background_of(message, desk, opinion)
        decide(message, locator=Locator("desk", "INBOX", "1/1"), playbook=playbook, background=background, now=EPOCH)
    decided = time.process_time()
    each = 1000 / len(messages)
    return (judged - began) * each, (found - judged) * each, (decided - found) * each


def _longer(messages: Sequence[Message], chance: random.Random) -> list[str]:
    """As many texts of 1 to 3 KB, of several mails each."""
    text = "\n".join(message.judged for message in messages)
    starts = [chance.randrange(len(text) - 3_000) for _ in messages]
    return [text[start : start + chance.randrange(1_000, 3_000)] for start in starts]


def _indexes(texts: Sequence[str], words: Words, chance: random.Random, rounds: int) -> dict[str, float]:
    """The engines alone."""
    conditions = _once(pattern(chance, words) for _ in count())
    patterns = PatternIndex(json.loads(next(conditions)) for _ in range(MANY_PATTERNS))
    made = [[{"LOWER": one.lower()}, {"OP": "{0,2}"}, {"LOWER": two.lower()}] for one, two in _pairs(chance, words)]
    index = TokenIndex(json.dumps(each) for each in made)
    return {
        f"{MANY_PATTERNS:,} patterns": _ms(patterns.find, texts, rounds),
        f"{MANY_PATTERNS:,} patterns of tokens": _ms(index.find, texts, rounds),
    }


def _pairs(chance: random.Random, words: Words) -> list[tuple[str, str]]:
    pairs = ((chance.choice(words), chance.choice(words)) for _ in count())
    usable = (pair for pair in pairs if all(token_problem([{"LOWER": word}]) is None for word in pair))
    return [pair for pair, _ in zip(usable, range(MANY_PATTERNS), strict=False)]


def _ms(find: Callable[[str], Any], texts: Sequence[str], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        began = time.process_time()
        for text in texts:
            find(text)
        taken.append((time.process_time() - began) * 1000 / len(texts))
    return median(taken[1:])


def _show(told: Mapping[str, Any]) -> None:
    table = Table(title="ms a mail, by CPU time", caption=f"aim: ratio ≤ {RATIO_AIM}, patterns ≤ {PATTERNS_AIM_MS} ms")
    for column in ("rules", "load, s", "model", "phrases alone", "decide with phrases", "in all", "ratio to starter"):
        table.add_column(column, justify="left" if column == "rules" else "right")
    for title, cost in told.items():
        if "ratio" in cost:
            figures = (cost["judge"], cost["phrases"], cost["decide"], cost["judge"] + cost["decide"], cost["ratio"])
            table.add_row(f"{title} ({cost['rules']})", f"{cost['load_s']:.1f}", *(f"{each:.2f}" for each in figures))
    console = Console()
    console.print(table)
    for title, ms in told["indexes, ms/mail"].items():
        console.print(f"{title}: {ms:.2f} ms a mail")


if __name__ == "__main__":
    typer.run(bench)
