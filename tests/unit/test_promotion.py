"""Champion against challenger: what is worse at anything is refused, what is better is let in."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from triaged.classify import model as models
from triaged.classify.adapt import adapt, recalibrate
from triaged.classify.evaluate import Row, read_rows
from triaged.classify.train import train
from triaged.learning import rule_evidence, site_rows
from triaged.loading import build_playbook
from triaged.log.labels import labels
from triaged.log.people import correct, put_accounts
from triaged.log.read import Reader
from triaged.model import CategoryScore, Locator, Verdict
from triaged.playbook import Playbook
from triaged.promotion import Build, Pair, Trial, examples_lost, measure, newest_apart, pair, some_of, try_out
from triaged.shipped import EXAMPLES
from triaged.whatif.otherwise import effect_on_past
from triaged.wire import log_path

RULE = """[[rule]]
name = "Crushed"
when.says = "crushed"
then.suggests = { damage = 0.8 }
"""
GOODS = ("cartons", "lamps", "chairs", "printers", "shelves", "frames", "doors", "pumps", "crates", "desks")
ENDS = ("at the north gate", "on Monday", "with the late van", "for the branch in Leeds", "this week")


def said(text: str, *right: str) -> Row:
    """A labelled mail of the site."""
    name = hashlib.sha256(text.encode()).hexdigest()[:8]
    every = ("complaint", "renewal", "request")
    return Row(name, name, "Delivery", text, {each: each in right for each in every}, "en", "", "real")


def new_kind() -> list[Row]:
    """Complaints without a word of complaint, beside mail that is much like them; nobody could know who is not told."""
    rows = []
    for number in range(50):
        goods, end = GOODS[number % 10], ENDS[number // 10]
        colour, right = ("red", ("complaint",)) if number % 2 else ("white", ())
        text = f"The pallet with the {goods} came in {end}; the tilt card on the film of each layer is {colour}."
        rows.append(said(text, *right))
    return rows


def swapped(rows: Sequence[Row]) -> list[Row]:
    return [dataclasses.replace(row, labels={**row.labels, "complaint": not row.labels["complaint"]}) for row in rows]


def nothing(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def ships() -> list[Row]:
    return read_rows(EXAMPLES / "english-1.jsonl") + read_rows(EXAMPLES / "english-2.jsonl")


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    """A site with one rule; the champion is the model that ships."""
    config = lay_out_site(tmp_path_factory.mktemp("site"))
    for file in (config.base / "rules").glob("*.toml"):
        file.unlink()
    (config.base / "rules/own.toml").write_text(RULE, encoding="utf-8")
    return build_playbook(config, model=models.load())


def builder(playbook: Playbook) -> Build:
    evidence = rule_evidence(playbook.rules, playbook.sought)
    return lambda rows, out: adapt(None, rows, out=out, rule_evidence=evidence, progress=nothing)


def tried(playbook: Playbook, ships: list[Row], site: Sequence[Row], folder: Path) -> Trial:
    return try_out(
        playbook,
        shipped=ships,
        site=site,
        build=builder(playbook),
        folder=folder,
        progress=nothing,
    )


def test_a_better_one_is_let_in(playbook: Playbook, ships: list[Row], tmp_path: Path) -> None:
    trial = tried(playbook, ships, new_kind(), tmp_path)
    assert trial.against == ()
    assert trial.site.champion.mails == trial.site.challenger.mails == 10
    assert trial.site.challenger.areas["complaint"] > trial.site.champion.areas["complaint"]
    assert trial.site.challenger.right > trial.site.champion.right
    assert trial.site.counts == {"complaint": 5}
    assert trial.elsewhere.champion.mails == len(some_of(ships)) > 10
    assert trial.champion_id == playbook.model.model_id != trial.challenger_id == models.load(tmp_path).model_id


def test_one_that_was_told_the_wrong_labels_is_refused(playbook: Playbook, ships: list[Row], tmp_path: Path) -> None:
    older, newest = newest_apart(new_kind())
    builder(playbook)([*ships, *older], tmp_path)
    knowing = dataclasses.replace(playbook, model=models.load(tmp_path))
    trial = tried(knowing, ships, [*swapped(older), *newest], tmp_path)
    assert any("average precision of complaint falls" in sentence for sentence in trial.against), trial.against


def test_one_that_lost_what_ships_is_refused(playbook: Playbook, ships: list[Row], tmp_path: Path) -> None:
    """It learned nothing but the new kind of mail: better there, and worse at all the rest."""
    only = [*new_kind()[:40], *(said(f"Please renew line {n} of the lease.", "renewal") for n in range(8))]
    only += [said(f"Kindly post the list number {n} to us.", "request") for n in range(8)]
    train(rows=only, out=tmp_path, rule_evidence=lambda *_: (), progress=nothing)
    trial = measure(playbook, models.load(tmp_path), site=new_kind()[40:], elsewhere=some_of(ships), progress=nothing)
    assert len(trial.against) >= 1
    assert all("on the examples that ship" in sentence for sentence in trial.against), trial.against


def test_one_that_is_sure_of_what_is_wrong_is_refused(playbook: Playbook, ships: list[Row], tmp_path: Path) -> None:
    """Its scores rank as before, so that no area falls; only it believes itself more."""
    base = models.load()
    fits = {
        name: dataclasses.replace(fit, yes=(fit.threshold,) * 4, no=(fit.threshold - 1e-6,) * 4)
        for name, fit in base.calibration.categories.items()
    }
    believing = dataclasses.replace(base, calibration=dataclasses.replace(base.calibration, categories=fits))
    trial = measure(playbook, believing, site=new_kind(), elsewhere=some_of(ships), progress=nothing)
    assert trial.site.challenger.right == trial.site.champion.right
    assert [sentence for sentence in trial.against if "called sure and are wrong" in sentence] == list(trial.against)
    assert len(trial.against) >= 1


def test_too_few_labels_are_no_lesson(playbook: Playbook, ships: list[Row], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only 9 mails have a label"):
        tried(playbook, ships, new_kind()[:9], tmp_path)


def test_a_model_with_which_an_example_of_the_rules_fails_is_refused(tmp_path: Path, playbook: Playbook) -> None:
    config = lay_out_site(tmp_path / "site")
    own = build_playbook(config)
    assert examples_lost(own, own.model) == ()
    strict = {name: dataclasses.replace(fit, threshold=0.99) for name, fit in own.model.calibration.categories.items()}
    calibration = dataclasses.replace(own.model.calibration, categories=strict)
    [why] = examples_lost(own, dataclasses.replace(own.model, calibration=calibration))
    assert "no longer come out" in why
    assert ".toml:" in why


# --- the measure ----------------------------------------------------------------------------------------------------


def verdict(score: float) -> Verdict:
    scores = (CategoryScore("complaint", score, sure=False),)
    return Verdict(scores, ("complaint",) if score >= 0.5 else (), (), False, "en", "m", "r")


def both(truths: Sequence[bool], champion: Sequence[float], challenger: Sequence[float]) -> Pair:
    rows = [dataclasses.replace(said(f"{n}"), labels={"complaint": truth}) for n, truth in enumerate(truths)]
    return pair(rows, list(map(verdict, champion)), list(map(verdict, challenger)))


def test_the_measure_tells_a_loss_from_chance() -> None:
    truths = [n % 4 == 0 for n in range(40)]
    good = [0.9 - n / 1000 if truth else 0.1 + n / 1000 for n, truth in enumerate(truths)]
    same = both(truths, good, good)
    assert (same.champion.areas, same.noise) == ({"complaint": 1.0}, {"complaint": 0.0})
    assert same.champion.right == 1.0
    slip = both(truths, good, [0.05 if n == 0 else score for n, score in enumerate(good)])
    assert 1 - slip.challenger.areas["complaint"] > 0
    worse = both(truths, good, [1 - score for score in good])
    fall = worse.champion.areas["complaint"] - worse.challenger.areas["complaint"]
    assert fall > 3 * worse.noise["complaint"] > 0
    assert both(truths, good, [1 - score for score in good]) == worse


def test_the_newest_fifth_is_by_the_order_of_the_labels() -> None:
    older, newest = newest_apart(list(range(50)))
    assert (older, newest) == (list(range(40)), list(range(40, 50)))
    assert newest_apart([1]) == ([], [1])


def test_the_fifth_of_what_ships_is_always_the_same_and_keeps_groups_whole(ships: list[Row]) -> None:
    picked = some_of(ships)
    assert [row.row_id for row in some_of(list(reversed(ships)))] == [row.row_id for row in reversed(picked)]
    assert some_of(picked) == picked
    groups = {row.group for row in picked}
    assert {row.row_id for row in ships if row.group in groups} == {row.row_id for row in picked}
    assert 0.1 < len(picked) / len(ships) < 0.3


# --- from the log ---------------------------------------------------------------------------------------------------


def test_labels_become_rows_judged_exactly_as_then(playbook: Playbook, tmp_path: Path) -> None:
    path = tmp_path / "state/triaged.db"
    log = open_log(path)
    texts = (
        "Everything that you sent to us this morning is crushed.\n\n> On Monday you wrote:\n> is it fine?",
        "Todo está aplastado en la entrega.",
    )
    with log.transaction():
        for number, text in enumerate(texts, 1):
            message, decision = decided(playbook, mail(text, number=number))
            row = log.record(message, decision, Locator("desk", "inbox", str(number)), now=NOW).row
            correct(log, row, categories=("damage",), account_id=None, who="eva", now=NOW + timedelta(hours=number))
    with closing(Reader(path)) as reader:
        found = labels(reader)
        rows = site_rows(found, languages=("en",))
        assert [row.judged for row in rows] == [label.message.judged for label in found if label.message is not None]
    log.close()
    assert "is it fine" not in rows[0].judged
    assert rows[0].labels == {"complaint": False, "damage": True, "renewal": False, "request": False}
    assert [(row.language, row.origin, row.group) for row in rows] == [
        ("en", "real", "ann@acme.example"),
        ("", "real", "ann@acme.example"),
    ]


def test_what_if_names_each_mail_that_would_change_and_writes_nothing(
    playbook: Playbook, ships: list[Row], tmp_path: Path
) -> None:
    config = lay_out_site(tmp_path / "site")
    path, number = log_path(config), 0
    log = open_log(path)
    with log.transaction():
        put_accounts(log, [ACME])
        for row in (*new_kind()[40:], *new_kind()[:2]):
            number += 1
            message, decision = decided(playbook, mail(row.body, subject=row.subject, number=number))
            message = dataclasses.replace(message, received=NOW - timedelta(days=200 if number > 10 else number))
            assert log.record(message, decision, Locator("desk", "inbox", str(number)), now=NOW).row == number
    log.close()
    builder(playbook)([*ships, *new_kind()], tmp_path / "other")
    other, before = models.load(tmp_path / "other"), digests(path.parent)
    effect = effect_on_past(
        path, playbook, other, since=NOW - timedelta(days=90), said={1: (), 11: ("request",)}, progress=nothing
    )
    assert effect.mails == 10
    changed = {change.row: change for change in effect.changes}
    assert len(changed) >= 3
    assert all(each.would == ((), ("complaint",))[each.row % 2 == 0] != each.was for each in effect.changes)
    assert [change.row for change in effect.changes] == sorted(changed)
    assert {row: change.said for row, change in changed.items() if change.said is not None} == {1: ()}
    assert sum(count for _, _, count in effect.counts) == len(changed)
    nobody = effect_on_past(path, playbook, playbook.model, since=NOW - timedelta(days=90), said={}, progress=nothing)
    assert (nobody.mails, nobody.changes) == (10, ())
    assert digests(path.parent) == before


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_the_combination_alone_is_fitted_with_the_same_words(
    playbook: Playbook, ships: list[Row], tmp_path: Path
) -> None:
    train(rows=ships, out=tmp_path / "base", rule_evidence=lambda *_: (), progress=nothing)
    for name in ("one", "two"):
        recalibrate(
            tmp_path / "base",
            [*some_of(ships), *new_kind()],
            out=tmp_path / name,
            rule_evidence=rule_evidence(playbook.rules, playbook.sought),
            progress=nothing,
        )
    base, one, two = (models.load(tmp_path / name) for name in ("base", "one", "two"))
    assert one.model_id == two.model_id != base.model_id
    assert one.calibration != base.calibration
    text = "Delivery\n\nThe pallet came in. Please send a new one."
    assert models.judge(one, [text]) == models.judge(base, [text])
