"""Every change of a person is in the audit log, whether it was made at the desk or on the command line."""

from __future__ import annotations

import getpass
from contextlib import closing

import pytest
from typer.testing import CliRunner

from triaged.cli import app
from triaged.log import users
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.wire import log_path


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("done 1", "message.state"),
        ("correct 1 --category complaint --account C-104", "message.correct"),
        ("correct 1 --right", "message.confirm"),
        ("mailbox observe desk", "mailbox.observe"),
        ("mailbox enable desk --yes", "mailbox.enable"),
        ("accounts import {base}/accounts.csv", "account.import"),
        ("model use shipped", "model.use"),
        ("user role vera coordinator", "user.role"),
    ],
)
def test_the_command_line_is_audited(site: Config, words: str, what: str) -> None:
    command = [*words.format(base=site.base).split(), "--config", str(site.file)]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    with closing(Reader(log_path(site))) as reader:
        newest = users.audits(reader, limit=1)[0]
    assert (newest.what, newest.who) == (what, getpass.getuser())
    assert newest.detail != ""


def test_what_did_not_happen_is_not_audited(site: Config) -> None:
    runner = CliRunner()
    for words in ("approve 1", "bounced clear 1", "breaker close"):
        assert runner.invoke(app, [*words.split(), "--config", str(site.file)]).exit_code == 1
    with closing(Reader(log_path(site))) as reader:
        assert users.audits(reader, limit=10) == []
