"""A mail address in, the address of its Exchange server out: configured, or told by autodiscover (MS-OXDSCLI, POX)."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from triaged.backends.ews.line import EwsSettings, credentials_of, refuse_cloud
from triaged.backends.web import Answer, Web
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError

OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
REDIRECTS = 3
"""Answers that may point elsewhere before one must tell."""
LIMIT_BYTES = 1024 * 1024
_TAKEN = (200, 301, 302, 307)
_ASK = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>\
<EMailAddress>{}</EMailAddress><AcceptableResponseSchema>{}</AcceptableResponseSchema></Request></Autodiscover>"""


def endpoint_of(settings: EwsSettings) -> str:
    """The address that is configured, or the one that the mailbox's domain tells.

    Asked are `autodiscover.DOMAIN` and `DOMAIN` over HTTPS, and what they point to below the same domain; nobody is
    asked by HTTP or for DNS records, where an answer may be anybody's. Credentials are told to who asks for them
    (401), not to a firm's web pages. Raises: Permanent (Exchange Online;
    nothing found: configure the address), Transient (a server could not be asked), LoginRefused.
    """
    if settings.endpoint != "":
        return settings.endpoint
    domain = settings.address.rpartition("@")[2].lower()
    refuse_cloud(f"https://{domain}/")
    passing: Transient | None = None
    for host in (f"autodiscover.{domain}", domain):
        try:
            refuse_cloud(f"https://{_real_name(host)}/")
        except Permanent as error:
            raise Permanent(f"{host}: is a name for {error}") from error
        try:
            return _told_by(settings, f"https://{host}/autodiscover/autodiscover.xml", domain)
        except LoginRefused:
            raise
        except Transient as error:
            passing = error
        except _ElsewhereError as error:
            raise Permanent(str(error)) from error
        except Permanent:
            continue
    if passing is not None:
        raise Transient(f"{domain}: its Exchange server cannot be found now; configure its address: {passing}"[:500])
    raise Permanent(f"{domain}: tells of no Exchange server; configure the address of its EWS")


class _ElsewhereError(Exception):
    """It points to where no credentials of ours go."""


def _told_by(settings: EwsSettings, url: str, domain: str) -> str:
    for _ in range(REDIRECTS):
        answer = _ask(settings, url)
        if answer.status in (301, 302, 307):
            url = _below(answer.headers.get("Location", ""), domain)
            continue
        account = _account(answer.body)
        if (elsewhere := account.get("RedirectUrl", "")) != "":
            url = _below(elsewhere, domain)
            continue
        if (found := account.get("EwsUrl", "")) != "":
            return _below(found, domain)
        break
    raise Permanent(f"{url}: tells of no EWS")


def _real_name(host: str) -> str:
    """What a host is called behind its aliases (CNAME); itself where that cannot be told."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except OSError:
        return host
    return next((name for *_, name, _ in found if name != ""), host)


def _ask(settings: EwsSettings, url: str) -> Answer:
    body = _ASK.format(escape(settings.address), OUTLOOK).encode()
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    for auth, accept in ((None, (401, *_TAKEN)), (credentials_of(settings), _TAKEN)):
        web = Web(urlsplit(url).hostname or url, ca_file=settings.ca_file, timeout_s=settings.timeout_s, auth=auth)
        try:
            answer = web.request(
                "POST", url, accept=accept, data=body, headers=headers, limit_bytes=LIMIT_BYTES, cut=True
            )
        finally:
            web.close()
        if answer.status != 401:
            break
    return answer


def _below(url: str, domain: str) -> str:
    """Raises: _ElsewhereError for an address that is not below the domain, or not https."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        refuse_cloud(url)
    except TriagedError as error:
        raise _ElsewhereError(str(error)) from error
    if host != domain and not host.endswith(f".{domain}"):
        raise _ElsewhereError(
            f"{domain}: points to {host} for its Exchange server; if that is right, configure its address"
        )
    return url


def _account(body: bytes) -> dict[str, str]:
    """The first EwsUrl, and RedirectUrl where the whole answer is one. Raises: Permanent (the answer is no XML)."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Permanent(f"the answer of autodiscover is no XML: {error}"[:200]) from error
    found: dict[str, str] = {}
    for name in ("EwsUrl", "RedirectUrl"):
        found[name] = next(((each.text or "").strip() for each in root.iter(f"{{{OUTLOOK}}}{name}")), "")
    return found
