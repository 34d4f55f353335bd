"""Commands of coordinators about templates: have them proofread, see what a client would get."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from triaged import preview as previews
from triaged import terminal, views
from triaged.cli.common import (
    WRONG,
    ConfigOption,
    JsonOption,
    app,
    config_of,
    config_or_shipped,
    fail,
    reader_of,
    row_of,
    write_page,
)
from triaged.decision import Acknowledge
from triaged.errors import ConfigError, Permanent, Problem
from triaged.log.rows import LogRow
from triaged.mail.render import Read, read_templates
from triaged.playbook import Playbook
from triaged.preview import Letter
from triaged.proofread import Proof, proofread
from triaged.settings import Config
from triaged.tomlfile import did_you_mean
from triaged.written import template_files

templates_app = typer.Typer(
    help="The templates: have them proofread, see what a client would get.", no_args_is_help=True
)
app.add_typer(templates_app, name="templates")

RULES_UNREAD = Problem("rules", "cannot be read, so it is not known which templates they name; see 'triaged check'")


@templates_app.command("check", epilog="Example: triaged templates check")
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say everything that is wrong with the templates, and what would come out wrong; exit code 2 if anything is.

    Each is filled in with made-up values: with all of them, and without those that may be empty. What is marked ! is a
    hint, for you to judge.
    """
    from triaged.loading import languages_of, ours_of, rules_alone, written_of

    loaded = config_or_shipped(config)
    folder, written = loaded.path(loaded.service.templates_dir), written_of(loaded)
    rules, more = None, [RULES_UNREAD]
    with suppress(ConfigError):  # 'triaged check' tells it
        rules, more = rules_alone(loaded, written), []
    proof = proofread(
        written.templates,
        rules=rules,
        ours=ours_of(loaded),
        colleagues=languages_of(loaded),
        now=datetime.now(UTC),
        others=sorted(path.name for path in folder.iterdir() if _is_stray(path)),
    )
    hints = (*proof.hints, *more)
    if as_json:
        for kind, problems in (("error", proof.problems), ("hint", hints)):
            for each in problems:
                print(views.line(views.problem_view(kind, each)))  # noqa: T201
    else:
        _print_proof(terminal.console(), proof, hints, files=len(written.templates))
    if len(proof.problems) > 0:
        raise typer.Exit(WRONG)


@templates_app.command("preview", epilog="Example: triaged templates preview complaint --mail 12")
def preview(
    name: Annotated[str | None, typer.Argument(help="The template; else all of them.", metavar="[NAME]")] = None,
    mail: Annotated[
        str | None, typer.Option("--mail", help="For this mail of the log: its number or reference.", metavar="ID")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Only in this language, as 'de'.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here too.", metavar="FILE")] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Another folder that holds rules/ and templates/.", metavar="FOLDER"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a template looks like as a mail; nothing is sent.

    Without --mail it is filled in with made-up values, in every language there is. With --mail it is exactly what the
    writer of that mail would get if the rules named this template; without NAME, what they get by the rules as they
    are.
    """
    if name is not None:
        name, _, of_name = name.removesuffix(".txt").partition(".")
        language = language or of_name or None
    if mail is not None:
        shown, told, said = _for_mail(config_of(config), mail, name, language or "", folder)
        objects = [told]
    else:
        shown, said = _made_up(config_or_shipped(config), name, language or "", folder), ["The values are made up."]
        objects = [previews.view(each) for each in shown]
    if html is not None:
        write_page(html, previews.page(shown, title="What would be sent", said=said))
    if as_json:
        for told in objects:
            print(views.line(told))  # noqa: T201
        return
    out = terminal.console()
    for sentence in said:
        out.print(sentence, markup=False, soft_wrap=True)
    for each in shown:
        _print_letter(out, each)
    if html is not None:
        out.print(f"\nThe same as a page: {html}", markup=False, soft_wrap=True)


# --- what is shown ---------------------------------------------------------------------------------------------


def _made_up(config: Config, name: str | None, language: str, folder: Path | None) -> list[Letter]:
    """Each template of that name, or all, in that language, or all, with made-up values; a mistake ends the command."""
    from triaged.loading import ours_of

    templates_dir = folder / "templates" if folder is not None else config.path(config.service.templates_dir)
    read, ours = read_templates(template_files(templates_dir)), ours_of(config)
    named = {stem.split(".")[0] for stem in read.bodies}
    stems = [stem for stem in sorted(read.bodies) if name is None or stem.split(".")[0] == name]
    _must_be_right(read, name)
    if len(stems) == 0:
        fail(f"there is no template {name}{did_you_mean(name or '', named)}; there are {', '.join(sorted(named))}")
    written = {stem: stem.partition(".")[2] or ours.language for stem in stems}
    if language != "" and language not in written.values():
        fail(f"it is not there in '{language}'; there are {', '.join(sorted(set(written.values())))}")
    wanted = [stem for stem in stems if language in ("", written[stem])]
    if language == ours.language:  # `complaint.en` goes before `complaint` there
        wanted = [stem for stem in wanted if "." in stem or f"{stem}.{language}" not in wanted]
    now = datetime.now(UTC)
    return [previews.made_up(read, stem, ours=ours, now=now) for stem in wanted]


def _must_be_right(read: Read, name: str | None) -> None:
    """Refuse a template that cannot be read, or the layout; others may be wrong meanwhile. Raises: ConfigError."""
    files = [(each.where.removeprefix("templates/"), each) for each in read.problems]
    wrong = tuple(each for file, each in files if file.split(".")[0] in (name, "layout") or name is None)
    if len(wrong) > 0:
        raise ConfigError(wrong)


def _for_mail(
    config: Config, mail: str, name: str | None, language: str, folder: Path | None
) -> tuple[list[Letter], dict[str, Any], list[str]]:
    """What the writer of a logged mail would get: the mail, if any, the same for programs, and sentences about it."""
    from triaged.decide import answer
    from triaged.loading import assembled, written_of

    with reader_of(config) as reader:
        row = row_of(reader, mail)
        message, background = reader.message(row.id), reader.background(row.id)
        locator, decision = reader.locator(row.id), reader.decision(row.id)
    if message is None or background is None or locator is None or decision is None:
        fail(f"what was known of mail {mail} is not in the log any more, or never was; 'triaged show {mail}' says why")
    playbook = assembled(config, dry=True, written=written_of(config, rules_dir=folder))
    _must_be_possible(playbook, name, locator.mailbox)
    try:
        acknowledge, made = answer(
            message,
            locator=locator,
            playbook=playbook,
            background=background,
            now=decision.decided_at,
            template=name or "",
            language=language,
        )
    except Permanent as error:
        fail(f"it cannot be written, so a person would be asked: {error}")
    shown = [previews.letter(made.template, made.mail)] if made is not None else []
    said = _sentences(row, acknowledge, shown, name, language)
    told = {
        "mail": row.id,
        "reference": row.reference,
        "asked": name,
        "would_send": acknowledge.would_send,
        "reason": acknowledge.reason,
        "said": said,
        "answer": previews.view(shown[0]) if len(shown) > 0 else None,
    }
    return shown, told, said


def _must_be_possible(playbook: Playbook, name: str | None, mailbox: str) -> None:
    """Refuse a template that no rule can name, and a mailbox that is gone."""
    names = playbook.templates.names
    if name is not None and name not in names:
        fail(f"rules cannot name {name}{did_you_mean(name, names)}; they can name {', '.join(sorted(names))}")
    if mailbox not in playbook.mailboxes:
        fail(f"the mail came to '{mailbox}', which is no longer in the configuration")


def _sentences(
    row: LogRow, acknowledge: Acknowledge, shown: Sequence[Letter], name: str | None, language: str
) -> list[str]:
    said = [f"Mail {row.id}, {row.reference}, from {row.sender or '-'}: {row.subject}"]
    if len(shown) == 0:
        return [*said, f"It is not answered. {acknowledge.reason}."]
    used = shown[0].template
    if name is not None and used.split(".")[0] != name:
        said.append(f"It would not get {name}, but {used}.txt.")
    elif language != "" and used.partition(".")[2] != language:
        said.append(f"There is no {used}.{language}.txt, so {used}.txt is used.")
    return [*said, f"{acknowledge.reason}."]


# --- printing --------------------------------------------------------------------------------------------------


def _is_stray(path: Path) -> bool:
    """Whether a file lies among the templates and is not read; hidden ones and an editor's copies do not count."""
    return path.is_file() and not path.name.endswith((".txt", ".html", "~")) and not path.name.startswith((".", "#"))


def _print_proof(out: Console, proof: Proof, hints: Sequence[Problem], *, files: int) -> None:
    marked = [("[bold red]✗[/bold red]", each) for each in proof.problems]
    marked += [("[bold yellow]![/bold yellow]", each) for each in hints]
    for mark, each in marked:
        out.print(f"{mark} [bold]{escape(each.where)}[/bold]: {escape(each.what)}", soft_wrap=True)
    wrong, doubtful = len(proof.problems), len(hints)
    words = f"{wrong} problem{'s' if wrong != 1 else ''}, {doubtful} hint{'s' if doubtful != 1 else ''}"
    mark = "[green]✓[/green] " if wrong == 0 else ""
    out.print(f"{mark}{files} files, read as {proof.filled} made-up mails: {words}")


def _print_letter(out: Console, shown: Letter) -> None:
    out.print(f"\n[bold]── {escape(shown.template)}.txt ──[/bold]", soft_wrap=True)
    width = max(len(field) for field, _ in shown.head) + 2
    for field, words in shown.head:
        out.print(f"[dim]{f'{field}:':<{width}}[/dim]{escape(words)}", soft_wrap=True)
    back = f"comes back to {shown.returns_to}" if shown.returns_to != "" else "does not come back (<>)"
    out.print(f"[dim]{'Bounces:':<{width}}[/dim]if it cannot be delivered, it {escape(back)}", soft_wrap=True)
    out.print("")
    out.print(shown.text.rstrip("\n"), markup=False, soft_wrap=True)
