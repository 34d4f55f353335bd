"""An error and how often it happened in, how long to wait out; the retrying that every thread shares (tenacity)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set
from tenacity.wait import wait_exponential, wait_random

from triaged.errors import LoginRefused, Permanent, Transient

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
REFUSED_WAIT_S = 300.0
"""Seconds between logins that are refused: more often would lock an account out."""
BROKEN_WAIT_S = 30.0
"""Seconds between tries of what a person puts right meanwhile: a certificate, a folder's name."""

_backoff = wait_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S) + wait_random(0, 1)


def wait_s(state: RetryCallState) -> float:
    """Seconds to wait: what the server asked for, else 1, 2, 4 … 300 with up to a second of jitter."""
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, Transient) and error.retry_after_s is not None:
        return error.retry_after_s
    if isinstance(error, Permanent):
        return REFUSED_WAIT_S if isinstance(error, LoginRefused) else BROKEN_WAIT_S
    return _backoff(state)


def wait_after_s(error: BaseException, attempt: int) -> float:
    """`wait_s` for an attempt that was counted elsewhere (an effect's row); attempt counts from 1."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(error), error, None))
    return wait_s(state)


def patiently(
    stop: Event, errors: type[Exception] | tuple[type[Exception], ...], on_error: Callable[[BaseException, float], None]
) -> Retrying:
    """Try until it works, or raise tenacity.RetryError once `stop` is set; `on_error` hears of each failure."""

    def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is not None:
            on_error(error, state.upcoming_sleep)

    return Retrying(
        wait=wait_s,
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        retry=retry_if_exception_type(errors),
        before_sleep=before_sleep,
    )
