"""The do-not-answer file in, whom it covers out: read again whenever it was saved, so no restart is needed."""

from __future__ import annotations

from pathlib import Path

from triaged.errors import Problem
from triaged.mail.donotanswer import DoNotAnswer, parse_list
from triaged.written import Stamp, stamp

FILE_NAME = "do-not-answer.txt"
"""In the folder of the rules."""


class ListFile:
    """The list as it stands on disk now. One object belongs to one thread; `current` costs one stat(2)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Stamp | None = None
        self._list = DoNotAnswer()
        self.problems: tuple[Problem, ...] = ()
        """Lines that nobody understands, or that the file cannot be read, as of the last `current`."""

    def current(self) -> DoNotAnswer:
        """Whom it covers; an absent file covers nobody, one that cannot be read covers whom it covered before."""
        try:
            seen = stamp(self._path)
            if seen is None:
                self._list, self.problems = DoNotAnswer(), ()
            elif seen != self._seen:
                text = self._path.read_bytes().decode("utf-8", "replace")
                self._list, self.problems = parse_list(text, str(self._path))
            self._seen = seen
        except FileNotFoundError:  # removed between the two
            self._list, self.problems, self._seen = DoNotAnswer(), (), None
        except OSError as error:
            self.problems = (Problem(str(self._path), f"cannot be read: {error.strerror}; what it said before counts"),)
            self._seen = None
        return self._list

    def covers(self, addr_spec: str) -> str:
        """Why this address gets no automatic answer, `""` if the list says nothing about it."""
        return self.current().covers(addr_spec)
