"""Raw mails in, decisions or the cause why not out: the pure part, in a process that may be killed.

A mail that hangs its process, kills it or exhausts its memory is named, and the others of its batch go on.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

from triaged.accounts.match import Directory, directory
from triaged.calls.itip import read_itip
from triaged.classify.model import Judged, judge
from triaged.classify.verdict import Calibration
from triaged.decide import decide, whose
from triaged.decision import Decision, StandingCall
from triaged.errors import ConfigError, Permanent, Problem, Transient, TriagedError
from triaged.log.calls import call_of
from triaged.log.read import Reader
from triaged.log.rulesets import keep_files, keep_settings
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.mail.parse import parse
from triaged.model import Account, Address, Message, Raw
from triaged.playbook import Background, Playbook
from triaged.worker.listed import ListFile
from triaged.worker.parent import end_with_parent
from triaged.written import Written

ENDED = "it ended the process that read it (out of memory, or a crash)"
START_LIMIT_S = 120.0
"""Seconds a process may take to load spaCy, the model and the rules (2–11 s measured; engine.md 1.2)."""

journal = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Triaged:
    """A mail that was read and decided about."""

    raw: Raw
    message: Message
    decision: Decision
    background: Background


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A mail that nobody could decide about, and why, in words."""

    raw: Raw
    cause: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What decides from now on. written, settings_id, settings, model_problem: as in `Playbook`."""

    written: Written
    settings_id: str
    settings: str
    model_id: str
    calibration: Calibration
    model_problem: str = ""


def loaded_of(playbook: Playbook) -> Loaded:
    """What is told, and kept, of a playbook that was loaded."""
    return Loaded(
        playbook.written,
        playbook.settings_id,
        playbook.settings,
        playbook.model.model_id,
        playbook.model.calibration,
        playbook.model_problem,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one mail may cost: seconds, and MB of address space of the whole process."""

    timeout_s: float
    memory_mb: int


class Build(Protocol):
    """How a playbook is made, of these files, or of what stands on disk. Raises: ConfigError, Permanent."""

    def __call__(self, *, written: Written | None) -> Playbook:
        """One whole playbook."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What is known beside the mail. reader: None where there is no log yet. listed: who gets no automatic mail."""

    playbook: Playbook
    accounts: Directory
    reader: Reader | None
    listed: DoNotAnswer


def triage(raws: Sequence[Raw], *, desk: Desk, now: datetime) -> list[Triaged | Unreadable]:
    """Read and decide, in order; one batch through the model."""
    read: list[tuple[Raw, Message | None, str]] = []
    for raw in raws:
        try:
            read.append((raw, parse(raw, border=desk.playbook.border), ""))
        except MemoryError:
            read.append((raw, None, "it needs more memory than a mail may"))
    opinions = iter(judge(desk.playbook.model, [message.judged for _, message, _ in read if message is not None]))
    results: list[Triaged | Unreadable] = []
    for raw, message, cause in read:
        if message is None:
            results.append(Unreadable(raw, cause))
            continue
        background = background_of(message, desk, next(opinions))
        try:
            decision = decide(message, locator=raw.locator, playbook=desk.playbook, background=background, now=now)
        except Exception as error:  # noqa: BLE001 - per message: it alone is set aside
            journal.exception("undecided mailbox=%s", raw.locator.mailbox)
            results.append(Unreadable(raw, f"a fault of ours: {type(error).__name__}: {error}"))
        else:
            results.append(Triaged(raw, message, decision, background))
    return results


def background_of(message: Message, desk: Desk, judged: Judged) -> Background:
    """What accounts and log know of a mail: whose it is, how that account wrote before, how many wait for an answer."""
    reader, sender = desk.reader, message.sender
    thread = reader.thread_accounts((*message.in_reply_to, *message.references)) if reader is not None else ()
    matched, account = whose(message, playbook=desk.playbook, directory=desk.accounts, thread_accounts=thread)
    known = reader is not None and account is not None
    return Background(
        match=matched,
        account=_as_needed(account, sender) if account is not None else None,
        judged=judged,
        trend=reader.trend(account.account_id, before=message.received) if known else None,  # type: ignore[union-attr]
        open_items=reader.open_items(account.account_id, before=message.received) if known else 0,  # type: ignore[union-attr]
        listed=desk.listed.covers(sender.addr_spec) if sender is not None else "",
        call=_call_of(message, reader) if reader is not None else None,
    )


def _call_of(message: Message, reader: Reader) -> StandingCall | None:
    """The call that the mail's calendar object names, else one that came of its conversation."""
    itip = read_itip(message.calendar, mime_method=message.calendar_method)
    uid = itip.uid if itip is not None else ""
    return call_of(reader, uid=uid, message_ids=(*message.in_reply_to, *message.references))


def _as_needed(account: Account, sender: Address | None) -> Account:
    """The account without the contacts that a decision does not ask for: it is kept with every mail."""
    wrote = sender.addr_spec.lower() if sender is not None else ""
    contacts = tuple(each for each in account.contacts if each.addr_spec.lower() == wrote)
    return dataclasses.replace(account, contacts=contacts)


def keep_loaded(log: Log, loaded: Loaded, *, now: datetime) -> None:
    """Keep whole what decides, so that its decisions can be explained and made again. See `rulesets`."""
    keep_files(log, loaded.written, now=now)
    keep_settings(
        log,
        settings_id=loaded.settings_id,
        settings=loaded.settings,
        model_id=loaded.model_id,
        calibration=loaded.calibration,
        now=now,
    )


class TriageProcess:
    """A child process that runs `triage`; it is started again whenever it had to be killed. Two threads may ask.

    It is started again with the rules that it decided by, whatever stands on disk by then.
    """

    def __init__(
        self,
        *,
        build: Build,
        list_path: Path,
        log_path: Path,
        limits: Limits,
        beat: Callable[[], None],
        on_loaded: Callable[[Loaded], None],
    ) -> None:
        """on_loaded: told what it decides by after every start."""
        self._build, self._list_path, self._log_path, self._limits = build, list_path, log_path, limits
        self._beat, self._on_loaded = beat, on_loaded
        self._asking = RLock()
        self._child: Any = None
        self._line: Connection | None = None
        self._prepared: Loaded | None = None
        self.loaded: Loaded | None = None

    def start(self, written: Written | None = None) -> Loaded:
        """Start the process and wait until it can decide. written: by these files; else by those it decided by before,
        else by what stands on disk. Raises: ConfigError (rules, templates), Permanent, Transient.
        """
        with self._asking:
            if written is None and self.loaded is not None:
                written = self.loaded.written
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["spacy", "spacy.pipeline", "triaged.worker.triage"])
            line, theirs = context.Pipe()
            arguments = (theirs, self._build, written, self._list_path, self._log_path, self._limits.memory_mb)
            child = context.Process(target=_serve, args=arguments, name="triage", daemon=True)
            child.start()
            theirs.close()
            self._line, self._child = line, child
            try:
                self.loaded = self._loaded(self._ask(None, limit_s=START_LIMIT_S))
            except TriagedError:
                self.kill()  # one that could not load has ended, and must not be asked
                raise
            self._on_loaded(self.loaded)
            return self.loaded

    def prepare(self, written: Written) -> Loaded:
        """Load these files and the model beside what decides; nothing changes before `take`.

        Raises: ConfigError, Permanent, Transient; what decides goes on in any case.
        """
        with self._asking:
            if self._line is None:
                self.start()
            self._prepared = self._loaded(self._ask(("prepare", written), limit_s=START_LIMIT_S))
            return self._prepared

    def take(self) -> None:
        """Decide by what was prepared, from the next mail on. Never raises: a process that ended is started with it."""
        with self._asking:
            if self._prepared is None:
                return
            self.loaded, self._prepared = self._prepared, None
            if self._line is not None and self._ask("take", limit_s=START_LIMIT_S) is not True:
                self.kill()

    def drop(self) -> None:
        """Forget what was prepared. Never raises."""
        with self._asking:
            prepared, self._prepared = self._prepared, None
            if prepared is None or self._line is None:
                return
            if self._ask("drop", limit_s=START_LIMIT_S) is not True:
                self.kill()

    def triage(self, raws: Sequence[Raw], *, now: datetime) -> list[Triaged | Unreadable]:
        """Decide about a batch; what cannot be decided within the limits comes back as `Unreadable`.

        Raises: ConfigError, Transient when the process had to be started again and cannot.
        """
        answer = self._try(raws, now)
        if isinstance(answer, str) and len(raws) > 1:
            return [result for raw in raws for result in self.triage([raw], now=now)]
        if answer == ENDED:  # perhaps not the mail's doing: once more
            answer = self._try(raws, now)
        return [Unreadable(raws[0], answer)] if isinstance(answer, str) else list(answer)

    def _try(self, raws: Sequence[Raw], now: datetime) -> Any:
        """The results, or in words why there are none; then the process was ended."""
        with self._asking:
            if self._line is None:
                self.start()
            answer = self._ask((tuple(raws), now), limit_s=self._limits.timeout_s + len(raws))
            if isinstance(answer, str):
                self.kill()
            return answer

    def kill(self) -> None:
        """End the process at once, whoever waits for it; never raises."""
        line, self._line = self._line, None
        child, self._child = self._child, None
        if line is not None:
            line.close()
        if child is not None:
            child.kill()
            child.join()

    def _loaded(self, answer: Any) -> Loaded:
        if isinstance(answer, Loaded):
            return answer
        if isinstance(answer, tuple):
            raise ConfigError(answer)
        self.kill()
        raise Transient(f"the triage process did not load it: {answer}")

    def _ask(self, question: Any, *, limit_s: float) -> Any:
        """The process's answer, or in words why there is none; one question at a time."""
        line = self._line
        assert line is not None
        try:
            if question is not None:
                line.send(question)
            give_up_at = time.monotonic() + limit_s
            while not line.poll(min(1.0, limit_s)):
                self._beat()
                if time.monotonic() > give_up_at:
                    return f"it took longer than {limit_s:.0f} s"
            return line.recv()
        except (EOFError, OSError):
            return ENDED


def _serve(
    line: Connection, build: Build, written: Written | None, list_path: Path, log_path: Path, memory_mb: int
) -> None:
    """The child: load, then answer questions until the line ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent ends it: what is being decided is finished first
    end_with_parent(signal.SIGKILL)
    limit = memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    playbook, answer = _load(build, written)
    line.send(answer)
    if playbook is None:
        return
    reader, listed = Reader(log_path), ListFile(list_path)
    revision, accounts = -1, directory(())
    fresh: Playbook | None = None
    while True:
        try:
            question = line.recv()
        except EOFError:
            return
        match question:
            case "take" | "drop":
                line.send(fresh is not None)
                playbook, fresh = (fresh or playbook) if question == "take" else playbook, None
                continue
            case ("prepare", files):
                fresh, answer = _load(build, files)
                line.send(answer)
                continue
        raws, now = question
        if (current := reader.accounts_revision()) != revision:
            revision, accounts = current, directory(reader.accounts())
        desk = Desk(playbook, accounts, reader, listed.current())
        line.send(triage(raws, desk=desk, now=now))


def _load(build: Build, written: Written | None) -> tuple[Playbook | None, Loaded | tuple[Problem, ...]]:
    try:
        playbook = build(written=written)
    except ConfigError as error:
        return None, error.problems
    except Permanent as error:
        return None, (Problem("model", str(error)),)
    except Exception as error:  # noqa: BLE001 - whatever a file makes us stumble over, what decided before goes on
        journal.exception("unloaded")
        return None, (Problem("rules or templates", f"a fault of ours: {type(error).__name__}: {error}"),)
    return playbook, loaded_of(playbook)
