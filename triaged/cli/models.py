"""Commands about the site's own models: learn one from the log, list them, choose one, see what it would change."""

from __future__ import annotations

import dataclasses
import getpass
import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import shelf, shipped, terminal, views
from triaged.classify.evaluate import Row
from triaged.classify.model import Model, load
from triaged.cli.common import (
    ConfigOption,
    JsonOption,
    app,
    audited,
    config_of,
    fail,
    progress_bar,
    reader_of,
    span_of,
    writing,
)
from triaged.log.labels import Label, labels, said, told
from triaged.log.read import Reader
from triaged.playbook import Playbook
from triaged.promotion import Build, Pair, Trial, examples_lost, measure, newest_apart, some_of, try_out
from triaged.settings import Config
from triaged.whatif.otherwise import Change, Changes, effect_on_past

model_app = typer.Typer(help="The site's own models: what there are, which one is in use.", no_args_is_help=True)
app.add_typer(model_app, name="model")

NameArgument = Annotated[str, typer.Argument(help="A model's id, `shipped` or `configured`.", metavar="MODEL")]
LOWEST_PRIORITY = 19
TAKEN = "a worker that runs takes it by itself within seconds"


@dataclass(frozen=True, slots=True)
class Asked:
    """How to learn from the log. quick: only how model and rules add up. by_timer: the worker asks, not a person."""

    quick: bool
    dry_run: bool
    by_timer: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Lessons:
    """What there is to learn from: labels of the log, their rows in the same order, the rows that ship."""

    labels: tuple[Label, ...]
    site: list[Row]
    shipped: list[Row]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a training. parent: the name of the model that was in use before."""

    asked: Asked
    trial: Trial
    lessons: _Lessons
    parent: str

    @property
    def who(self) -> str:
        """Who asked for it."""
        return "timer" if self.asked.by_timer else getpass.getuser()

    @property
    def event(self) -> str:
        """The first word of its event."""
        return "adjust" if self.asked.quick else "learn"

    @property
    def kind(self) -> str:
        """What was done, in words."""
        return "the combination was fitted anew" if self.asked.quick else "the text model was trained anew"


# --- learning -----------------------------------------------------------------------------------------------------


def train_from_log(config: Config, asked: Asked) -> None:
    """Train a challenger, measure it, promote it if nothing speaks against it, and write down what came of it."""
    from triaged.loading import build_playbook

    if asked.by_timer:  # it must slow no mail down, and end before the worker lacks memory
        os.nice(LOWEST_PRIORITY)
        limit = config.triage.memory_mb * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    playbook = build_playbook(config, dry=True)
    with reader_of(config) as reader:
        lessons = _lessons(reader, playbook, quick=asked.quick)
    base = base_of(config, playbook)
    made = ""
    with progress_bar(quiet=asked.as_json) as progress:
        build = _build(base.folder, playbook, asked, progress)
        try:
            with TemporaryDirectory(prefix="triaged-") as folder:
                trial = try_out(
                    playbook,
                    shipped=lessons.shipped,
                    site=lessons.site,
                    build=build,
                    folder=Path(folder),
                    progress=progress,
                )
            if len(trial.against) == 0 and not asked.dry_run:
                with shelf.draft(config.state_dir) as folder:
                    made = build([*lessons.shipped, *lessons.site], folder)
                    trial = dataclasses.replace(trial, against=examples_lost(playbook, load(folder)))
                    if len(trial.against) == 0:
                        _promote(config, folder, made, _Outcome(asked, trial, lessons, base.name))
        except ValueError as error:
            fail(f"nothing was trained: {error}")
    _tell(config, made, _Outcome(asked, trial, lessons, base.name))


def _lessons(reader: Reader, playbook: Playbook, *, quick: bool = False) -> _Lessons:
    from triaged.classify.train import example_rows
    from triaged.learning import site_rows
    from triaged.mail.newtext import split

    found = labels(reader)
    site = site_rows(found, languages=playbook.model.calibration.languages)
    ships = example_rows(shipped.EXAMPLES, new_text=lambda body: split(body)[0])
    return _Lessons(tuple(found), site, some_of(ships) if quick else ships)


def base_of(config: Config, playbook: Playbook) -> shelf.Chosen:
    """The model that the playbook judges with."""
    if playbook.model_problem != "":
        return shelf.Chosen(shelf.SHIPPED, None, playbook.model_problem)
    return shelf.chosen(config.state_dir, configured=shelf.configured_model(config))


def _build(base: Path | None, playbook: Playbook, asked: Asked, progress: Any) -> Build:
    """How rows become a model, from the one in the folder `base`."""
    from triaged.classify.adapt import adapt, recalibrate
    from triaged.learning import rule_evidence

    make, evidence = recalibrate if asked.quick else adapt, rule_evidence(playbook.rules, playbook.sought)
    return lambda rows, out: make(base, rows, out=out, rule_evidence=evidence, progress=progress)


def _promote(config: Config, folder: Path, made: str, outcome: _Outcome) -> None:
    """Lay the model that was made from all the labels in its place and put it to use."""
    lessons, now = outcome.lessons, datetime.now(UTC)
    confirmed = sum(label.confirmed for label in lessons.labels if label.message is not None)
    about = {
        "made": views.moment(now),
        "by": outcome.who,
        "kind": outcome.event,
        "rows": {
            "shipped": len(lessons.shipped),
            "corrected": len(lessons.site) - confirmed,
            "confirmed": confirmed,
        },
        "parent": outcome.parent,
        "until": views.moment(lessons.labels[-1].at),
        "trial": outcome.trial.as_dict(),
    }
    shelf.put(config.state_dir, folder, made, about)
    words = (
        f"{outcome.kind}, by {outcome.who}: model {made} takes the place of {outcome.trial.champion_id}; learned from "
        f"{len(lessons.site)} labelled mails; {_figure_words(outcome.trial)}"
    )
    with writing(config) as rows:
        told(rows, f"{outcome.event}.promoted", words, now=now)
        shelf.use(config.state_dir, made, who=outcome.who, now=now)


def _tell(config: Config, made: str, outcome: _Outcome) -> None:
    """Write down a refusal, and say what came of it."""
    asked, trial, refused = outcome.asked, outcome.trial, len(outcome.trial.against) > 0
    if refused and not asked.dry_run:
        why = "; ".join(trial.against)
        words = f"{outcome.kind}, by {outcome.who}, and refused: {why}. Model {trial.champion_id} stays in use"
        with writing(config) as rows:
            told(rows, f"{outcome.event}.refused", words, now=datetime.now(UTC))
    if asked.as_json:
        promoted = made if made != "" and not refused else None
        print(views.line({**trial.as_dict(), "dry_run": asked.dry_run, "promoted": promoted}))  # noqa: T201
    else:
        _print_outcome(terminal.console(), made, outcome)


def _figure_words(trial: Trial) -> str:
    """Both models' average precision, in a line."""
    site, ships = trial.site, trial.elsewhere
    areas = [f"{name} {area:.2f} → {site.challenger.areas[name]:.2f}" for name, area in site.champion.areas.items()]
    return (
        f"average precision on the {site.champion.mails} newest: {', '.join(areas) or 'no category'}; "
        f"on what ships {ships.champion.macro:.3f} → {ships.challenger.macro:.3f}"
    )


def _print_outcome(out: Console, made: str, outcome: _Outcome) -> None:
    trial, lessons = outcome.trial, outcome.lessons
    gone = len(lessons.labels) - len(lessons.site)
    out.print(
        f"{len(lessons.site)} labelled mails of the log and {len(lessons.shipped)} examples that ship"
        + (f"; {gone} more labels are of mails whose text is no longer as it was" if gone > 0 else ""),
        soft_wrap=True,
    )
    _print_pairs(out, trial, ("in use", "challenger"))
    for sentence in trial.against:
        out.print(f"[yellow]{escape(sentence)}[/yellow]", soft_wrap=True)
    if len(trial.against) > 0:
        out.print(f"refused: model {trial.champion_id} stays in use")
    elif outcome.asked.dry_run:
        out.print("nothing speaks against it; without --dry-run it would be put to use")
    else:
        out.print(f"[green]✓[/green] model {made} is in use, trained on all of these; {TAKEN}", soft_wrap=True)
        out.print(f"back again: triaged model use {outcome.parent}", soft_wrap=True)


def _print_pairs(out: Console, trial: Trial, names: tuple[str, str]) -> None:
    """Both models' figures side by side."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("on", "figure", "mails", *names, "chance"):
        table.add_column(name, justify="left" if name in ("on", "figure") else "right")
    where: tuple[tuple[str, Pair], ...] = (("the newest labelled mails", trial.site), ("what ships", trial.elsewhere))
    for words, pair in where:
        before, after = pair.champion, pair.challenger
        for name, area in before.areas.items():
            cells = (str(pair.counts[name]), f"{area:.3f}", f"{after.areas[name]:.3f}", f"{pair.noise[name]:.3f}")
            table.add_row(words, f"average precision of {escape(name)}", *cells)
        cells = (str(before.mails), f"{before.right:.1%}", f"{after.right:.1%}", f"{pair.right_noise:.1%}")
        table.add_row(words, "wholly right", *cells)
        sure = [f"{side.sure_right} of {side.sure}" for side in (before, after)]
        table.add_row(words, "right of those that are sure", str(before.mails), *sure, "")
    out.print(table)


# --- list, use, compare -----------------------------------------------------------------------------------------


@model_app.command("list", epilog="Example: triaged model list --json")
def model_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the models: the one that ships and the site's own, what each learned from, how it did, which is in use."""
    loaded = config_of(config)
    choice = shelf.chosen(loaded.state_dir, configured=shelf.configured_model(loaded))
    rows: list[dict[str, Any]] = [{"model": shelf.SHIPPED}]
    if loaded.service.model_dir:
        rows.append({"model": shelf.CONFIGURED})
    rows += [{"model": each.model_id, **each.about} for each in shelf.kept(loaded.state_dir)]
    for row in rows:
        row.pop("files", None)
        row["in_use"] = row["model"] == choice.name
        if as_json:
            print(views.line(row))  # noqa: T201
    if not as_json:
        _print_models(terminal.console(), rows, choice.problem)


def _print_models(out: Console, rows: Sequence[dict[str, Any]], problem: str) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("model", "in use", "made", "by", "kind", "learned from", "instead of", "newest: right", "what ships"):
        table.add_column(name)
    for row in rows:
        counts, trial = row.get("rows", {}), row.get("trial", {})
        both = [[trial[where][side] for side in ("champion", "challenger")] for where in ("site", "elsewhere") if trial]
        table.add_row(
            escape(row["model"]),
            "[green]in use[/green]" if row["in_use"] else "",
            str(row.get("made", "")),
            escape(str(row.get("by", ""))),
            str(row.get("kind", "")),
            ", ".join(f"{count} {name}" for name, count in counts.items()),
            str(row.get("parent", "")),
            " → ".join(f"{side['right']:.0%}" for side in both[0]) if both else "",
            " → ".join(f"{side['macro_average_precision']:.3f}" for side in both[1]) if both else "",
        )
    out.print(table)
    if problem != "":
        out.print(f"[bold red]✗[/bold red] {escape(problem)}", soft_wrap=True)


@model_app.command("use", epilog="Example: triaged model use shipped")
def model_use(name: NameArgument, config: ConfigOption = None) -> None:
    """Put a model to use, an earlier one or the one that ships; a worker that runs takes it within seconds."""
    from triaged.loading import build_playbook

    loaded = config_of(config)
    model, now, who = _model(loaded, name), datetime.now(UTC), getpass.getuser()
    build_playbook(loaded, dry=True, model=model)  # the rules must be right with it, or the worker would not start
    with writing(loaded) as rows:
        told(rows, "model.used", f"model {name} ({model.model_id}) was put to use, by {who}", now=now)
        audited(rows, "model.use", f"model {name} ({model.model_id})")
        shelf.use(loaded.state_dir, name, who=who, now=now)
    terminal.console().print(f"model {name} is in use; {TAKEN}", markup=False, soft_wrap=True)


@model_app.command("compare", epilog="Example: triaged model compare 3f9c0a12be45 shipped --since 30d")
def model_compare(
    name: NameArgument,
    against: Annotated[
        str, typer.Argument(help="The model to compare it with; else the one in use.", metavar="[MODEL]")
    ] = "",
    since: Annotated[str, typer.Option(help="Past mail received since then: 24h, 90d.")] = "90d",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two models on labelled mails, and say what the first would change about past mail; touches nothing."""
    from triaged.loading import build_playbook
    from triaged.wire import log_path

    loaded, begin = config_of(config), datetime.now(UTC) - span_of(since)
    candidate = _model(loaded, name)
    playbook = build_playbook(loaded, dry=True, model=_model(loaded, against) if against != "" else None)
    with reader_of(loaded) as reader:
        lessons, corrected = _lessons(reader, playbook), said(reader)
    newest = newest_apart(lessons.site)[1] if len(lessons.site) > 0 else []
    with progress_bar(quiet=as_json) as progress:
        trial = measure(playbook, candidate, site=newest, elsewhere=some_of(lessons.shipped), progress=progress)
        effect = effect_on_past(
            log_path(loaded), playbook, candidate, since=begin, said=corrected, progress=partial(progress, "past mail")
        )
    if as_json:
        print(views.line({**trial.as_dict(), "past": _effect_view(effect)}))  # noqa: T201
        return
    out = terminal.console()
    _print_pairs(out, trial, (against or "in use", name))
    for each in _knowing(loaded, (name, against), lessons):
        out.print(f"[yellow]model {each} has learned from some of these labelled mails[/yellow]")
    out.print("")
    _print_effect(out, effect, since)


def _knowing(config: Config, names: Sequence[str], lessons: _Lessons) -> list[str]:
    """Those of the models that have learned from labels among the newest fifth."""
    whole = [label for label in lessons.labels if label.message is not None]
    first = min((views.moment(label.at) or "" for label in newest_apart(whole)[1]), default="9999")
    until = {each.model_id: str(each.about.get("until")) for each in shelf.kept(config.state_dir)}
    if "" in names:
        names = (*names, shelf.chosen(config.state_dir, configured=shelf.configured_model(config)).name)
    return [name for name in dict.fromkeys(names) if until.get(name, "") >= first]


def _model(config: Config, name: str) -> Model:
    """A model by its name; without it the command ends."""
    try:
        return load(shelf.folder_of(config.state_dir, name, configured=shelf.configured_model(config)))
    except (OSError, ValueError, KeyError) as error:
        fail(f"model {name} cannot be used: {error}; 'triaged model list' shows those there are")


def _effect_view(effect: Changes) -> dict[str, Any]:
    return {
        "mails": effect.mails,
        "sure": effect.sure,
        "would_be_sure": effect.would_be_sure,
        "changed": len(effect.changes),
        "counts": [{"was": list(was), "would_be": list(would), "mails": n} for was, would, n in effect.counts],
        "changes": [
            {
                "id": each.row,
                "subject": each.subject,
                "was": list(each.was),
                "would_be": list(each.would),
                "was_sure": each.was_sure,
                "would_be_sure": each.would_sure,
                "person_said": list(each.said) if each.said is not None else None,
                "answers": list(answers) if (answers := _answers(each)) is not None else None,
            }
            for each in effect.changes
        ],
    }


def _answers(change: Change) -> tuple[str, str] | None:
    """The templates that were and would be used, where they differ."""
    found = change.aspect("acknowledge")
    return (found.was[0], found.would[0]) if found is not None and found.was[0] != found.would[0] else None


def _print_effect(out: Console, effect: Changes, since: str) -> None:
    answers = sum(_answers(each) is not None for each in effect.changes)
    out.print(
        f"Of {effect.mails} mails of the last {since}, {len(effect.changes)} would have another category, {answers} "
        f"another answer; {effect.would_be_sure} would be sure instead of {effect.sure}. Nothing was changed.",
        soft_wrap=True,
    )
    for was, would, count in effect.counts:
        out.print(f"  {count:>5}  {_words(was)} → {_words(would)}")
    if len(effect.changes) == 0:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "subject", "was", "would be", "a person said"):
        table.add_column(column, overflow="ellipsis")
    for each in effect.changes[: terminal.SHOWN]:
        table.add_row(*_cells(each))
    out.print("")
    out.print(table)
    if len(effect.changes) > terminal.SHOWN:
        out.print(f"… and {len(effect.changes) - terminal.SHOWN} more; --json lists all")


def _cells(each: Change) -> tuple[str, ...]:
    marks = [f"{_words(words)}{'' if sure else ' [yellow]?[/yellow]'}" for words, sure in _sides(each)]
    return str(each.row), escape(each.subject), *marks, _words(each.said) if each.said is not None else ""


def _sides(each: Change) -> Iterator[tuple[tuple[str, ...], bool]]:
    yield each.was, each.was_sure
    yield each.would, each.would_sure


def _words(categories: tuple[str, ...]) -> str:
    return ", ".join(terminal.coloured(each) for each in categories) or terminal.coloured("other")
