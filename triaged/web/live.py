"""Changes of the log in, a line to each open page out (server-sent events), so that new mail appears by itself."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.sse import KEEPALIVE_COMMENT as BEAT
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from triaged.log.changes import Mark, mails_since, mark, mark_in
from triaged.log.users import session_id, session_of
from triaged.web.desk import Desk
from triaged.web.gate import Viewer

LOOK_S, BEAT_S = 1.0, 15.0
"""Seconds between looks at the log, while a page is open; and after which a page hears that we are still there."""
RETRY_MS = 5000
"""After which a browser comes again when it was cut off."""
PAGES = 4
"""Open at once in one browser. It has six connections to a host that speaks HTTP/1.1, and needs some to work with."""

router = APIRouter()


class Live:
    """Who listens, and how far the log has got; one a process. ending: whether the desk is about to end."""

    def __init__(self, desk: Desk) -> None:
        self.ending: Callable[[], bool] = lambda: False
        self.open: Counter[str] = Counter()
        """Streams by session."""
        self._desk = desk
        self._turn = asyncio.Lock()
        self._looked = -math.inf
        self._mark = Mark(0, 0, 0)

    async def reached(self) -> Mark:
        """Where the log is; looked up once in `LOOK_S`, however many ask."""
        async with self._turn:
            if time.monotonic() - self._looked >= LOOK_S:
                self._mark = await run_in_threadpool(self._look)
                self._looked = time.monotonic()
            return self._mark

    def _look(self) -> Mark:
        with self._desk.reading() as reader:
            return mark(reader)

    async def lines(self, token: str, who: str, since: Mark) -> AsyncIterator[bytes]:
        """What one page hears, until its session ends or the desk does. who: its session, for the count."""
        self.open[who] += 1
        try:
            yield format_sse_event(retry=RETRY_MS)
            beat_at = time.monotonic() + BEAT_S
            while not self.ending():
                reached = await self.reached()
                if reached != since or time.monotonic() >= beat_at:
                    mails = await run_in_threadpool(self._mails, token, since)
                    if mails is None:
                        return
                    is_news = reached != since
                    yield format_sse_event(event="changed", data_str=str(mails), id=str(reached)) if is_news else BEAT
                    since, beat_at = reached, time.monotonic() + BEAT_S
                await asyncio.sleep(LOOK_S)
        finally:
            self.open -= Counter({who: 1})  # forgets those that have none left

    def _mails(self, token: str, since: Mark) -> int | None:
        """How many came; None when nobody is signed in any more."""
        with self._desk.reading() as reader:
            is_on = session_of(reader, token, now=self._desk.clock()) is not None
            return mails_since(reader, since) if is_on else None


@router.get("/live")
async def live(
    request: Request, visitor: Viewer, since: str = "", last_event_id: Annotated[str, Header()] = ""
) -> Response:
    """`event: changed` with the number of new mails, whenever the log is ahead of what the page shows.

    since: the mark of the page (`meta name=mark`); a browser that comes again says itself what it heard last. 204 tells
    it to come no more.
    """
    streams: Live = request.app.state.live
    reached, who = mark_in(last_event_id) or mark_in(since), session_id(visitor.session)
    if reached is None or streams.open[who] >= PAGES:
        return Response(status_code=204)
    lines = streams.lines(visitor.session.token, who, reached)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
