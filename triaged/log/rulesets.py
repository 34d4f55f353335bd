"""Rule sets that decided, and the settings and calibrations beside them: kept whole by id, in the order of use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.classify.verdict import Calibration
from triaged.log.encode import CALIBRATION, from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.written import Written

KEPT = "kept"
"""How, of a set that never decided: it lay in the folders when another was laid back."""
RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Use:
    """Since when a rule set decided, how that came, and who wanted it why; `""` where nobody said."""

    at: datetime
    rules_id: str
    how: str
    who: str
    why: str


def keep_files(log: Log, written: Written, *, now: datetime) -> None:
    """Keep the files by the set's id, whether it decides or not. Done twice: nothing more."""
    log.db.execute("INSERT OR IGNORE INTO rule_set VALUES (?, ?, ?)", (written.id, written.dump(), to_ms(now)))


def keep_rule_set(log: Log, written: Written, *, how: str, who: str, why: str, now: datetime) -> bool:
    """Keep the files by the set's id, and that it decides from now on; False when it did already and no more is told.

    how: `started`, `saved`, `loaded` or `restored`. who, why: a person's name and words, or `""`. A set that decides
    already gets a line more when somebody says why, or restored it: the worker may have seen the files first.
    """
    keep_files(log, written, now=now)
    last = log.db.execute("SELECT rules_id FROM rule_use ORDER BY id DESC LIMIT 1").fetchone()
    if last is not None and last[0] == written.id and why == "" and how != RESTORED:
        return False
    log.insert("rule_use", {"at": to_ms(now), "rules_id": written.id, "how": how, "who": who, "why": why})
    return True


def keep_settings(
    log: Log, *, settings_id: str, settings: str, model_id: str, calibration: Calibration, now: datetime
) -> None:
    """Keep the configuration and the model's calibration by their ids. Done twice: nothing more."""
    told = CALIBRATION.dump_json(calibration).decode()
    for row in ((settings_id, "config", settings), (model_id, "calibration", told)):
        log.db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?, ?, ?)", (*row, to_ms(now)))


def rule_set(reader: Reader, rules_id: str) -> Written | None:
    """The files of a set that was kept; None when there is none of this id."""
    rows = reader.select("SELECT files FROM rule_set WHERE rules_id = ?", (rules_id,))
    return Written.load(rows[0][0]) if rows else None


def rules_in_use(reader: Reader) -> Written | None:
    """The set that began to decide last; None when none has decided yet."""
    use = last_use(reader)
    return rule_set(reader, use.rules_id) if use is not None else None


def settings_text(reader: Reader, settings_id: str) -> str | None:
    """A configuration that was kept (see `loading.settings_text`); None when there is none of this id."""
    rows = reader.select("SELECT told FROM setting WHERE id = ? AND kind = 'config'", (settings_id,))
    return str(rows[0][0]) if rows else None


def calibrations(reader: Reader) -> dict[str, Calibration]:
    """Those of all models that have decided, as far as they were kept, by the model's id."""
    rows = reader.select("SELECT id, told FROM setting WHERE kind = 'calibration'")
    return {row[0]: CALIBRATION.validate_json(row[1]) for row in rows}


def uses(reader: Reader, *, limit: int = -1) -> list[Use]:
    """When which set began to decide, newest first. limit: -1 for all."""
    rows = reader.select("SELECT at, rules_id, how, who, why FROM rule_use ORDER BY id DESC LIMIT ?", (limit,))
    return [Use(from_ms(at), *rest) for at, *rest in rows]


def unused(reader: Reader) -> list[Use]:
    """The sets that were kept and never decided, newest first."""
    rows = reader.select(
        "SELECT first_used_at, rules_id FROM rule_set WHERE rules_id NOT IN (SELECT rules_id FROM rule_use) "
        "ORDER BY first_used_at DESC"
    )
    return [Use(from_ms(at), rules_id, KEPT, "", "") for at, rules_id in rows]


def last_use(reader: Reader) -> Use | None:
    """Which set decides, or decided when the worker last ran; None when none ever did."""
    return next(iter(uses(reader, limit=1)), None)


def decided_before(reader: Reader, rules_id: str) -> Use | None:
    """Which other set than this one decided last; None when none did."""
    return next((use for use in uses(reader) if use.rules_id != rules_id), None)


def has_decided(path: Path) -> bool:
    """Whether the log holds a set that decided before, which can go on when what stands on disk is wrong."""
    try:
        with closing(Reader(path)) as reader:
            return last_use(reader) is not None
    except (FileNotFoundError, sqlite3.OperationalError):  # no log yet, or one that is still to be migrated
        return False


def last_sets(reader: Reader, *, limit: int) -> Iterator[Written]:
    """The sets that decided last, each once, newest first."""
    rows = reader.select("SELECT rules_id FROM rule_use GROUP BY rules_id ORDER BY max(id) DESC LIMIT ?", (limit,))
    for (rules_id,) in rows:
        if (written := rule_set(reader, rules_id)) is not None:
            yield written


def ids_of(reader: Reader, start: str) -> list[str]:
    """The ids of kept sets that are `start` or begin with it."""
    rows = reader.select("SELECT rules_id FROM rule_set WHERE substr(rules_id, 1, ?) = ?", (len(start), start))
    return [start] if (start,) in [tuple(row) for row in rows] else [row[0] for row in rows]
