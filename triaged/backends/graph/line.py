"""A mailbox in Microsoft 365 and a request in, the answer of Microsoft Graph (v1.0) or one of our errors out.

Every request to a mailbox goes through its gate: four at once, and none while Graph has told us to wait.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from triaged.backends.gate import gate_of
from triaged.backends.oauth.tokens import Tokens
from triaged.backends.web import MAY_PASS, Answer, Lost, Web, retry_after_s, was_not_done
from triaged.errors import Gone, LoginRefused, Permanent, Transient

PAGE = 100
"""Items asked for in one page of a list (odata.maxpagesize); Graph may give fewer."""
ERROR_CHARACTERS = 300
"""Characters that a message of ours quotes of an answer."""
_ANY = range(100, 600)

IMMUTABLE = 'IdType="ImmutableId"'
"""Preference of every request: other ids change when a message is moved (learn.microsoft.com/graph/
outlook-immutable-id)."""

GONE = frozenset({"erroritemnotfound", "errorfoldernotfound", "errorinvalididmalformed", "errorinvalidid"})
"""Codes (lower case) of an item or folder that is not there. Any other 404 is not taken for it: then the mailbox is
not to be had, and its mails must not be taken for vanished."""
_NO_MAILBOX = frozenset(
    "errorinvaliduser resourcenotfound request_resourcenotfound errornonexistentmailbox errormissingemailaddress "
    "mailboxnotenabledforrestapi mailboxnothostedinexchangeonline".split()
)
_BLOCKED = frozenset({"errormessagesubmissionblocked", "erroraccountsuspend"})
_NO_RIGHT = frozenset(
    "erroraccessdenied accessdenied authorization_requestdenied authorization_identitynotfound "
    "authorization_scopenotfound".split()
)
_SENTENCES = {
    401: "the access token is not accepted, a new one neither; sign in again",
    409: "somebody changed it this moment",
    412: "somebody changed it this moment",
    413: "it is too large for Microsoft Graph",
    429: "too many requests, we are told to wait",
    503: "is not available for now",
}


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """One mailbox of Microsoft 365.

    address: its main address, a shared mailbox's too. tokens: of the sign-in, for Graph. base_url: Graph's address
    with its version; other clouds have another. ca_file: PEM, None for the usual ones. timeout_s: for connecting and
    between two pieces of an answer.
    """

    address: str
    tokens: Tokens = field(repr=False)
    base_url: str = "https://graph.microsoft.com/v1.0"
    ca_file: str | None = None
    timeout_s: float = 30

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc.lower()


class GraphLine:
    """The requests of one thread to one mailbox.

    right: the permission of Graph that they need, for messages.
    """

    def __init__(self, settings: GraphSettings, *, right: str) -> None:
        self._settings = settings
        self._right = right
        self._where = f"{settings.address} at {settings.host}"
        self._root = f"{settings.base_url.rstrip('/')}/users/{quote(settings.address, safe='@')}"
        self._gate = gate_of(settings.host, settings.address.lower())
        self._token = ""
        self._web = Web(self._where, ca_file=settings.ca_file, timeout_s=settings.timeout_s, auth=self._signed)

    def url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The address of something in the mailbox. path: begins with `/`, ids in it quoted (`quoted`)."""
        return self._root + path + ("?" + urlencode(query, quote_via=quote, safe="$") if query else "")

    def is_ours(self, link: str) -> bool:
        """Whether a link leads to the configured server, where alone our token may go."""
        try:
            theirs, ours = urlsplit(link), urlsplit(self._settings.base_url.rstrip("/") + "/")
        except ValueError:
            return False
        same = (theirs.scheme, theirs.netloc.lower()) == (ours.scheme, ours.netloc.lower())
        return same and theirs.path.startswith(ours.path)

    def ask(
        self,
        method: str,
        url: str,
        *,
        accept: Container[int] = (),
        data: bytes | None = None,
        content_type: str = "application/json",
        prefer: tuple[str, ...] = (),
        unchanged: str = "",
        limit_bytes: int | None = None,
        right: str = "",
        begins: Callable[[], None] | None = None,
    ) -> Answer:
        """The answer when its status is 2xx or in `accept`; cut off at `limit_bytes`, then it is not whole.

        prefer: preferences besides immutable ids. unchanged: the ETag that the item must still have. begins: called
        right before the request goes out, and what it raises is passed on. Raises: Transient (Lost when it may have
        been worked on), Gone, Permanent, LoginRefused.
        """
        headers = {"Prefer": ", ".join((IMMUTABLE, *prefer)), "Accept": "*/*"}
        if data is not None:
            headers["Content-Type"] = content_type
        if unchanged:
            headers["If-Match"] = unchanged
        self._token = self._settings.tokens.token()
        answer, wait_s = self._passed(method, url, data, headers, limit_bytes, begins)
        if answer.status == 401:
            self._token = self._settings.tokens.token(refused=self._token)
            answer, wait_s = self._passed(method, url, data, headers, limit_bytes, None)
        if 200 <= answer.status < 300 or answer.status in accept:
            return answer
        raise self.refusal(answer, right=right, wait_s=wait_s)

    def get(self, path: str, query: Mapping[str, str], *, prefer: tuple[str, ...] = ()) -> dict[str, Any]:
        """One object. Raises: as `ask`."""
        return self.object_of(self.ask("GET", self.url(path, query), prefer=prefer))

    def listed(self, path: str, query: Mapping[str, str], *, prefer: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
        """Every item of a list, over all its pages. Raises: as `ask`."""
        url: str | None = self.url(path, query)
        while url is not None:
            page = self.object_of(self.ask("GET", url, prefer=(f"odata.maxpagesize={PAGE}", *prefer)))
            yield from self.items_of(page)
            url = self.link_of(page, "@odata.nextLink")

    def post(
        self, path: str, body: Mapping[str, object], *, accept: Container[int] = (), prefer: tuple[str, ...] = ()
    ) -> Answer:
        """Raises: as `ask`."""
        return self.ask("POST", self.url(path), data=_json(body), accept=accept, prefer=prefer)

    def patch(self, path: str, body: Mapping[str, object], *, unchanged: str, prefer: tuple[str, ...] = ()) -> None:
        """Change an item unless somebody else just did; then Transient, and it is to be read anew. Raises: as `ask`."""
        self.ask("PATCH", self.url(path), data=_json(body), unchanged=unchanged, prefer=prefer)

    def object_of(self, answer: Answer) -> dict[str, Any]:
        """The JSON object. Raises: Permanent (too large), Lost (something else answers in Graph's place)."""
        if not answer.whole:
            raise Permanent(f"{self._where}: the answer is larger than {len(answer.body) // 1024 // 1024} MB")
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = answer.headers.get("Content-Type", "no type")
            what = f"the answer is not Microsoft Graph's but {len(answer.body)} octets of {kind}"
            raise Lost(f"{self._where}: {what}; is a proxy in between, or the address wrong?") from error
        if not isinstance(found, dict):
            raise Lost(f"{self._where}: the answer is no JSON object")
        return found

    def items_of(self, page: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The items of one page. Raises: Lost when there is no list, which is not an empty one."""
        items = page.get("value")
        if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
            raise Lost(f"{self._where}: the answer has no list of items")
        return items

    def link_of(self, page: Mapping[str, Any], name: str) -> str | None:
        """A link of a page, None without. Raises: Permanent when it leads elsewhere: no token goes there."""
        link = page.get(name)
        if link is None:
            return None
        if not isinstance(link, str) or not self.is_ours(link):
            raise Permanent(f"{self._where}: a page leads to another server, which is not followed: {link!r:.200}")
        return link

    def refusal(self, answer: Answer, *, right: str = "", wait_s: float | None = None) -> Transient | Permanent:
        """What a refusal means; wait_s: the time that Graph tells us to wait."""
        code, words = said(answer)
        what = f"{self._where}: {self._sentence(answer, code.lower(), right or self._right)}"
        what += f" ({answer.status} {code}: {words})" if code else f" ({answer.status})"
        if answer.status == 401:
            return LoginRefused(what)
        if answer.status >= 500 or answer.status in MAY_PASS or answer.status in (409, 412):
            not_done = answer.status < 500 or was_not_done(answer.status, answer.headers.get("Retry-After", ""))
            kind = Transient if not_done else Lost
            return kind(what, retry_after_s=1.0 if answer.status in (409, 412) else wait_s)
        return Gone(what) if code.lower() in GONE else Permanent(what)

    def close(self) -> None:
        """Close the connections; a later request opens them again."""
        self._web.close()

    def _sentence(self, answer: Answer, code: str, right: str) -> str:
        address = self._settings.address
        if code in _NO_MAILBOX:
            return (
                f"there is no mailbox {address} in Microsoft 365 (a typing error, no licence, a guest, or it still "
                "lies on your own Exchange server: then it is read by EWS, not by Graph)"
            )
        if code == "errorsendasdenied":
            return (
                f"{address} may not send under the address in From; use its own address there, or give it 'Send as' "
                "on that address in the Exchange admin center"
            )
        if code in _BLOCKED:
            return (
                f"Exchange lets {address} send nothing for now, for too many mails or what looked like spam; an "
                "administrator lifts that (security.microsoft.com, Restricted entities)"
            )
        if code in _NO_RIGHT or answer.status == 403:
            return (
                f"the app may not do that with {address}: it lacks {right} there. As an app: give it the Exchange role "
                f"'Application {right}' with a scope that covers {address} (docs/microsoft365.md, step 3), which takes "
                "up to two hours to count. Do not grant it under API permissions in Entra: that opens every mailbox, "
                f"unless an application access policy narrows it. Signed in as a person: {right}.Shared with consent, "
                "and full access to a mailbox that is not their own"
            )
        if 300 <= answer.status < 400:
            return f"has moved to {answer.headers.get('Location', 'nowhere')}; configure that"
        return _SENTENCES.get(answer.status, "is refused")

    def _passed(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        limit_bytes: int | None,
        begins: Callable[[], None] | None,
    ) -> tuple[Answer, float | None]:
        """One request through the gate, and how long nothing may be sent after it."""
        with self._gate.passing(self._where, timeout_s=self._settings.timeout_s):
            if begins is not None:
                begins()
                self._gate.check(self._where)  # it takes a commit, and another thread may have been told meanwhile
            answer = self._web.request(
                method, url, accept=_ANY, data=data, headers=headers, limit_bytes=limit_bytes, cut=True
            )
            asked = answer.headers.get("Retry-After", "")
            if answer.status in (429, 503) or asked != "":
                return answer, self._gate.shut(retry_after_s(asked))
            self._gate.went_well()
            return answer, None

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def said(answer: Answer) -> tuple[str, str]:
    """Code and words of a refusal, `""` where the body is none of Graph's; never raises."""
    try:
        error = json.loads(answer.body)["error"]
        return str(error["code"])[:100], " ".join(str(error.get("message", "")).split())[:ERROR_CHARACTERS]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "", ""


def quoted(identifier: str) -> str:
    """An id as a segment of a path."""
    return quote(identifier, safe="")


def literal(text: str) -> str:
    """A string in a $filter (OData 4.01 ABNF: quotes doubled)."""
    return "'" + text.replace("'", "''") + "'"


def text_of(item: Mapping[str, Any], *path: str) -> str:
    """The string under these names, `""` where there is none."""
    found: Any = item
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def properties_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Id (lower case) → value of the expanded singleValueExtendedProperties."""
    found = item.get("singleValueExtendedProperties")
    pairs = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    return {text_of(each, "id").lower(): text_of(each, "value") for each in pairs}


def expanded(*ids: str) -> str:
    """$expand for these extended properties (learn.microsoft.com/graph/api/resources/extended-properties-overview)."""
    return f"singleValueExtendedProperties($filter={' or '.join(f'id eq {literal(each)}' for each in ids)})"


def moment(value: str) -> datetime | None:
    """An Edm.DateTimeOffset, as Graph gives it, in UTC; None for what is none."""
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
