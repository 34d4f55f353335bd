"""A log that takes no writes: the pages are seen, above all the first, and a change says why it was not made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.site import Browser, mails
from triaged.errors import Permanent
from triaged.log.unwritable import told
from triaged.settings import Config


def test_pages_are_seen_and_a_change_says_why_it_was_not_made(carl: Browser, site: Config) -> None:
    mail, desk = min(mails(site).values()), carl.client.app.state.desk  # type: ignore[attr-defined]
    with desk.writing() as log:
        database = log.db
    database.execute("PRAGMA query_only = ON")
    later = desk.clock() + timedelta(hours=1)
    desk.clock = lambda: later
    for path in ("/", "/queue", "/log", f"/mail/{mail}"):
        assert carl.get(path).status_code == 200, path
    refused = carl.post(f"/mail/{mail}/note", text="Rang them up.")
    assert refused.status_code == 409
    assert "The log cannot be written now" in refused.text
    database.execute("PRAGMA query_only = OFF")
    assert carl.post(f"/mail/{mail}/note", text="Rang them up.").status_code == 200
    assert "Rang them up." in carl.get(f"/mail/{mail}").text


def test_a_fault_of_our_own_is_not_taken_for_a_full_disk(carl: Browser) -> None:
    desk = carl.client.app.state.desk  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="no such table") as found, told(), desk.writing() as log:
        log.db.execute("SELECT * FROM attic")
    assert not isinstance(found.value, Permanent)
