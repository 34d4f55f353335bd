"""Apprise URLs in, alarms told over these channels (mail by another server, Slack, Teams, …) and their answers out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from triaged.errors import Problem

MAX_CHANNELS = 20
LONGEST_ANSWER_S = 20.0
"""Seconds that a channel may take; the others wait so long."""
_SECRET = re.compile(r"[^/:@?&=#\s]{4,}")
"""Pieces of a URL that must not be repeated anywhere: tokens, passwords, hosts (some services put a token there)."""


class AppriseNotifier:
    """`ports.Notifier` over Apprise, which is loaded on first use (0.4 s, 25 MB; our measurement, 2026-11-22).

    Nothing of the home folder is read, nothing is stored, redirects are not followed, no picture is linked: the
    hosts of the URLs are all that is spoken to.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """urls: as `read_urls` gives them, by the number of their line."""
        self._channels = _channels(urls) if len(urls) > 0 else {}
        self.channels = tuple(self._channels)

    def tell(self, title: str, text: str, *, bad: bool) -> Mapping[str, str]:
        """As the port says."""
        return {name: _tell(channel, title, text, bad=bad) for name, channel in self._channels.items()}


def read_urls(text: str) -> tuple[str, ...]:
    """One URL a line; empty lines and those that begin with `#` are left out."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line != "" and not line.startswith("#"))


def url_problems(urls: Sequence[str], *, where: str) -> Iterator[Problem]:
    """URLs that Apprise cannot use, by their number, without their secrets."""
    if len(urls) > MAX_CHANNELS:
        yield Problem(where, f"has {len(urls)} channels; {MAX_CHANNELS} at most")
    with _hearing([]):
        asset = _asset()
        for number, url in enumerate(urls, start=1):
            if _instantiate(url, asset) is None:
                scheme = url.partition("://")[0] if "://" in url else ""
                named = f" ({scheme}://…)" if re.fullmatch(r"[a-z][a-z0-9]{1,20}", scheme) else ""
                yield Problem(
                    where, f"channel {number}{named} is not a URL that Apprise knows; see apprise's service list"
                )


def _channels(urls: Sequence[str]) -> dict[str, tuple[Any, str]]:
    """Apprise's plugin and its URL by a name without secrets: `2 (Slack)`. A URL that it does not know is left out."""
    with _hearing([]):
        asset = _asset()
        made = [(url, _instantiate(url, asset)) for url in urls[:MAX_CHANNELS]]
    return {
        f"{number} ({plugin.service_name})": (plugin, url)
        for number, (url, plugin) in enumerate(made, start=1)
        if plugin is not None
    }


def _asset() -> Any:
    from apprise import AppriseAsset, PersistentStoreMode

    # The URLs hold secrets, and requests' own library logs the path of each at DEBUG.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    return AppriseAsset(
        app_id="triaged",
        app_desc="triaged",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        plugin_paths=[],
        storage_mode=PersistentStoreMode.MEMORY,
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        service_timeout=LONGEST_ANSWER_S,
        language="en",
    )


def _instantiate(url: str, asset: Any) -> Any:
    from apprise import Apprise

    return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _tell(channel: tuple[Any, str], title: str, text: str, *, bad: bool) -> str:
    """Why it was not taken, `""` when it was."""
    from apprise import Apprise, NotifyFormat, NotifyType

    plugin, url = channel
    said: list[str] = []
    with _hearing(said):
        told = Apprise(services=[plugin], asset=plugin.asset).notify(
            title=title,
            body=text,
            notify_type=NotifyType.WARNING if bad else NotifyType.SUCCESS,
            body_format=NotifyFormat.TEXT,
        )
    if told:
        return ""
    words = "; ".join(dict.fromkeys(said)) or "it was not taken"
    for secret in sorted(set(_SECRET.findall(url.partition("://")[2])), key=len, reverse=True):
        words = words.replace(secret, "…")
    return " ".join(words.split())[:300]


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@contextmanager
def _hearing(said: list[str]) -> Iterator[None]:
    """What Apprise logs goes into `said`, and nowhere else: it may hold parts of a URL."""
    logger = logging.getLogger("apprise")
    listener, passed_on = _Listener(said), logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = passed_on
