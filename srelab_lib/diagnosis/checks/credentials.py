"""Credentials and certificates that are no longer accepted, in the words of the servers that refuse them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from srelab_lib.diagnosis.checks._calls import called
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import (
    Check,
    event_facts,
    events,
    first_seen,
    grouped,
    one_each,
    spec_fact,
)
from srelab_lib.diagnosis.checks._logs import Hits, by_workload, hits, matching
from srelab_lib.diagnosis.checks._secrets import holders_of, secrets_of
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.exceptions import what_it_says
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_REFUSED = re.compile(
    r"password authentication failed|access denied for user|\bWRONGPASS\b|\bNOAUTH\b|login failed for user"
    r"|\bERR (?:invalid password|AUTH )|\bACCESS_REFUSED\b|\bORA-01017\b|\bSCRAM\b.{0,80}fail"
    r"|SASL authentication failed"
    r"|(?:mongo|sasl|smtp|ldap|ssh|kafka|amqp|db|database|server)\w*:? .{0,80}authentication (?:failed|failure|error)"
    r"|AuthenticationError|AuthenticationException|AuthenticationFailed|unable to authenticate"
    r"|\bInvalidAccessKeyId\b|\bSignatureDoesNotMatch\b|\bExpiredToken\b|\bInvalidClientTokenId\b"
    r"|\b401 (?:client error|unauthorized)|HTTP Error 401|status(?: ?code)?:? \(?401\b"
    r"|\b(?:answered|replied|responded|response|got)(?: with)?(?: status)?[\s:=]{1,3}401\b"
    r"|\binvalid_(?:client|grant|token)\b"
    r"|invalid api key|incorrect api key|bad credentials",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\bNOAUTH\b|authentication required|client already authenticated", re.IGNORECASE)
_UNPRIVILEGED = re.compile(
    r"permission denied for (?:table|relation|schema|sequence|database|function|procedure|view|column|language|type)\b"
    r"|\bInsufficientPrivilege\b|\b(?:SELECT|INSERT|UPDATE|DELETE|EXECUTE|\w+) command denied to user"
    r"|access denied for user '[^']*'@'[^']*' to database|not authorized on \S+ to execute command"
    r"|\bNOPERM\b|\bORA-01031\b|permission was denied on the object",
    re.IGNORECASE,
)
"""What databases say to a client that they know, and that has not the right to what it asks for."""
_EXPIRED = re.compile(
    r"certificate has expired|\bCERT_HAS_EXPIRED\b|certificate (?:is )?expired|CertificateExpiredException"
    r"|ERR_CERT_DATE_INVALID|expired certificate|certificate verify failed: certificate has expired",
    re.IGNORECASE,
)


_ALERTED = re.compile(r"alert certificate[ _]expired|tls: expired certificate|SSL alert number 45", re.IGNORECASE)
"""What a server logs when its client has refused its certificate."""


def check_secret_rotated(s: Snapshot) -> Iterator[Finding]:
    """Log lines in which a server refuses a password, a key or a token that a Secret of the workload holds."""
    view = net(s)
    found = [hit for hit in hits(s, _REFUSED) if len(hit.lines) > 1 and evident(s, hit)]
    for hit in callers_first(view, found):
        workload = view.workloads.get(hit.object)
        held = list(secrets_of(workload)) if workload else []
        names = ", ".join(dict.fromkeys(name for name, _ in held))
        servers, holders = _servers(view, hit), holders_of(view, hit.object, {name for name, _ in held})
        whose = f"the credential that it has from Secret {names}" if names else "its credential"
        asked = not names and any(_ASKED.search(str(line["message"])) for line in hit.lines)
        yield Finding(
            fault="secret_rotated",
            object=hit.object,
            summary=f"{spoken(hit.object)} is refused by {_named(servers, holders)}",
            cause="it is asked for a password, and gives none" if asked else f"{whose} is no longer accepted",
            facts=one_each(
                [*hit.facts(), *(spec_fact(hit.object, setting=text) for _, text in held[:2]), *symptoms(s, hit.object)]
            ),  # fmt: skip
            since=hit.first,
            related=(
                *(object_ref("Secret", s.namespace, name) for name, _ in dict.fromkeys(held)),
                *servers,
                *holders,
            ),  # fmt: skip
        )


def check_privilege_denied(s: Snapshot) -> Iterator[Finding]:
    """Log lines in which a database lets a client in and denies it what it asks for."""
    view = net(s)
    refused = {hit.object for hit in hits(s, _REFUSED)}
    found = [hit for hit in hits(s, _UNPRIVILEGED) if len(hit.lines) > 1 and evident(s, hit)]
    for hit in callers_first(view, found):
        if hit.object in refused:
            continue  # A login that fails says more.
        servers = _servers(view, hit)
        yield Finding(
            fault="rbac_denied",
            object=hit.object,
            summary=f"{spoken(hit.object)} is denied what it asks for by {_named(servers, [])}",
            cause=f'its account there has not the right: "{what_it_says(hit.lines[-1])}"',
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            related=tuple(servers),
        )


def callers_first(view: Net, found: list[Hits]) -> list[Hits]:
    """Without the hits of a server whose caller logs the same: the fix is at the caller."""
    objects = {hit.object for hit in found}
    served = {
        workload.ref
        for service in view.services.values()
        for workload in service.workloads
        if any(caller.ref in objects and caller.ref != workload.ref for caller in view.callers(service))
    }
    return [hit for hit in found if hit.object not in served]


def _named(servers: list[str], holders: list[str]) -> str:
    """Who refuses it, where it can be only one: a Service by the lines or settings, else who has the Secret, too."""
    services = [ref for ref in servers if ref.startswith("Service/")] or holders
    return f"{spoken(services[0])}, where it logs in" if len(services) == 1 else "a server that it logs in to"


def _servers(view: Net, hit: Hits) -> list[str]:
    """Services that the refused workload's lines or settings name, and what stands behind them."""
    workload = view.workloads.get(hit.object)
    wanted = [called(str(line["message"]), "refused") for line in hit.lines[:3]]
    wanted += [item.address for item in view.references(workload)] if workload else []
    services = [service for service in map(view.service, wanted) if service]
    return list(dict.fromkeys(ref for x in services for ref in (x.ref, *(w.ref for w in x.workloads))))


_EXPIRED_IN_EVENT = r"x509: certificate has expired|CERT_HAS_EXPIRED"
"""As TLS libraries word it: whoever may write an event can write prose about certificates."""


def check_tls_expired(s: Snapshot) -> Iterator[Finding]:
    """Log lines and events: `certificate has expired`."""
    view = net(s)
    for ref, items in grouped(events(s, message=_EXPIRED_IN_EVENT)).items():
        yield _expired(ref, ref, one_each(event_facts(items)), first_seen(items), strength=3)
    alerts = [hit for hit in hits(s, _ALERTED, quiet=True) if hit.ongoing]
    told = by_workload(s, [line for line in matching(s, _EXPIRED) if not _ALERTED.search(str(line["message"]))])
    for hit in alerts if not told else ():
        if len(hit.lines) > 1:
            facts = one_each([*hit.facts(), *symptoms(s, hit.object)])
            yield _expired(hit.object, "", facts, hit.first)
    for hit in told:
        if len(hit.lines) < 2 or not hit.ongoing or not (_names_tls(hit) or evident(s, hit)):
            continue
        service = view.service(called(str(hit.lines[-1]["message"]), "refused"))
        servers = [service.ref, *(w.ref for w in service.workloads)] if service else _servers(view, hit)
        alerted = [one for one in alerts if one.object != hit.object]
        owners = [one.object for one in alerted] or [ref for ref in servers if not ref.startswith("Service/")]
        target = owners[0] if len(owners) == 1 else hit.object
        facts = one_each([*hit.facts(), *(fact for one in alerted for fact in one.facts(1)), *symptoms(s, hit.object)])
        yield _expired(target, hit.object, facts, hit.first, servers)


def _names_tls(hit: Hits) -> bool:
    """True for a TLS library's own wording, which no application writes by itself."""
    return all(re.search(r"x509|SSL|TLS|CERT_HAS_EXPIRED|verify failed", str(line["message"])) for line in hit.lines)


def _expired(
    ref: str,
    caller: str,
    facts: tuple[Fact, ...],
    since: datetime | None,
    servers: Sequence[str] = (),
    *,
    strength: Literal[2, 3] = 2,
) -> Finding:
    """The finding; `caller` is who refuses the certificate, empty where only its owner tells that somebody does."""
    whose = f"the certificate of {spoken(ref)}" if ref != caller else "a certificate"
    return Finding(
        fault="tls_expired",
        object=ref,
        summary=f"{f'{spoken(caller)} refuses' if caller else 'clients refuse'} the certificate "
        f"{f'of {spoken(ref)}' if ref != caller else 'that it is shown'}",
        cause=f"{whose} has expired",
        facts=facts,
        since=since,
        strength=strength,
        related=tuple(dict.fromkeys([*([caller] if caller else []), *servers])),
    )


CHECKS: tuple[Check, ...] = (check_secret_rotated, check_privilege_denied, check_tls_expired)
