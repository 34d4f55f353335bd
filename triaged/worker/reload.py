"""Saved rules and templates in, the same new set in every triage process out, whole or not at all; a mistake is told.

The folders are looked at once a second, and read when they have changed and then stayed the same for one look, since
editors save in several steps. SIGHUP, another model and `triaged rules load` have them read at once.
"""

from __future__ import annotations

import pwd
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from triaged.errors import ConfigError, Permanent, Transient, TriagedError
from triaged.log.read import Reader
from triaged.log.rulesets import keep_rule_set, last_sets
from triaged.worker import note, systemd
from triaged.worker.timers import TimerSurroundings
from triaged.worker.triage import Loaded, TriageProcess
from triaged.written import Stamp, Written, read_written, stamp, stamps

PART = "rules"
"""What `triaged status` calls the set that decides."""
WATCH = "rule files"
"""What it calls the thread that looks at the folders."""
TICK_S = 1.0
TRIED = 10
"""Earlier sets that are tried when what stands on disk is wrong at the start; each costs about a second."""
ANSWER_S = 10.0
"""Seconds that the log may take to hold what became of a request."""
NOBODY = "nobody"
"""Whom files of other users belong to where the worker runs in a user namespace (PrivateUsers=)."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """That a person wants the files of this id, as they lie in the folders, to decide. how: see `keep_rule_set`."""

    rules_id: str
    how: str
    who: str
    why: str


def ask(state_dir: Path, request: Request) -> bool:
    """Leave a request for the worker, which sees it within a second or when it starts; False when it cannot be left."""
    return note.put(request_path(state_dir), asdict(request))


def request_path(state_dir: Path) -> Path:
    """Where a request lies until it was answered: the log says then what came of it."""
    return state_dir / "rules-asked.json"


class Rules:
    """The set that decides, in every triage process. `start` and `run` are called one after the other."""

    def __init__(
        self,
        folders: tuple[Path, Path],
        processes: Sequence[TriageProcess],
        *,
        around: TimerSurroundings,
        asked: Event,
        model_choice: Path,
        on_loaded: Callable[[Loaded], None],
    ) -> None:
        """folders: of rules and templates. asked: set to have all loaded anew. on_loaded: told what decides then."""
        self._folders, self._processes, self._around = folders, processes, around
        self._asked, self._on_loaded = asked, on_loaded
        self._model_choice, self._model_seen = model_choice, _stamp(model_choice)
        self._request = request_path(around.log_path.parent)
        self._request_seen: Stamp | None = None
        self._looked: Mapping[str, Stamp] = {}
        self._read: Mapping[str, Stamp] = {}
        self._taken: Mapping[str, Stamp] = {}
        self._keeping: tuple[Future[bool], Loaded, Request] | None = None
        self.refused = ""
        """Why what stands on disk does not decide, `""` when it does."""

    def start(self) -> None:
        """Start every process with what stands on disk, or, when that is wrong, with the last set that is not.

        Raises: ConfigError when there is none, Permanent, Transient.
        """
        self._look_round()
        try:
            written = read_written(*self._folders)
            self._loaded = self._start_all(written)
        except (ConfigError, Transient) as error:  # Transient: files may be such that loading them kills a process
            self._loaded = self._start_with_last(error)
            self._keep(self._loaded, Request(self._loaded.written.id, "started", "", ""))
            self._refuse(error)
            if isinstance(error, Transient):
                self._read = {}  # perhaps not the files' doing: `run` tries them once more
        else:
            self._keep(self._loaded, self._asked_for(written) or Request(written.id, "started", "", ""))
            self._well()
        self._answer()

    def run(self) -> None:
        """A thread's body: until stopped, take what is saved or asked for."""
        around = self._around
        while not around.stop.is_set():
            around.beats.beat(WATCH)
            self._keep_again()
            if self._asked.is_set():
                self._asked.clear()
                systemd.reloading()
                try:
                    self._load(anew=True)
                finally:
                    systemd.notify("READY=1")
            elif self._has_other_model():
                self._load(anew=True)
            elif self._is_requested() or self._is_saved():
                self._load(anew=False)
            self._asked.wait(TICK_S)
        around.beats.retire(WATCH)

    # --- what there is to do ---

    def _has_other_model(self) -> bool:
        seen, self._model_seen = self._model_seen, _stamp(self._model_choice)
        return seen != self._model_seen

    def _is_requested(self) -> bool:
        found = _stamp(self._request)
        return found is not None and found != self._request_seen

    def _is_saved(self) -> bool:
        """Whether the folders are not as they were when they were last read, and were so at the last look too."""
        before, self._looked = self._looked, stamps(*self._folders)
        return self._looked != self._read and self._looked == before

    def _look_round(self) -> None:
        """To be called before anything is read: what is saved or asked meanwhile is then seen at the next look."""
        self._read = self._looked = stamps(*self._folders)
        self._request_seen = _stamp(self._request)

    # --- doing it ---

    def _load(self, *, anew: bool) -> None:
        """Take what stands on disk into every process, or into none. anew: the model too, even if no file changed."""
        self._look_round()
        try:
            written = read_written(*self._folders)
            origin = self._asked_for(written) or Request(written.id, "saved", _who_saved(self._taken, self._read), "")
            if anew or written.id != self._loaded.written.id:
                self._take(written, origin)
            else:
                self._keep(self._loaded, origin)
        except TriagedError as error:
            self._refuse(error)
        except Exception as error:  # the thread starts again, and nobody would hear of what was not taken
            self._refuse(Permanent(f"a fault of ours: {type(error).__name__}: {error}"))
            raise
        else:
            self._well()
        self._answer()

    def _take(self, written: Written, origin: Request) -> None:
        """Into all processes or none. Raises: ConfigError, Permanent, Transient."""
        told = self._in_each(lambda process: process.prepare(written))
        if len(errors := [error for each in told if (error := each.exception()) is not None]) > 0:
            self._in_each(TriageProcess.drop)
            raise errors[0]
        loaded = told[0].result()
        self._keep(loaded, origin)  # before its first decision is written down
        self._in_each(TriageProcess.take)
        self._loaded = loaded
        self._on_loaded(loaded)

    def _in_each(self, do: Callable[[TriageProcess], T]) -> list[Future[T]]:
        """In all processes at once, for each may be busy with a mail; how each ended."""
        with ThreadPoolExecutor(len(self._processes)) as pool:
            told = [pool.submit(do, process) for process in self._processes]
            while len(wait(told, timeout=TICK_S).not_done) > 0:
                self._around.beats.beat(WATCH)
        return told

    def _start_all(self, written: Written) -> Loaded:
        try:
            told = [process.start(written) for process in self._processes]
        except TriagedError:
            for process in self._processes:
                process.kill()
            raise
        return told[0]

    def _start_with_last(self, refused: TriagedError) -> Loaded:
        """Raises: `refused`, when no set that decided before can be loaded."""
        with closing(Reader(self._around.log_path)) as reader:
            for written in last_sets(reader, limit=TRIED):
                with suppress(ConfigError, Transient):
                    return self._start_all(written)
        raise refused

    # --- telling of it ---

    def _keep(self, loaded: Loaded, origin: Request) -> None:
        """That it decides from now on."""
        self._taken = self._read
        kept = self._around.writer.submit(
            partial(
                keep_rule_set,
                written=loaded.written,
                how=origin.how,
                who=origin.who,
                why=origin.why,
                now=self._around.clock(),
            )
        )
        self._keeping = (kept, loaded, origin)

    def _keep_again(self) -> None:
        """What the log could not hold (a full disk) is told once more: by it decisions are explained and made again."""
        if self._keeping is None or not self._keeping[0].done():
            return
        (kept, loaded, origin), self._keeping = self._keeping, None
        if kept.exception() is not None:
            self._on_loaded(loaded)
            self._keep(loaded, origin)

    def _well(self) -> None:
        self.refused = ""
        self._around.health(PART, "ok", f"rule set {self._loaded.written.id}, model {self._loaded.model_id}")

    def _refuse(self, error: TriagedError) -> None:
        self.refused = f"not taken, rule set {self._loaded.written.id} goes on: {error}"
        self._around.health(PART, "trouble", self.refused)

    def _asked_for(self, written: Written) -> Request | None:
        """The request that is about these files."""
        told = note.get(self._request)
        with suppress(TypeError):  # not of our making
            request = Request(**told)
            if request.rules_id == written.id and all(isinstance(each, str) for each in asdict(request).values()):
                return request
        return None

    def _answer(self) -> None:
        """Remove the request once the log holds what came of it; one that came meanwhile stays."""
        seen = self._request_seen
        if seen is None or _stamp(self._request) != seen:
            return
        with suppress(OSError, TimeoutError):
            if self._around.writer.submit(lambda _: None).exception(timeout=ANSWER_S) is None:
                self._request.unlink(missing_ok=True)


def _stamp(path: Path) -> Stamp | None:
    """None too where nothing can be known of it: then what is loaded goes on."""
    with suppress(OSError):
        return stamp(path)
    return None


def _who_saved(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> str:
    """Whose file was saved last of those that changed; `""` when nobody can be named."""
    changed = [each for name, each in now.items() if before.get(name) != each]
    if len(changed) == 0:  # one was removed
        return ""
    owner = max(changed, key=lambda each: each.saved_ns).owner
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
    return name if name != NOBODY else ""
