"""Log rows and decisions in, tables and plain words on the terminal out (rich); plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged.classify.evaluate import ALL_WHOLE_PERCENT, Interval, Report
from triaged.decision import Decision
from triaged.errors import Problem
from triaged.log.alerts import Alert
from triaged.log.labels import Learning
from triaged.log.rows import BouncedRow, BreakerRow, EffectRow, EventRow, HeldRow, LogRow
from triaged.log.status import Status
from triaged.model import Account, Message
from triaged.risk import evidence_words

PIPE_WIDTH = 200
"""Columns of a table that goes into a pipe, where nobody says how wide it may be."""

COLOURS = {
    "complaint": "red",
    "renewal": "magenta",
    "request": "cyan",
    "other": "dim",
    "quarantined": "bold red",
    "person": "bold yellow",
    "held": "yellow",
    "owed": "blue",
    "doing": "blue",
    "done": "green",
    "ok": "green",
    "trouble": "bold red",
    "warning": "yellow",
    "live": "green",
    "observed": "yellow",
    "over": "dim",
    "dropped": "dim",
}

SHOWN = 20
"""Lines of a list that has no end; the rest is a number."""


def console(*, stderr: bool = False) -> Console:
    """A console that is wide enough in a pipe."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=PIPE_WIDTH, color_system=None)
    return made


def coloured(word: str) -> str:
    """The word in its colour, as rich markup."""
    colour = COLOURS.get(word)
    return f"[{colour}]{escape(word)}[/{colour}]" if colour is not None else escape(word)


def wall(moment: datetime | None, zone: str) -> str:
    """A time on the wall clock: `Tue 17 Nov 08:14`."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%a %d %b %H:%M") if moment is not None else ""


def categories_of(row: LogRow) -> str:
    """The categories in colour; a question mark where it is not sure."""
    if row.state == "quarantined":
        return coloured("quarantined")
    words = ", ".join(coloured(category) for category in row.categories) or coloured("other")
    return words if row.sure else f"{words} [yellow]?[/yellow]"


def answer_of(row: LogRow) -> str:
    """What became of what was to be done, short: `ack done, call owed`."""
    states = [f"{kind} {coloured(state)}" for kind, state in row.effects]
    if row.automatic == "machine":
        states.append("[dim]machine, not answered[/dim]")
    if row.assigned != "":
        states.append(f"for {escape(row.assigned)}")
    if row.answered is not None:
        states.append("[green]answered by a person[/green]")
    if row.done is not None:
        states.append(coloured("done"))
    if row.copies > 1:
        states.append(f"[dim]came {row.copies} times, answered once at most[/dim]")
    return ", ".join(states)


def log_table(rows: Sequence[LogRow], *, zone: str) -> Table:
    """The triage log."""
    table = Table(box=None, header_style="bold", pad_edge=False, expand=False)
    for name, style in (
        ("id", "dim"),
        ("received", ""),
        ("category", ""),
        ("account", ""),
        ("from", ""),
        ("subject", ""),
    ):
        table.add_column(name, style=style, no_wrap=name in ("id", "received", "category"), overflow="ellipsis")
    table.add_column("done", overflow="fold")
    for row in rows:
        table.add_row(
            str(row.id),
            wall(row.received, zone),
            categories_of(row),
            escape(row.account_id or "-"),
            escape(row.sender or "-"),
            escape(row.subject),
            answer_of(row),
        )
    return table


def print_problems(problems: Sequence[Problem]) -> None:
    """Every problem on its line, on standard error."""
    err = console(stderr=True)
    for problem in problems:
        err.print(
            f"[bold red]✗[/bold red] [bold]{escape(problem.where)}[/bold]: {escape(problem.what)}", soft_wrap=True
        )
    count = len(problems)
    err.print(f"{count} problem{'s' if count != 1 else ''}; nothing was done.", style="red")


def print_warnings(problems: Iterable[Problem]) -> None:
    """What is not right and keeps nothing from working, a line each, on standard error."""
    for problem in problems:
        where, what = escape(problem.where), escape(problem.what)
        console(stderr=True).print(f"[bold yellow]![/bold yellow] [bold]{where}[/bold]: {what}", soft_wrap=True)


def print_found(out: Console, problems: Iterable[Problem], *, mark: str) -> None:
    """Problems or hints, a line each. mark: stands in front, as rich markup."""
    for problem in problems:
        out.print(f"{mark} [bold]{escape(problem.where)}[/bold]: {escape(problem.what)}", soft_wrap=True)


def print_decision(out: Console, file: str, message: Message, decision: Decision) -> None:
    """What would be decided about a mail, in a few lines."""
    verdict = decision.verdict
    out.print(f"[bold]{escape(file)}[/bold]  {escape(message.subject)}", soft_wrap=True)
    words = ", ".join(coloured(each) for each in verdict.chosen) or coloured("other")
    scores = ", ".join(f"{each.category} {each.score:.2f}" for each in verdict.scores)
    out.print(f"  {words}{'' if verdict.sure else ' (unsure)'}   [dim]{escape(scores)}[/dim]")
    out.print(f"  account: {escape(decision.account.account_id or 'none')} ({escape(decision.account.evidence)})")
    template = f" [{decision.acknowledge.template}]" if decision.acknowledge.template else ""
    sent = "yes" if decision.acknowledge.would_send else "no"
    out.print(f"  acknowledge: {sent}{escape(template)}. {escape(decision.acknowledge.reason)}", soft_wrap=True)
    if decision.call is not None:
        way = "times are offered for a call of" if decision.call.way == "offer" else "a call of"
        out.print(f"  call: {way} {decision.call.minutes} minutes with {escape(decision.call.person)}")
    if decision.answer is not None:
        out.print(f"  about the call that stands: {escape(decision.answer.words)}", soft_wrap=True)
    if decision.risk.score > 0:
        why = "; ".join(evidence_words(each) for each in decision.risk.evidence)
        out.print(f"  risk: {decision.risk.score:.2f} ({escape(why)})", soft_wrap=True)
    for defect in message.defects:
        out.print(f"  [yellow]defect: {escape(defect)}[/yellow]")


def print_story(
    out: Console,
    row: LogRow,
    message: Message | None,
    effects: Sequence[EffectRow],
    events: Sequence[EventRow],
    *,
    zone: str,
) -> None:
    """One mail of the log: head, text, what was done, what happened."""
    out.print(f"[bold]{row.id}  {escape(row.reference)}  {escape(row.subject)}[/bold]", soft_wrap=True)
    out.print(f"from {escape(row.sender or '-')} to {escape(row.mailbox)}, received {wall(row.received, zone)}")
    due = f", answer due {wall(row.due, zone)}" if row.due is not None else ""
    risk = f", risk {row.risk:.2f}" if row.risk is not None and row.risk > 0 else ""
    account = escape(row.account_id or "none")
    assigned = f"; for {escape(row.assigned)}" if row.assigned != "" else ""
    done = f"; answered by a person {wall(row.answered, zone)}" if row.answered is not None else ""
    done += f"; done since {wall(row.done, zone)}" if row.done is not None else ""
    out.print(f"{categories_of(row)}; account {account}; priority {row.priority}{risk}{due}{assigned}{done}\n")
    if message is not None:
        out.print(escape(message.new_text.strip()), soft_wrap=True)
        if message.quoted.strip() != "":
            out.print("[dim](and quoted text)[/dim]")
    for effect in effects:
        what = effect.payload.get("question") or effect.detail
        out.print(f"\n{effect.kind}: {coloured(effect.state)} {escape(what)}", soft_wrap=True)
    out.print("")
    for event in events:
        out.print(f"[dim]{wall(event.at, zone)}  {event.name}[/dim]  {escape(event.detail)}", soft_wrap=True)


def accounts_table(accounts: Sequence[Account]) -> Table:
    """The accounts."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "name", "domains", "contacts", "manager", "tier", "contract ends"):
        table.add_column(name)
    for account in accounts:
        ends = [contract.ends.isoformat() for contract in account.contracts if contract.ends is not None]
        table.add_row(
            escape(account.account_id),
            escape(account.name),
            escape(", ".join(account.domains)),
            str(len(account.contacts)),
            escape(account.manager),
            escape(account.tier),
            ", ".join(ends),
        )
    return table


def print_status(out: Console, status: Status, *, zone: str) -> None:
    """How the worker is, what is wrong, what the log holds, what waits for a person."""
    if status.running:
        out.print("[green]the worker runs[/green]")
    else:
        out.print(
            "[bold red]the worker does not run[/bold red]; what follows is its last report. Start it: triaged run"
        )
    if status.disk_full:
        out.print(
            "[bold red]the disk is full[/bold red]: nothing can be written down, so no mail is logged or answered, and "
            "what stands below may be old. Make room; it goes on by itself."
        )
    if status.breaker.opened is not None:
        since = wall(status.breaker.opened, zone)
        out.print(f"[bold red]the breaker is open[/bold red] since {since}: {escape(status.breaker.why)}")
        out.print("Nothing is acknowledged by machine. Look what came, then: triaged breaker close --release | --drop")
    parts = _lines("state", "part", "since", "detail")
    for row in status.health:
        parts.add_row(coloured(row.state), escape(row.part), wall(row.since, zone), escape(row.detail))
    for name, enabled in status.mailboxes:
        mode = coloured("live") if enabled is not None else coloured("observed")
        why = "" if enabled is not None else f"nothing is sent, moved or booked; triaged mailbox enable {escape(name)}"
        parts.add_row(mode, f"mailbox {escape(name)}", wall(enabled, zone), why)
    out.print(parts)
    if len(status.alerts) > 0:
        out.print("")
        print_alerts(out, status.alerts, zone=zone)
    counts = status.counts
    out.print(
        f"\n{counts.messages} mails, {counts.today} in the last 24 hours, {counts.copies} further copies, "
        f"{counts.unsure} unsure, {counts.quarantined} quarantined"
    )
    for kind, state, number in counts.effects:
        out.print(f"  {kind} {coloured(state)}: {number}")
    _print_learning(out, status.learning, zone=zone)
    if len(status.waiting) > 0:
        out.print("\n[bold]Waits for a person:[/bold]")
    for message, kind, state, subject, detail in status.waiting[:SHOWN]:
        out.print(
            f"  {message}: {kind} {coloured(state)}  {escape(subject)}  [dim]{escape(detail)}[/dim]", soft_wrap=True
        )
    if len(status.waiting) > SHOWN:
        out.print(f"  … and {len(status.waiting) - SHOWN} more; --json lists all")


def _print_learning(out: Console, learning: Learning, *, zone: str) -> None:
    """What people said of mails, and what was learned from it."""
    if learning.reviewed > 0:
        share = f"{learning.reviewed_right} of the {learning.reviewed} reviewed were right as shown"
    else:
        share = "none was reviewed yet"
    out.print(f"drawn for review: {learning.to_review} to look at (triaged log --review); {share}")
    out.print(f"labels to learn from: {learning.labels} mails, {learning.new} of them new since the last training")
    if learning.last is not None:
        out.print(f"model, {wall(learning.last, zone)}: {escape(learning.outcome)}", soft_wrap=True)


def print_alerts(out: Console, rows: Sequence[Alert], *, zone: str) -> None:
    """Alarms, the open ones first; whom nobody could be told of is marked."""
    if len(rows) == 0:
        out.print("[green]no alarm[/green]")
        return
    table = _lines("alarm", "about", "since", "what to know")
    for row in sorted(rows, key=lambda row: row.cleared is not None):
        words = escape(row.words) if row.cleared is None else f"[dim]over since {wall(row.cleared, zone)}[/dim]"
        if row.failed != "":
            words += f" [bold red]Nobody could be told:[/bold red] {escape(row.failed)}"
        severity = coloured(row.severity) if row.cleared is None else coloured("over")
        table.add_row(severity, escape(row.what), wall(row.since, zone), words)
    out.print(table)


def _lines(*names: str) -> Table:
    """A table whose last column takes what room there is."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names[:-1]:
        table.add_column(name, no_wrap=name in ("state", "alarm", "since"))
    table.add_column(names[-1], overflow="fold", ratio=1)
    return table


def print_breaker(out: Console, state: BreakerRow, held: Sequence[HeldRow], *, zone: str) -> None:
    """Whether the breaker is open, and what limits hold back."""
    if state.opened is not None:
        out.print(f"[bold red]the breaker is open[/bold red] since {wall(state.opened, zone)}: {escape(state.why)}")
        out.print("Nothing is acknowledged by machine. Look what came, then: triaged breaker close --release | --drop")
    else:
        out.print("[green]the breaker is closed[/green]")
    if len(held) > 0:
        out.print(f"\n{len(held)} held back by limits, the oldest first:")
    for each in held[:SHOWN]:
        out.print(
            f"  {each.message}: {each.kind} to {escape(each.sender)}  {escape(each.subject)}  "
            f"[dim]{escape(each.why)}[/dim]",
            soft_wrap=True,
        )
    if len(held) > SHOWN:
        out.print(f"  … and {len(held) - SHOWN} more; --json lists all")


def bounced_table(rows: Sequence[BouncedRow], *, zone: str) -> Table:
    """Addresses whose mail came back."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("mail", "address", "since", "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(str(row.message), escape(row.sender), wall(row.since, zone), escape(row.why))
    return table


def print_report(out: Console, report: Report) -> None:
    """What `triaged evaluate` found; intervals in brackets."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("category", "mails", "precision", "recall", "F1", "average precision", "read for 90%"):
        table.add_column(name, justify="left" if name == "category" else "right")
    for category, each in report.categories.items():
        table.add_row(
            coloured(category),
            str(each.count),
            f"{each.precision:.2f}",
            f"{each.recall:.2f}",
            with_interval(each.f1, report.interval("f1", category)),
            with_interval(each.average_precision, report.interval("average_precision", category)),
            f"{each.read_for_90:.0%}" if each.read_for_90 is not None else "-",
        )
    out.print(table)
    told = {
        name: with_interval(getattr(report, name), report.interval(name), form=form)
        for name, form in (
            ("macro_f1", ".2f"),
            ("mean_average_precision", ".2f"),
            ("calibration_error", ".3f"),
            ("decided", ".0%"),
            ("decided_right", ".0%"),
        )
    }
    right = f", {told['decided_right']} of them right" if report.decided_right is not None else ""
    speed = f"; {report.mails_per_s:.0f} mails a second" if report.mails_per_s is not None else ""
    out.print(
        f"\nmacro F1 {told['macro_f1']}, mean average precision {told['mean_average_precision']}, "
        f"calibration error {told['calibration_error']}\n"
        f"{told['decided']} of {report.mails} mails decided (sure){right}{speed}\n"
        f"with {ALL_WHOLE_PERCENT}% wholly right at best {report.decided_at_95:.0%} could be decided",
        soft_wrap=True,
    )
    if report.intervals is not None:
        out.print(f"[dim]in brackets: 95% intervals, {report.intervals.senders} senders drawn again and again[/dim]")


def with_interval(figure: float | None, interval: Interval | None, *, form: str = ".2f") -> str:
    """`0.72 (0.66–0.77)`, or in percent with the form `.0%`: `72% (66–77%)`; `-` for no figure."""
    if figure is None:
        return "-"
    return format(figure, form) + (f" ({spread(interval, form=form)})" if interval is not None else "")


def spread(interval: Interval | None, *, form: str = ".2f") -> str:
    """`0.66–0.77`, or in percent `66–77%`; `-` for none."""
    if interval is None:
        return "-"
    low, high = (format(end, form) for end in interval)
    return f"{low.removesuffix('%')}–{high}"
