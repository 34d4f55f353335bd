"""A refusal of Microsoft Entra in, one of our errors with plain words and what to do out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triaged.backends.oauth.endpoint import MAY_PASS, first_line
from triaged.errors import LoginRefused, Transient

if TYPE_CHECKING:
    from triaged.backends.oauth.microsoft import MicrosoftSettings

_CODE = re.compile(r"AADSTS(\d+)")
_SECRETS = "Entra admin centre > App registrations > the app > Certificates & secrets"
_AGAIN = "sign in again: triaged login {name}"

WORDS: Mapping[int, str] = {
    50034: "there is no such account in the tenant {tenant}",
    50053: "the account is locked; wait, or have an administrator unlock it",
    50055: "the account's password has ended; change it, then " + _AGAIN,
    50057: "the account is switched off in the tenant",
    50076: "more than a password is demanded now (multi-factor); " + _AGAIN,
    50079: "the account must set up a second factor first; " + _AGAIN,
    50105: "the account is not assigned to the app: Entra admin centre > Enterprise applications > the app > Users and "
    "groups",
    50126: "user name or password is wrong",
    50173: "the account's password was changed or its sessions were ended; " + _AGAIN,
    53000: "a rule of the tenant (Conditional Access) demands a managed device; have an administrator exempt this app",
    53003: "a rule of the tenant (Conditional Access) forbids this; have an administrator exempt this app",
    65001: "the permissions have not been consented to: Entra admin centre > App registrations > the app > API "
    "permissions > Grant admin consent",
    70008: "the sign-in has ended, unused for too long; " + _AGAIN,
    70011: "the app cannot be given these permissions: look at its API permissions",
    70043: "the tenant lets a sign-in last only so long, and it has ended; " + _AGAIN,
    90002: "there is no tenant {tenant}; look at tenant (and cloud) in config.toml",
    90094: "an administrator must consent: Entra admin centre > App registrations > the app > API permissions > Grant "
    "admin consent",
    500011: "the tenant does not have this service (no Exchange Online there?); look at tenant in config.toml",
    530003: "a rule of the tenant (Conditional Access) demands a managed device; have an administrator exempt this app",
    700003: "the device that signed in is no longer known in the tenant; " + _AGAIN,
    700016: "the tenant {tenant} has no app {client_id}; look at client_id and tenant in config.toml",
    700027: "the certificate is not the app's, or has ended: upload it at " + _SECRETS,
    700082: "the sign-in has ended, unused for 90 days; " + _AGAIN,
    700084: "the sign-in has ended, it lasts a day only for this kind of app; " + _AGAIN,
    7000112: "the app is switched off in the tenant",
    7000215: "the secret is wrong: it is the secret's Value that is wanted, not its Secret ID. Make a new one at "
    + _SECRETS + ", and write it into the secret's file",
    7000218: "the app is none that a person may sign in to so: Entra admin centre > App registrations > the app > "
    "Authentication > Allow public client flows: Yes",
    7000222: "the secret has ended. Make a new one at " + _SECRETS + ", write it into the secret's file and its end at "
    "secret_ends in config.toml",
}  # fmt: skip
"""By AADSTS number; learn.microsoft.com, "Microsoft Entra authentication and authorization error codes", 2026-11."""

_DEVICE: Mapping[str, str] = {
    "authorization_declined": "the person said no",
    "access_denied": "the person said no",
    "expired_token": "nobody signed in in time; type the command once more",
}
"""Ends of a device code (RFC 8628 3.5)."""
_PERSON_NEEDED = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})


def refusal(settings: MicrosoftSettings, answer: Mapping[str, Any]) -> Transient | LoginRefused:
    """answer: with `error` and `error_description` (RFC 6749 5.2); neither holds a secret."""
    error, told = str(answer.get("error", "")), str(answer.get("error_description", ""))
    code = next((int(found) for found in _CODE.findall(told) if int(found) in WORDS), None)
    if error in MAY_PASS and code is None:
        return Transient(f"sign-in {settings.name}: the server cannot do it now: {first_line(told) or error}")
    if code is not None:
        words = f"{WORDS[code]} (AADSTS{code})"
    elif error in _DEVICE:
        words = _DEVICE[error]
    else:
        words = first_line(told) or error or "refused without a word"
        if error in _PERSON_NEEDED and not settings.is_app:
            words += f"; {_AGAIN}"
    fields = {"name": settings.name, "tenant": settings.tenant, "client_id": settings.client_id}
    for name, value in fields.items():
        words = words.replace("{" + name + "}", value)  # not format(): a server's words may hold braces
    return LoginRefused(f"sign-in {settings.name}: {words}")
