"""Commands about the classifier: train it, measure it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from triaged import shipped, terminal, views
from triaged.classify.evaluate import Row
from triaged.cli.common import ConfigOption, JsonOption, app, config_of, config_or_shipped, fail, write_page
from triaged.cli.models import Asked, train_from_log
from triaged.errors import ConfigError, Problem


@app.command(epilog="Example: triaged train --from-log --dry-run")
def train(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the model; else ./model.", metavar="DIR")
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--also", help="Labelled real mails too, as `evaluate` reads them.", metavar="FILE.jsonl"),
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="Learn from what people said of the mails in the log too.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --from-log: only how model and rules add up; takes seconds.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --from-log: only measure, change nothing.")] = False,
    by_timer: Annotated[bool, typer.Option("--by-timer", hidden=True, help="The worker asks for it.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the classifier anew on the examples that ship, and with --from-log on what people said of the site's mails;
    with --from-log the new model takes the old one's place only if it is not worse at anything."""
    if from_log:
        if out is not None or also:
            fail("--from-log goes without --out and --also: the model is kept in the state folder")
        asked = Asked(quick=quick, dry_run=dry_run, by_timer=by_timer, as_json=as_json)
        train_from_log(config_of(config), asked)
        return
    if quick or dry_run or as_json:
        fail("--quick, --dry-run and --json go with --from-log")
    _train_anew(out or Path("model"), also or [], config)


def _train_anew(out: Path, also: Sequence[Path], config: Path | None) -> None:
    from triaged.classify.train import train as train_model
    from triaged.learning import rule_evidence
    from triaged.loading import rules_and_templates
    from triaged.playbook import sought_of

    rules, _ = rules_and_templates(config_or_shipped(config))
    rows = _rows_to_learn_from(also)
    with Progress(console=terminal.console(stderr=True)) as bar:
        task = bar.add_task(f"training on {len(rows)} mails")

        def progress(step: str, done: int, total: int) -> None:
            bar.update(task, description=f"{step}", completed=done, total=total)

        evidence = rule_evidence(rules, sought_of(rules))
        train_model(rows=rows, out=out, rule_evidence=evidence, progress=progress)
    words = f'trained on {len(rows)} mails; to use it set [service] model_dir = "{out}"'
    terminal.console().print(words, markup=False, soft_wrap=True)


def _rows_to_learn_from(also: Sequence[Path]) -> list[Row]:
    """What ships, and labelled real mails. A file that cannot be read ends the command."""
    from triaged.classify.evaluate import read_rows
    from triaged.classify.train import example_rows
    from triaged.mail.newtext import split

    def new_text(body: str) -> str:
        return split(body)[0]

    rows = example_rows(shipped.EXAMPLES, new_text=new_text)
    for file in also:
        try:
            rows += read_rows(file, new_text=new_text, origin="real")
        except (OSError, ValueError, KeyError, TypeError) as error:
            fail(f"the labelled mails of {file} cannot be read: {error}")
    return rows


@app.command(epilog="Example: triaged evaluate labelled.jsonl --html report.html")
def evaluate(
    file: Annotated[Path, typer.Argument(help='Lines {"id","subject","from","body","labels"}.', metavar="FILE.jsonl")],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here too.", metavar="FILE")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and mails give the same intervals.", min=0)] = 1,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the classifier on labelled mails: precision, recall, F1, average precision, calibration, what is sure."""
    from triaged import scorecard
    from triaged.classify.bootstrap import RESAMPLES, intervals
    from triaged.classify.evaluate import evaluate as measure
    from triaged.learning import judge_rows
    from triaged.loading import build_playbook

    rows = _labelled(file)
    playbook = build_playbook(config_or_shipped(config), dry=True)
    with Progress(console=terminal.console(stderr=True), disable=as_json) as bar:
        task = bar.add_task("judging", total=len(rows))
        began = time.perf_counter()
        verdicts = judge_rows(playbook, lambda count: bar.advance(task, count))(rows)
        elapsed_s = time.perf_counter() - began
        drawing = bar.add_task("intervals", total=RESAMPLES)
        told = intervals(rows, verdicts, seed=seed, progress=lambda count: bar.advance(drawing, count))
    report = replace(measure(rows, judge=lambda _rows: verdicts, elapsed_s=elapsed_s), intervals=told)
    if html is not None:
        write_page(html, scorecard.page(report, name=file.name, model=playbook.model.model_id))
    if as_json:
        print(views.line(report.as_dict()))  # noqa: T201
        return
    terminal.print_report(terminal.console(), report)
    if html is not None:
        terminal.console().print(f"\nThe same as a page: {html}", markup=False, soft_wrap=True)


def _labelled(file: Path) -> list[Row]:
    """Raises: ConfigError when the file has no labelled mails."""
    from triaged.classify.evaluate import read_rows
    from triaged.mail.newtext import split

    try:
        rows = read_rows(file, new_text=lambda body: split(body)[0])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError((Problem(str(file), f"is not a file of labelled mails: {error}"),)) from None
    if len(rows) == 0:
        raise ConfigError((Problem(str(file), "holds no mail; each line is one labelled mail"),))
    return rows
