"""Commands about alarms: what is open, who is told, and the look from outside at a worker that cannot tell itself."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from triaged import terminal, views
from triaged.cli.common import FAILED, ConfigOption, JsonOption, app, config_of, fail, reader_of, writing
from triaged.log.alerts import alerts, put_alerts, runs
from triaged.settings import Config

alerts_app = typer.Typer(help="Alarms: what is wrong, and who is told of it.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")

SHOWN_FOR = timedelta(days=7)
"""So long an alarm that is over is listed."""


@alerts_app.command("list", epilog="Example: triaged alerts list --json")
def alerts_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the alarms that are open, and those of the last seven days; exit code 0 whatever they say."""
    loaded, now = config_of(config), datetime.now(UTC)
    with reader_of(loaded) as reader:
        rows = [row for row in alerts(reader).values() if row.cleared is None or now - row.cleared < SHOWN_FOR]
    if as_json:
        for row in rows:
            print(views.line(views.alert_view(row)))  # noqa: T201
    else:
        terminal.print_alerts(terminal.console(), rows, zone=loaded.hours.timezone)


@alerts_app.command("test", epilog="Example: triaged alerts test")
def alerts_test(config: ConfigOption = None) -> None:
    """Send a test message over every channel and say which took it; exit code 1 unless all did."""
    tell(config_of(config), "test", "This is a test of triaged's alerts. All is as it was.")


@alerts_app.command("send", epilog='Example: triaged alerts send "The desk is closed today"')
def alerts_send(
    text: Annotated[str, typer.Argument(help="What is to be said.", metavar="TEXT")], config: ConfigOption = None
) -> None:
    """Send a message over every channel; exit code 1 unless all took it."""
    tell(config_of(config), "message", text)


@alerts_app.command("watch", epilog="Example: triaged alerts watch --config /etc/triaged/config.toml")
def alerts_watch(config: ConfigOption = None) -> None:
    """Look once, from outside, whether the worker runs; tell people when it does not, once, and when it does again."""
    from triaged.wire import log_path, notifier_of
    from triaged.worker.alarms import WORKER, absence, heard, message, news, seen, unheard
    from triaged.worker.lookout import watchfulness_of
    from triaged.worker.service import is_running

    loaded, now = config_of(config), datetime.now(UTC)
    watched, zone = watchfulness_of(loaded), loaded.hours.timezone
    with reader_of(loaded) as reader:
        known = {key: row for key, row in alerts(reader).items() if key == WORKER}
        run = next(iter(runs(reader, limit=1)), None)
    hung_after = timedelta(seconds=loaded.service.stall_s) + watched.thresholds.poll
    found = absence(run, running=is_running(log_path(loaded)), now=now, hung_after=hung_after, zone=zone)
    current = seen(known, () if found is None else (found,), now=now)
    items, notifier = news(current, now=now, again=watched.again), notifier_of(loaded)
    if len(items) > 0 and len(notifier.channels) > 0:
        answers = notifier.tell(*message(items, host=socket.gethostname(), zone=zone), bad=found is not None)
        failed = "; ".join(f"{channel}: {why}" for channel, why in answers.items() if why != "")
        for item in items:
            told = any(why == "" for why in answers.values())
            current[item.alert.key] = heard(item, now=now) if told else unheard(item, failed)
    if current != known:
        with writing(loaded) as rows:
            put_alerts(rows, current.values())
    if found is not None:
        fail(found.words)


def tell(config: Config, subject: str, text: str) -> None:
    """Send it over every channel; the command fails unless all took it."""
    from triaged.wire import alert_problems, notifier_of

    problems = tuple(alert_problems(config))
    if len(problems) > 0:
        fail("; ".join(problem.what for problem in problems))
    notifier, out = notifier_of(config), terminal.console()
    if len(notifier.channels) == 0:
        fail("nobody would be told: no channel is named; see [alerts] urls_file in config.toml")
    answers = notifier.tell(f"triaged on {socket.gethostname()}: {subject}", text, bad=False)
    for channel, why in answers.items():
        mark = "[green]✓[/green]" if why == "" else "[bold red]✗[/bold red]"
        out.print(f"{mark} {channel}" + (f": {why}" if why else ""), soft_wrap=True)
    if any(why != "" for why in answers.values()):
        raise typer.Exit(FAILED)
