"""Certificates that have expired: of a server that its callers refuse, and of a client that a server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from srelab_lib.diagnosis.checks._calls import all_failures, called
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import (
    Check,
    event_facts,
    events,
    first_seen,
    grouped,
    one_each,
    raw_objects,
    rows,
    spec_fact,
)
from srelab_lib.diagnosis.checks._logs import Hits, by_workload, hits, matching
from srelab_lib.diagnosis.checks._secrets import secrets_of
from srelab_lib.diagnosis.checks._services import Net, calls_to, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.credentials import servers_of
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_EXPIRED = re.compile(
    r"certificate has expired|\bCERT_HAS_EXPIRED\b|certificate (?:is )?expired|CertificateExpiredException"
    r"|ERR_CERT_DATE_INVALID|expired certificate|certificate verify failed: certificate has expired",
    re.IGNORECASE,
)
_ALERTED = re.compile(r"alert certificate[ _]expired|tls: expired certificate|SSL alert number 45", re.IGNORECASE)
"""What a server logs when its client has refused its certificate."""
_OF_CLIENT = re.compile(
    r"client (?:SSL |TLS )?certificate\b.{0,80}\bexpired|(?:verify|bad) client certificate.{0,80}\bexpired"
    r"|TLS handshake error from .{0,120}\bcertificate has expired",
    re.IGNORECASE,
)
"""What a server logs that asks its clients for a certificate, and refuses one."""
_CLIENT = re.compile(
    r"(?:\bclient:? |\bfrom )\[?(?P<address>[0-9a-f]{1,4}(?:[.:][0-9a-f]{0,4}){3,7}?)\]?(?=[:,\s]|$)", re.I
)
_EXPIRED_IN_EVENT = r"x509: certificate has expired|CERT_HAS_EXPIRED"
"""As TLS libraries word it: whoever may write an event can write prose about certificates."""


def check_tls_expired(s: Snapshot) -> Iterator[Finding]:
    """Log lines and events: `certificate has expired`."""
    view = net(s)
    for ref, items in grouped(events(s, message=_EXPIRED_IN_EVENT)).items():
        yield _expired(ref, ref, one_each(event_facts(items)), first_seen(items), strength=3)
    alerts = [hit for hit in hits(s, _ALERTED, quiet=True) if hit.ongoing]
    others = [line for line in matching(s, _EXPIRED) if not _ALERTED.search(str(line["message"]))]
    told = by_workload(s, [line for line in others if not _OF_CLIENT.search(str(line["message"]))])
    for hit in alerts if not told else ():
        if len(hit.lines) > 1:
            facts = one_each([*hit.facts(), *symptoms(s, hit.object)])
            yield _expired(hit.object, "", facts, hit.first)
    for hit in told:
        if len(hit.lines) < 2 or not hit.ongoing or not (_names_tls(hit) or evident(s, hit)):
            continue
        service = view.service(called(str(hit.lines[-1]["message"]), "refused"))
        servers = [service.ref, *(w.ref for w in service.workloads)] if service else servers_of(view, hit)
        alerted = [one for one in alerts if one.object != hit.object]
        owners = [one.object for one in alerted] or [ref for ref in servers if not ref.startswith("Service/")]
        target = owners[0] if len(owners) == 1 else hit.object
        facts = one_each([*hit.facts(), *(fact for one in alerted for fact in one.facts(1)), *symptoms(s, hit.object)])
        yield _expired(target, hit.object, facts, hit.first, servers)


def check_client_certificate(s: Snapshot) -> Iterator[Finding]:
    """Log lines of a server: it refuses the certificate of a client, which has expired."""
    view = net(s)
    for hit in hits(s, _OF_CLIENT, quiet=True):
        clients = _clients(s, view, hit)
        if len(hit.lines) < 2 or not hit.ongoing:
            continue
        ref = clients[0] if len(clients) == 1 else hit.object
        workload = view.workloads.get(ref) if ref != hit.object else None
        whose = f"of {spoken(ref)}" if workload else "of a client"
        held = [spec_fact(ref, setting=text) for _, text in secrets_of(workload)] if workload else []
        yield Finding(
            fault="tls_expired",
            object=ref,
            summary=f"{spoken(hit.object)} refuses the certificate {whose}",
            cause=f"the certificate {whose}, which it shows as a client, has expired",
            facts=one_each([*hit.facts(), *held[:2], *symptoms(s, ref)]),
            since=hit.first,
            strength=3,
            related=(hit.object,),
        )


def _clients(s: Snapshot, view: Net, hit: Hits) -> list[str]:
    """Whose certificate a server refuses: by the addresses in its lines, else who calls it and logs that it fails."""
    named = {match["address"] for line in hit.lines if (match := _CLIENT.search(str(line["message"])))}
    pods = {
        address: (endpoint.get("targetRef") or {}).get("name")
        for raw in raw_objects(s, "EndpointSlice").values()
        for endpoint in raw.get("endpoints") or []
        for address in endpoint.get("addresses") or []
    }
    owners = {str(row["pod"]): str(row["object"]) for row in rows(s["pods"])}
    found = {owners[pod] for address in named if (pod := pods.get(address)) in owners}
    if not found:
        own = [service for service in view.services.values() if hit.object in {one.ref for one in service.workloads}]
        found = {call.caller for service in own for call in calls_to(view, all_failures(s), service)}
    return sorted(found - {hit.object})


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


CHECKS: tuple[Check, ...] = (check_tls_expired, check_client_certificate)
