"""Rule sets that decided, and the settings and calibrations beside them: kept whole by id, in the order of use."""

from __future__ import annotations

from datetime import datetime

from triaged.classify.verdict import Calibration
from triaged.log.encode import CALIBRATION, to_ms
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.written import Written


def keep_rule_set(log: Log, written: Written, *, how: str, who: str, why: str, now: datetime) -> bool:
    """Keep the files by the set's id, and that it decides from now on; False when it did already.

    how: `started`, `saved`, `loaded` or `restored`. who, why: a person's name and words, or `""`.
    """
    log.db.execute("INSERT OR IGNORE INTO rule_set VALUES (?, ?, ?)", (written.id, written.dump(), to_ms(now)))
    last = log.db.execute("SELECT rules_id FROM rule_use ORDER BY id DESC LIMIT 1").fetchone()
    if last is not None and last[0] == written.id:
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
    rows = reader.select("SELECT rules_id FROM rule_use ORDER BY id DESC LIMIT 1")
    return rule_set(reader, rows[0][0]) if rows else None


def settings_text(reader: Reader, settings_id: str) -> str | None:
    """A configuration that was kept (see `loading.settings_text`); None when there is none of this id."""
    rows = reader.select("SELECT told FROM setting WHERE id = ? AND kind = 'config'", (settings_id,))
    return str(rows[0][0]) if rows else None


def calibration(reader: Reader, model_id: str) -> Calibration | None:
    """The calibration of a model that decided; None when it was not kept."""
    rows = reader.select("SELECT told FROM setting WHERE id = ? AND kind = 'calibration'", (model_id,))
    return CALIBRATION.validate_json(rows[0][0]) if rows else None


def calibrations(reader: Reader) -> dict[str, Calibration]:
    """Those of all models that have decided, by the model's id."""
    rows = reader.select("SELECT id, told FROM setting WHERE kind = 'calibration'")
    return {row[0]: CALIBRATION.validate_json(row[1]) for row in rows}
