"""A person's address in; what the log holds about them found, erased, and shown to be gone.

Found by reading every column of every table. Their own mails are cleared as `keep` does; in what others wrote,
their address and name are blotted out. The keyed hash by which answers are counted stays, so that they are not
answered twice; nobody can tell from it whose it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.errors import Permanent
from triaged.log.keep import BATCH, clear, merge_index, reading, reindexed
from triaged.log.store import Log
from triaged.log.traces import Traces, needles, occurrences, traces

PAGE_ROWS = 500
"""Rows read at once: a long read would keep the WAL from being folded back."""
SAMPLED_MAILS = 25
SAMPLE_LETTERS = 48
SHORTEST_SAMPLE = 16
RARE_WORDS = 25
RARE_LETTERS = 8
OPEN = ("held", "owed", "doing", "person")

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's columns: those that name a row, those with words in them, that with a mail's number (or `""`)."""

    name: str
    keys: tuple[str, ...]
    words: tuple[str, ...]
    of_mail: str

    @property
    def which(self) -> str:
        """The WHERE of one row."""
        return " AND ".join(f"{key} = ?" for key in self.keys)


@dataclass(frozen=True, slots=True)
class Held:
    """What the log holds about a person.

    mails: numbers of those they wrote, and that are whole; places: keys of other rows that name them, by table;
    shared: names of theirs that others bear too, which stay; counts: the same in words, for people.
    """

    person: Traces
    mails: tuple[int, ...]
    places: tuple[tuple[str, tuple[Key, ...]], ...]
    shared: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """How often a person was found in octets. longer: other addresses or words that contain theirs, not counted."""

    occurrences: int
    size_bytes: int
    forms: int
    files: tuple[tuple[Path, int], ...]
    longer: tuple[str, ...]


WORDS = {
    "message": "mails of others that name them",
    "decision": "decisions about mails of others",
    "effect": "effects of mails of others",
    "event": "lines in the story of others' mails",
    "contact": "contact entries",
    "alias": "addresses of accounts",
    "account": "names of accounts",
    "call": "calls of others",
    "octets": "unread mails (their octets)",
    "rule_set": "rule sets that were in use",
    "correction": "corrections of others' mails",
    "facet": "words by which mails of others are filtered",
    "undo": "rules whose doings were taken back",
    "undo_item": "mails of others that such a rule had decided",
    "note": "notes about mails of others",
    "audit": "lines of the audit log",
    "saved_view": "saved views",
    "account_merge": "accounts that were merged",
    "sign_in_try": "sign-ins that failed",
}


def find(path: Path, address: str, *, ours: Iterable[str] = ()) -> Held:
    """What is held about the person with this address. ours: names of our own people, which stay."""
    with reading(path) as db:
        alone = traces(address)
        written = [
            (row, name)
            for row, sender, name in db.execute("SELECT id, sender, sender_name FROM message WHERE sender <> ''")
            if alone.whole.fullmatch(sender)
        ]
        mails = tuple(row for row, _ in written)
        names, shared = _names(db, alone, {name for _, name in written}, ours)
        person = traces(address, names)
        places = tuple(_places(db, person, mails))
        hanging = [
            (words, _count(db, sql, json.dumps(mails)))
            for sql, words in (
                ("SELECT count(*) FROM effect WHERE message IN (SELECT value FROM json_each(?))", "effects of these"),
                (
                    "SELECT count(*) FROM event WHERE message IN (SELECT value FROM json_each(?))",
                    "lines of their story",
                ),
            )
        ]
    counts = [("mails they wrote", len(mails)), *hanging]
    counts += [(WORDS.get(table, f"rows of table {table}"), len(keys)) for table, keys in places]
    return Held(person, mails, places, shared, tuple((words, count) for words, count in counts if count > 0))


def remaining(path: Path, held: Held) -> int:
    """How many rows still name the person, or are mails they wrote; 0 once they are forgotten."""
    with reading(path) as db:
        senders = db.execute("SELECT sender FROM message WHERE sender <> ''")
        written = sum(held.person.whole.fullmatch(sender) is not None for (sender,) in senders)
        return written + sum(len(keys) for _, keys in _places(db, held.person, ()))


def _count(db: sqlite3.Connection, sql: str, *values: Any) -> int:
    return int(db.execute(sql, values).fetchone()[0])


def _names(
    db: sqlite3.Connection, alone: Traces, written: set[str], ours: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The person's names in full (a single word is nobody's alone), and those that others bear too."""
    theirs, others = set(written), {name.casefold() for name in ours}
    others |= {name.casefold() for (name,) in db.execute("SELECT name FROM account")}
    pairs = "SELECT sender, sender_name FROM message WHERE sender_name <> '' UNION SELECT addr_spec, name FROM contact"
    for addr_spec, name in db.execute(pairs):
        if alone.whole.fullmatch(addr_spec):
            theirs.add(name)
        else:
            others.add(name.casefold())
    for (text,) in db.execute("SELECT parsed FROM message WHERE instr(lower(parsed), ?)", (alone.hints[0],)):
        theirs |= {name for spec, name in _addressed(text) if alone.whole.fullmatch(spec)}
        others |= {name.casefold() for spec, name in _addressed(text) if not alone.whole.fullmatch(spec)}
    full = {name for name in theirs if len(name.split()) > 1 and len(name) > 5 and "@" not in name}
    shared = {name for name in full if name.casefold() in others}
    return tuple(sorted(full - shared)), tuple(sorted(shared))


def _addressed(parsed: str) -> Iterator[tuple[str, str]]:
    """Addresses and display names of a mail's fields."""
    if parsed == "":
        return
    fields = json.loads(parsed)
    for each in (fields["sender"], *fields["reply_to"], *fields["to"], *fields["cc"]):
        if each is not None:
            yield each["addr_spec"], each["display_name"]


# --- where they are named ---------------------------------------------------------------------------------------


def _tables(db: sqlite3.Connection) -> list[_Table]:
    """Every table of ours that has words in it; not those within the full-text index."""
    names = db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")
    found = []
    for (name,) in names.fetchall():
        columns = db.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
        keys = tuple(column for column, _, pk in columns if pk > 0)
        words = tuple(column for column, kind, _ in columns if kind in ("TEXT", "BLOB"))
        if not name.startswith(("sqlite_", "_sqlite_")) and len(words) > 0:
            of_mail = "id" if name == "message" else "message" if any(each[0] == "message" for each in columns) else ""
            found.append(_Table(name, keys, words, of_mail))
    return found


def _rows(db: sqlite3.Connection, table: _Table) -> Iterator[tuple[Key, tuple[Any, ...]]]:
    """Every row: its key and its words; a page at a time."""
    columns, order = ", ".join((*table.keys, *table.words)), ", ".join(table.keys)
    after: Key | None = None
    while True:
        later = f"WHERE ({order}) > ({', '.join('?' * len(table.keys))})" if after is not None else ""
        sql = f"SELECT {columns} FROM {table.name} {later} ORDER BY {order} LIMIT {PAGE_ROWS}"  # noqa: S608 - own schema
        page = db.execute(sql, after or ()).fetchall()
        for row in page:
            yield row[: len(table.keys)], row[len(table.keys) :]
        if len(page) < PAGE_ROWS:
            return
        after = page[-1][: len(table.keys)]


def _names_them(person: Traces, column: str, value: Any) -> bool:
    match value:
        case bytes():
            return person.in_mail(value)
        case str() if column == "payload":
            return person.in_json(value, mails=True)
        case str() if value[:1] in ("{", "["):
            return person.in_json(value)
        case str():
            return person.in_text(value)
        case _:
            return False


def _places(db: sqlite3.Connection, person: Traces, mails: Sequence[int]) -> Iterator[tuple[str, tuple[Key, ...]]]:
    """Rows that name the person, by table, without what hangs on `mails`."""
    for table in _tables(db):
        found = tuple(
            key
            for key, values in _others_rows(db, table, mails)
            if any(map(partial(_names_them, person), table.words, values))
        )
        if len(found) > 0:
            yield table.name, found


def _others_rows(db: sqlite3.Connection, table: _Table, mails: Sequence[int]) -> Iterator[tuple[Key, tuple[Any, ...]]]:
    """Every row of a table but these mails and what hangs on them."""
    theirs: set[Key] = set()
    if table.of_mail != "":
        columns, these = ", ".join(table.keys), "(SELECT value FROM json_each(?))"
        sql = f"SELECT {columns} FROM {table.name} WHERE {table.of_mail} IN {these}"  # noqa: S608 - own schema
        theirs = set(db.execute(sql, (json.dumps(mails),)))
    yield from ((key, values) for key, values in _rows(db, table) if key not in theirs)


# --- erasing ------------------------------------------------------------------------------------------------------


def erase(log: Log, held: Held, *, now: datetime, go_on: Callable[[int], bool] = lambda count: True) -> None:
    """Erase what `find` found, in short transactions, while the worker goes on; then rewrite index and file.

    Rows stay (see `remaining`) while something about them is being done, or of others is still to be done. go_on: told
    how many more rows. Done twice: nothing is left to erase. Raises: Permanent (disk full; what was done stays done).
    """

    def write(work: Callable[[Log], Any]) -> Any:
        with log.transaction():
            return work(log)

    for start in range(0, len(held.mails), BATCH):
        batch = held.mails[start : start + BATCH]
        write(partial(_forget_mails, rows=batch, now=now))
        go_on(len(batch))
    for name, keys in held.places:
        for start in range(0, len(keys), BATCH):
            blot = partial(_blot_out, person=held.person, name=name, keys=keys[start : start + BATCH])
            write(blot)
            go_on(len(keys[start : start + BATCH]))
    write(lambda rows: rows.db.execute("UPDATE meta SET value = value + 1 WHERE name = 'accounts_revision'"))
    merge_index(write)
    rewrite(log)


def rewrite(log: Log) -> None:
    """Write the file anew, so that no page keeps what was deleted, and empty the WAL. The worker waits meanwhile.

    Raises: Permanent (disk full, or a reader that does not end).
    """
    try:
        with log.alone():
            log.db.execute("VACUUM")
            [(busy, _, _)] = log.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        raise Permanent(f"all is erased, but the file could not be written anew ({error}); run it again") from None
    if busy:
        raise Permanent("all is erased, but a program that reads the log keeps its WAL; close it and run this again")


def _forget_mails(log: Log, rows: Sequence[int], now: datetime) -> None:
    """Clear mails that the person wrote, and drop what is open about them; one that is being answered stays."""
    doing = "SELECT message FROM effect WHERE state = 'doing' AND message IN (SELECT value FROM json_each(?))"
    busy = {row for (row,) in log.db.execute(doing, (json.dumps(rows),))}
    free = [row for row in rows if row not in busy]
    log.db.execute(
        "UPDATE effect SET state = 'dropped' WHERE state IN ('held', 'owed', 'person') "
        "AND message IN (SELECT value FROM json_each(?))",
        (json.dumps(free),),
    )
    clear(log, free, event="forgotten", why="whoever wrote it was forgotten", now=now)


def _blot_out(log: Log, person: Traces, name: str, keys: Sequence[Key]) -> None:
    """Take the person out of rows of one table."""
    table = next(each for each in _tables(log.db.conn) if each.name == name)
    with reindexed(log, [key[0] for key in keys] if name == "message" else []):
        log.db.execute("INSERT INTO meta VALUES ('forgetting', 1)")  # see the triggers of `correction`
        for key in keys:
            _blot_out_row(log, person, table, key)
        log.db.execute("DELETE FROM meta WHERE name = 'forgetting'")


def _blot_out_row(log: Log, person: Traces, table: _Table, key: Key) -> None:
    db = log.db.conn
    row = db.execute(f"SELECT {', '.join(table.words)} FROM {table.name} WHERE {table.which}", key).fetchone()  # noqa: S608
    if row is None:
        return
    values = dict(zip(table.words, row, strict=True))
    if table.name == "effect" and values["state"] in OPEN and values["kind"] != "ask":
        return  # what is still to be sent must stay as it was decided
    own = str(values.get("addr_spec", values.get("alias", "")))
    if table.name == "octets" or (table.name in ("contact", "alias") and person.whole.fullmatch(own)):
        db.execute(f"DELETE FROM {table.name} WHERE {table.which}", key)  # noqa: S608
        return
    changed = {
        column: "{}" if column == "payload" and values["kind"] != "ask" else person.masked_json(value)
        for column, value in values.items()
        if column not in table.keys and isinstance(value, str) and _names_them(person, column, value)
    }
    for column, value in changed.items():
        db.execute(f"UPDATE {table.name} SET {column} = ? WHERE {table.which}", (value, *key))  # noqa: S608


# --- the proof ------------------------------------------------------------------------------------------------------


def samples(path: Path, mails: Sequence[int]) -> tuple[str, ...]:
    """Words of these mails by which they can be told: beginnings of lines, subjects, words that nobody else used."""
    step = max(1, len(mails) // SAMPLED_MAILS)
    found: list[str] = []
    words: Counter[str] = Counter()
    with reading(path) as db:
        for row in mails[::step]:
            subject, text = db.execute("SELECT subject, new_text FROM message WHERE id = ?", (row,)).fetchone()
            lines = (subject, max(text.split("\n"), key=len))
            found += [each.strip()[:SAMPLE_LETTERS] for each in lines if len(each.strip()) >= SHORTEST_SAMPLE]
            words.update(set(re.findall(rf"[^\W\d_]{{{RARE_LETTERS},}}", text.lower())))
        for word, count in sorted(words.items(), key=lambda each: (each[1], each[0])):
            used = _count(db, "SELECT count(*) FROM message_fts WHERE message_fts MATCH ?", f'"{word}"')
            if used == count:
                found.append(word)
            if len(found) >= 2 * SAMPLED_MAILS + RARE_WORDS:
                break
    return tuple(dict.fromkeys(found))


def search(path: Path, held: Held, sampled: Iterable[str]) -> Found:
    """Count the person in every file of the log's folder: the log itself, its WAL, its index, copies of it.

    Their address and names in every form, and what was sampled of their mails as it stands in the log. What somebody
    else wrote, or an address that only contains theirs, is not counted but named.
    """
    texts = {form: each for each in sampled for form in _plain_forms(each)}
    wanted = tuple(dict.fromkeys((*held.person.needles, *texts)))
    files = [each for each in sorted(path.parent.rglob("*")) if each.is_file() and not each.is_symlink()]
    size = sum(each.stat().st_size for each in files)
    hits = {file: found for file in files if len(found := occurrences(file, wanted)) > 0}
    longer: tuple[str, ...] = ()
    if len(hits) > 0:
        met = {texts[needle] for found in hits.values() for needle in found if needle in texts}
        longer = _standing(path, held, (held.person.address, *held.person.names, *sorted(met)))
        hide = (*needles(longer), *(form for each in longer for form in _plain_forms(each)))
        hits = {file: found for file in hits if len(found := occurrences(file, wanted, but_not=hide)) > 0}
    told = tuple((file, sum(found.values())) for file, found in hits.items())
    stale = _stale(path, (held.person.address, *held.person.names, *sampled))
    return Found(sum(count for _, count in told) + stale, size, len(wanted), told, longer)


def _plain_forms(text: str) -> tuple[bytes, ...]:
    """A text as a column of the log holds it, alone or within JSON, in lower-case ASCII."""
    return tuple({text.encode().lower(), json.dumps(text, ensure_ascii=False)[1:-1].encode().lower()})


def _standing(path: Path, held: Held, sought: Sequence[str]) -> tuple[str, ...]:
    """What others wrote and contains something that is sought: longer addresses, the same words, a quotation."""
    around = {each.lower(): re.compile(rf"[\w.+-]*{re.escape(each)}[\w.+-]*", re.IGNORECASE) for each in sought}
    found: set[str] = set()
    with reading(path) as db:
        for table in _tables(db):
            for _, values in _others_rows(db, table, held.mails):
                for text in (each for each in values if isinstance(each, str)):
                    lower = text.lower()
                    met = [pattern for word, pattern in around.items() if word in lower]
                    found |= {match[0] for pattern in met for match in pattern.finditer(text)}
    return tuple(sorted(each for each in found if not held.person.in_text(each)))


def _stale(path: Path, sought: Iterable[str]) -> int:
    """How many mails the full-text index still finds by these words although they are no longer in their texts.

    The index keeps words without what they share with the word before, so that the octets alone prove little.
    """
    count = 0
    with reading(path) as db:
        for each in sought:
            wanted = f" {_tokens(each)} "
            texts = db.execute(
                "SELECT subject, sender, new_text FROM message WHERE id IN "
                "(SELECT rowid FROM message_fts WHERE message_fts MATCH ?)",
                (f'"{wanted}"',),
            )
            count += sum(not any(wanted in f" {_tokens(text)} " for text in row) for row in texts)
    return count


def _tokens(text: str) -> str:
    """Words as FTS5's unicode61 makes them: lower case, no marks, one space between."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(letter)
    )
    return " ".join(re.findall(r"[^\W_]+", plain))
