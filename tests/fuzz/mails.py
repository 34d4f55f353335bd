"""Mails changed at random go through `parse`; what raises, takes over 250 ms or swells the memory is printed and kept.

    python -m tests.fuzz.mails --count 1000000 --seed 1 --jobs 2

The mutant with the number n of a seed is always the same, however many jobs there are. Exit code 1 if any failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.seeds import SEEDS, TOKENS
from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Locator, Message, Raw

CORPUS = Path(__file__).parents[2] / "../shared/mail"
MAX_CPU_MS = 250
"""F13: a mail may take as much."""
_MAX_SEED_BYTES = 6_000
"""Mails of the corpora up to this size are changed: small ones have the structure, and go fast."""
_MAX_MUTANT_BYTES = 60_000
_NOT_MAIL = (".json", ".xml", ".png", ".gif", ".jpg", ".bmp", ".tiff", ".wav", ".au", ".aiff", ".ics", ".tsv")

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example", ("mx.firm.example",))
WHEN = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Found:
    """What a run met. failures: (number of the mutant, what was wrong, octets); slowest: (CPU ms, number)."""

    count: int = 0
    failures: list[tuple[int, str, bytes]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    peak_mb: int = 0

    def add(self, other: Found) -> None:
        self.count += other.count
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.peak_mb = max(self.peak_mb, other.peak_mb)


def seeds() -> list[bytes]:
    """The mails to start from: our own, and those of the corpora where they are."""
    files = sorted(each for each in CORPUS.rglob("*") if each.is_file() and each.suffix not in _NOT_MAIL)
    return [*SEEDS, *(each.read_bytes() for each in files if each.stat().st_size <= _MAX_SEED_BYTES)]


def mutant(mails: Sequence[bytes], seed: int, number: int) -> bytes:
    """The mutant with this number; the same for the same mails and seed."""
    chance = random.Random(seed * 1_000_003 + number)
    octets = bytearray(chance.choice(mails if number % 4 else SEEDS))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8, 13))):
        _change(octets, chance, mails)
    return bytes(octets[:_MAX_MUTANT_BYTES])


def _change(octets: bytearray, chance: random.Random, mails: Sequence[bytes]) -> None:
    at = chance.randrange(len(octets) + 1)
    end = min(len(octets), at + int(chance.paretovariate(0.7)))
    match chance.randrange(11):
        case 0:
            octets[at:end] = b""
        case 1:
            octets[at:at] = chance.choice(TOKENS)
        case 2:
            octets[at:end] = chance.choice(TOKENS)
        case 3:
            octets[at : at + 1] = bytes((chance.randrange(256),))
        case 4:
            octets[at:at] = octets[at:end] * chance.choice((1, 2, 3, 10, 100))
        case 5:
            octets[at:at] = chance.choice(TOKENS) * chance.choice((2, 5, 50, 500))
        case 6:
            del octets[at:]
        case 7:
            other = chance.choice(mails)
            start = chance.randrange(len(other) + 1)
            octets[at:end] = other[start : start + chance.randrange(1, 2_000)]
        case 8:
            octets[:] = octets.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"")))
        case 9:
            lines = octets.split(b"\n")
            one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[one], lines[two] = lines[two], lines[one]
            octets[:] = b"\n".join(lines)
        case 10:
            one_token, another = chance.choice(TOKENS), chance.choice(TOKENS)
            octets[:] = octets.replace(one_token, another)[: 2 * _MAX_MUTANT_BYTES]
    del octets[2 * _MAX_MUTANT_BYTES :]


def wrong(message: Message) -> str:
    """What is wrong with a parsed mail, "" for nothing: what the rest of triaged relies on."""
    if any(each.startswith("could not be read") for each in message.defects):
        return message.defects[0]
    if "\n" in message.subject or len(message.key) != 32:
        return "the subject has lines, or the key is none"
    if (message.new_text.strip() == "") != (message.text.strip() == ""):
        return "the new text is empty, or is not"
    if message.sender is None and message.identity.trust != "none":
        return "nobody is believed"
    if any("/" in each.filename or "\n" in each.filename for each in message.attachments):
        return "a file name is a path"
    try:
        f"{message.subject}{message.text}{message.quoted}{message.sender}{message.to}{message.attachments}".encode()
    except UnicodeEncodeError:
        return "a surrogate in the text"
    return ""


def run(mails: Sequence[bytes], numbers: range, *, seed: int, max_cpu_ms: float = MAX_CPU_MS) -> Found:
    """Parse the mutants with these numbers."""
    found = Found()
    for number in numbers:
        octets = mutant(mails, seed, number)
        started = time.process_time()
        message = parse(Raw(Locator("desk", "INBOX", "1"), WHEN, octets, len(octets)), border=BORDER)
        cpu_ms = (time.process_time() - started) * 1_000
        why = wrong(message) or (f"took {cpu_ms:.0f} ms" if cpu_ms > max_cpu_ms else "")
        if why:
            found.failures.append((number, why, octets))
        found.slowest = max(found.slowest, (cpu_ms, number))
        found.count += 1
    found.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def _batches(count: int, first: int) -> Iterator[range]:
    for start in range(first, first + count, 2_000):
        yield range(start, min(first + count, start + 2_000))


_mails: list[bytes] = []


def _begin() -> None:
    _mails[:] = seeds()


def _batch(task: tuple[range, int]) -> Found:
    return run(_mails, task[0], seed=task[1])


def main(arguments: Sequence[str]) -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.fuzz.mails", description=__doc__.splitlines()[0])
    reader.add_argument("--count", type=int, default=100_000, help="mutants")
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--first", type=int, default=0, help="the number of the first mutant")
    reader.add_argument("--jobs", type=int, default=1, help="processes")
    reader.add_argument("--out", type=Path, default=Path("fuzz-found"), help="where failing mutants are put")
    chosen = reader.parse_args(arguments)
    started, total = time.monotonic(), Found()
    tasks = ((numbers, chosen.seed) for numbers in _batches(chosen.count, chosen.first))
    with multiprocessing.get_context("fork").Pool(chosen.jobs, initializer=_begin) as pool:
        for found in pool.imap_unordered(_batch, tasks):
            total.add(found)
    seconds = time.monotonic() - started
    for number, why, octets in total.failures[:50]:
        chosen.out.mkdir(parents=True, exist_ok=True)
        path = chosen.out / f"{chosen.seed}-{number}.eml"
        path.write_bytes(octets)
        print(f"FAILED {path}: {why}")  # noqa: T201
    late = sum(why.startswith("took") for _, why, _ in total.failures)
    print(f"{total.count} mutants in {seconds:.0f} s: {total.count / seconds:.0f}/s with {chosen.jobs} jobs")  # noqa: T201
    print(f"{len(total.failures) - late} raised or came out wrong, {late} over {MAX_CPU_MS} ms of CPU")  # noqa: T201
    print(f"slowest {total.slowest[0]:.0f} ms of CPU (mutant {total.slowest[1]}), peak {total.peak_mb} MB")  # noqa: T201
    return 1 if total.failures or total.count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
