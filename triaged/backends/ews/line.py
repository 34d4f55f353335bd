"""Settings in, a line to an Exchange server (EWS, MS-OXWSCORE) out: requests, their answers, their errors as ours.

exchangelib frames the requests, knows the error codes and keeps the connections; the HTTPS itself is `web.Web`, so that
certificates, proxies, timeouts, tokens and refusals are as everywhere else. exchangelib's own way is process-wide
(HTTP_ADAPTER_CLS, TIMEOUT), trusts the environment, and with FaultTolerance repeats a wrong password for an hour.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import requests
import requests_ntlm
from exchangelib import DELEGATE, IMPERSONATION, UTC, Account, Configuration, FailFast, Version
from exchangelib import errors as ews
from exchangelib.protocol import Protocol
from exchangelib.services.common import EWSAccountService
from exchangelib.transport import NOAUTH
from exchangelib.version import EXCHANGE_2013_SP1
from lxml import etree
from spnego.exceptions import SpnegoError

from triaged.backends.ews.xml import M, T
from triaged.backends.gate import gate_of
from triaged.backends.oauth.tokens import Tokens
from triaged.backends.web import MAX_ANSWER_BYTES, Answer, Lost, Web, retry_after_s, was_not_done
from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError
from triaged.servers import is_exchange_online

CONNECTIONS = 4
"""At once for one object of ours: with one, a query waits for the stream of notifications to end (our measurement,
2026-11: more than 15 s); the listener takes one, its subscription another."""
STREAM_SILENCE_S = 120.0
"""Seconds without a sign of life after which a stream is dead; Exchange sends one every 45 s."""

_BROKEN = (ValueError, LookupError, TypeError, AttributeError, etree.LxmlError)
"""What exchangelib and we raise on an answer that lacks what must be in it."""
_UNCLEAR = (
    ews.ErrorInternalServerError,
    ews.ErrorInternalServerTransientError,
    ews.ErrorTimeoutExpired,
    ews.ErrorConnectionFailed,
    ews.ErrorBatchProcessingStopped,
    ews.ErrorItemSave,
    ews.ErrorMailboxFailover,
    ews.ErrorMailboxStoreUnavailable,
)
"""Response codes after which the request may have been worked on."""
_MAY_PASS = (
    ews.ErrorADOperation,
    ews.ErrorADUnavailable,
    ews.ErrorExceededConnectionCount,
    ews.ErrorInsufficientResources,
    ews.ErrorIrresolvableConflict,
    ews.ErrorMailboxMoveInProgress,
    ews.ErrorNotEnoughMemory,
    ews.ErrorTooManyObjectsOpened,
    ews.ErrorQuotaExceeded,
    ews.ErrorStaleObject,
)
_GONE = (ews.ErrorItemNotFound, ews.ErrorFolderNotFound, ews.ErrorSyncFolderNotFound, ews.ErrorInvalidIdMalformed)

_Got = TypeVar("_Got")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class EwsSettings:
    """One mailbox on an Exchange server. endpoint: the whole address (`https://mail.firm.example/EWS/Exchange.asmx`),
    `""` for autodiscover. address: its primary SMTP address; user: who signs in (`FIRM\\desk`, `desk@firm.example`).

    auth `oauth`: by `tokens`, without a password. access: `delegate` by rights that the user has in the mailbox,
    `impersonation` by the role ApplicationImpersonation. ca_file: PEM, None for the usual ones. timeout_s: for
    connecting and between two pieces of an answer.
    """

    endpoint: str
    address: str
    user: str
    password: str = field(repr=False)
    auth: Literal["ntlm", "basic", "oauth"]
    tokens: Tokens | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout_s: float = 30
    access: Literal["delegate", "impersonation"] = "delegate"


def refuse_cloud(endpoint: str) -> None:
    """Raises: Permanent for Exchange Online, before anything is sent there, and for what is no https address."""
    split = urlsplit(endpoint)
    host = (split.hostname or "").rstrip(".").lower()
    if is_exchange_online(host):
        raise Permanent(
            f"{host}: is Exchange Online, where Microsoft blocks EWS since 1 October 2026 and ends it on 1 April 2027; "
            'use kind = "graph" instead'
        )
    if split.scheme != "https" or host == "":
        raise Permanent(f"{endpoint!r}: is no https address of an Exchange server; nothing was sent")


def credentials_of(settings: EwsSettings) -> Any:
    """What puts the credentials into a request. Raises: Permanent (oauth without tokens)."""
    match settings.auth:
        case "ntlm":
            return requests_ntlm.HttpNtlmAuth(settings.user, settings.password)
        case "basic":
            return requests.auth.HTTPBasicAuth(settings.user.encode(), settings.password.encode())
        case "oauth":
            if settings.tokens is None:
                raise Permanent(f"{settings.address}: is to sign in by OAuth, but nobody has signed in")
            return _Bearer(settings.tokens)


class _Bearer:
    """A token on each request; a request that it is refused for is repeated once with another (RFC 6750)."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._sent = ""
        self._refused = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._sent = self._tokens.token(self._refused)
        request.headers["Authorization"] = f"Bearer {self._sent}"
        return request

    def was_refused(self) -> bool:
        """Have another got; False when it was tried already."""
        again = self._refused == ""
        self._refused = self._sent if again else ""
        return again

    def was_taken(self) -> None:
        self._refused = ""


class _Session:
    """What exchangelib takes for a `requests.Session`: one connection, with our checks before and errors after."""

    auth = "ours"

    def __init__(self, settings: EwsSettings, url: str, limit_bytes: int) -> None:
        self.session_id = next(_numbers)
        self.usage_count = 0
        self._where = urlsplit(url).hostname or url
        self._timeout_s = settings.timeout_s
        self._limit_bytes = limit_bytes
        self._gate = gate_of(urlsplit(url).netloc.lower(), settings.address.lower())
        self._credentials = credentials_of(settings)
        self._web = Web(self._where, ca_file=settings.ca_file, timeout_s=settings.timeout_s, auth=self._credentials)

    @property
    def cookies(self) -> list[Any]:
        """None: a load balancer finds the server that keeps our subscription by X-AnchorMailbox."""
        return []

    def get_adapter(self, url: str) -> None:
        """Only looked at for exchangelib's log."""

    def close(self) -> None:
        self._web.close()

    def post(
        self, *, url: str, headers: Mapping[str, str], data: bytes, stream: bool, **_: object
    ) -> requests.Response:
        """An answer with status 200, or with 500 and SOAP in it. Raises: as `Web.request`."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", **headers}
        if stream:  # the listener has a turn at the gate for as long as it listens
            try:
                return self._again_if_refused(
                    lambda: self._web.stream("POST", url, data=data, headers=headers, silence_s=STREAM_SILENCE_S)
                )
            except Transient as error:
                if error.retry_after_s is not None:
                    self._gate.shut(error.retry_after_s)
                raise
        with self._gate.passing(self._where, timeout_s=self._timeout_s):
            answer = self._again_if_refused(
                lambda: self._web.request(
                    "POST", url, accept=(200, 429, 500, 503), data=data, headers=headers, limit_bytes=self._limit_bytes
                )
            )
            return self._looked_at(url, answer)

    def _again_if_refused(self, request: Callable[[], _Got]) -> _Got:
        try:
            answer = request()
        except SpnegoError as error:
            raise Lost(f"{self._where}: signing in by NTLM broke off: {error}"[:500]) from error
        except LoginRefused:
            if not isinstance(self._credentials, _Bearer) or not self._credentials.was_refused():
                raise
            answer = request()
        if isinstance(self._credentials, _Bearer):
            self._credentials.was_taken()
        return answer

    def _looked_at(self, url: str, answer: Answer) -> requests.Response:
        if answer.status in (429, 503):
            asked = answer.headers.get("Retry-After", "")
            kind = Transient if was_not_done(answer.status, asked) else Lost
            raise kind(f"{self._where}: is busy ({answer.status})", retry_after_s=self._gate.shut(retry_after_s(asked)))
        if answer.status == 500 and b"Envelope" not in answer.body[:2_000]:
            raise Lost(f"{self._where}: the server has failed (500)")
        if not answer.body.rstrip().endswith(b"Envelope>"):
            # exchangelib's parser makes a whole of what was cut short, and what is missing may be busy.
            raise Lost(f"{self._where}: the answer is no EWS answer, or cut short; is the address that of EWS?")
        if answer.status == 200:
            self._gate.went_well()
        response = requests.Response()
        response.url, response.status_code = url, answer.status
        response.request = requests.Request("POST", url).prepare()
        response.headers.update(answer.headers)
        response._content = answer.body
        return response


class _Protocol(Protocol):  # type: ignore[misc]
    """exchangelib's pool of connections, filled with ours; made past its cache, which keys by password."""

    RETRY_WAIT = 0  # "the server has not said how long" stays told from "10 s"

    def __init__(self, config: Configuration, settings: EwsSettings, limit_bytes: int) -> None:
        super().__init__(config=config)
        self._settings, self._limit_bytes = settings, limit_bytes

    def create_session(self) -> _Session:
        return _Session(self._settings, self.service_endpoint, self._limit_bytes)

    @property
    def session_pool_size(self) -> int:
        """As if there were one: with more, exchangelib shrinks the pool on errors, which can wait for itself for ever,
        and calls a timeout "busy", as if nothing had been done."""
        return 1

    def decrease_poolsize(self) -> None:
        raise ews.SessionPoolMinSizeReached("ours stays as it is")

    def close_session(self, session: _Session) -> None:
        session.close()


class _Asking(EWSAccountService):  # type: ignore[misc]
    """A request of any operation; its answers are the response messages, or what the server refused, one by one."""

    element_container_name = None
    ERRORS_TO_CATCH_IN_RESPONSE = ews.ResponseMessageError
    WARNINGS_TO_CATCH_IN_RESPONSE = ews.ResponseMessageError

    def _api_versions_to_try(self) -> tuple[str, ...]:
        """One: no request of ours is sent again because an answer names another version."""
        return (self._version_hint.api_version,)

    def _update_api_version(self, api_version: str, header: object) -> None:
        """Exchange 2013 SP1's language is understood by all newer ones."""

    @classmethod
    def _get_elements_in_container(cls, container: etree._Element) -> list[etree._Element]:
        return [container]


class _AskingAvailability(_Asking):
    """GetUserAvailability answers in another form than all others; its messages are FreeBusyResponse elements."""

    SERVICE_NAME = "GetUserAvailability"

    @staticmethod
    def _response_messages_tag() -> str:
        return str(M.name("FreeBusyResponseArray"))

    @classmethod
    def _response_message_tag(cls) -> str:
        return str(M.name("FreeBusyResponse"))

    def _get_elements_in_response(self, response: Sequence[etree._Element]) -> Any:
        for message in response:
            said = message.find(M.name("ResponseMessage"))
            if said is None:
                raise ews.MalformedResponseError("no ResponseMessage")
            found = self._get_element_container(message=said)
            yield found if isinstance(found, Exception) else message


@cache
def _operation(name: str) -> type[_Asking]:
    return _AskingAvailability if name == "GetUserAvailability" else type(name, (_Asking,), {"SERVICE_NAME": name})


class EwsLine:
    """A mailbox's server, for the threads of one object. limit_bytes: of one answer.

    Raises: Permanent (Exchange Online, no address), and what autodiscover raises.
    """

    def __init__(self, settings: EwsSettings, endpoint: str, *, limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        refuse_cloud(endpoint)
        # It logs whole requests when one fails, with the mail in them.
        logging.getLogger("exchangelib").setLevel(logging.CRITICAL)
        self.host = urlsplit(endpoint).hostname or ""
        self._settings = settings
        self._gate = gate_of(urlsplit(endpoint).netloc.lower(), settings.address.lower())
        config = Configuration(
            service_endpoint=endpoint,
            auth_type=NOAUTH,  # for all that exchangelib knows
            version=Version(build=EXCHANGE_2013_SP1),
            retry_policy=FailFast(),
            max_connections=CONNECTIONS,
        )
        access = DELEGATE if settings.access == "delegate" else IMPERSONATION
        self.account = Account(settings.address, access_type=access, config=config, default_timezone=UTC, locale="en")
        self.account.protocol = type.__call__(_Protocol, config, settings, limit_bytes)

    def listening(self) -> AbstractContextManager[None]:
        """A turn at the gate for as long as a stream is open. Raises: as `Gate.passing`."""
        return self._gate.passing(self.host, timeout_s=self._settings.timeout_s)

    def ask(self, payload: etree._Element, doing: str) -> list[etree._Element | TriagedError]:
        """The response messages, in order; what was refused as an error of ours, not raised.

        payload: the operation's element. doing: for messages, as in "cannot DOING". Raises: Transient (retry_after_s as
        the server says), Lost (it may have been worked on, or the answer is none), Permanent, LoginRefused.
        """
        service = _operation(etree.QName(payload).localname.removesuffix("Request"))(account=self.account)
        try:
            answers = list(service._get_elements(payload=payload))
        except ews.EWSError as error:
            raise self._ours(error, doing) from error
        except _BROKEN as error:
            raise Lost(f"{self.host}: cannot {doing}: the answer makes no sense: {error!r}"[:500]) from error
        if len(answers) > 0 and all(isinstance(each, ews.ErrorServerBusy) for each in answers):
            raise self._ours(answers[0], doing) from answers[0]
        return [self._refused(each, doing) if isinstance(each, Exception) else each for each in answers]

    def one(self, payload: etree._Element, doing: str) -> etree._Element:
        """The one response message. Raises: as `ask`, and what was refused: Gone, Permanent, Transient."""
        answers = self.ask(payload, doing)
        if len(answers) != 1 or not isinstance(answers[0], etree._Element | TriagedError):
            raise Lost(f"{self.host}: cannot {doing}: {len(answers)} answers came to one question")
        if isinstance(answers[0], TriagedError):
            raise answers[0]
        return answers[0]

    def distinguished(self, name: str) -> etree._Element:
        """A folder that every mailbox has (`inbox`, `sentitems`), by MS-OXWSFOLD's name."""
        whose = [T.Mailbox(T.EmailAddress(self._settings.address))] if self._settings.access == "delegate" else []
        return T.DistinguishedFolderId(*whose, Id=name)

    def close(self) -> None:
        """Close the connections."""
        self.account.protocol.close()

    def _refused(self, error: Exception, doing: str) -> TriagedError:
        """Of one message among others: a busy server answers some of them and not the rest."""
        if isinstance(error, ews.ErrorServerBusy):
            return Transient(f"{self.host}: cannot {doing}: {error}")
        return self._ours(error, doing)

    def _ours(self, error: Exception, doing: str) -> TriagedError:
        what = f"{self.host}: cannot {doing}: {type(error).__name__}: {error}"[:500]
        if isinstance(error, ews.ErrorServerBusy) and not str(error).startswith("Reraised"):
            wait_s = self._gate.shut(error.back_off or None)
            ours: TriagedError = Transient(what, retry_after_s=wait_s)
        elif isinstance(error, ews.UnauthorizedError):
            ours = LoginRefused(what)
        elif isinstance(error, _GONE):
            ours = Gone(what)
        elif isinstance(error, _UNCLEAR):
            ours = Lost(what)
        elif isinstance(error, _MAY_PASS):
            ours = Transient(what)
        elif isinstance(error, ews.ErrorAccessDenied | ews.ErrorImpersonateUserDenied):
            ours = Permanent(f"{what}; give {self._settings.user} that right in {self._settings.address}")
        elif isinstance(error, ews.ResponseMessageError) and not isinstance(error, ews.ErrorServerBusy):
            ours = Permanent(what)
        else:
            ours = Lost(f"{what}; is the address that of EWS?"[:500])
        ours.__cause__ = error
        return ours
