"""Credentials that are no longer accepted, in the words of the servers that refuse them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._calls import called
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import (
    Check,
    one_each,
    spec_fact,
)
from srelab_lib.diagnosis.checks._logs import Hits, hits
from srelab_lib.diagnosis.checks._secrets import holders_of, secrets_of
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.exceptions import what_it_says
from srelab_lib.model import Finding, Snapshot, object_ref, spoken

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


_NO_HEADER = re.compile(
    r"(?:invalid|illegal|bad) (?:http )?(?:header|character)s? (?:field )?(?:value|in header)"
    r".{0,80}(?:authorization|bearer|basic|token|api[_-]?key)"
    r"|\bERR_INVALID_CHAR\b.{0,80}authorization",
    re.IGNORECASE,
)
"""As HTTP libraries say it: `Invalid header value b'Bearer ...\\n'`."""


def check_secret_rotated(s: Snapshot) -> Iterator[Finding]:
    """Log lines in which a server refuses a password, a key or a token that a Secret of the workload holds."""
    view = net(s)
    found = [hit for hit in hits(s, _REFUSED) if len(hit.lines) > 1 and evident(s, hit)]
    for hit in callers_first(view, found):
        workload = view.workloads.get(hit.object)
        held = list(secrets_of(workload)) if workload else []
        names = ", ".join(dict.fromkeys(name for name, _ in held))
        servers, holders = servers_of(view, hit), holders_of(view, hit.object, {name for name, _ in held})
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
        servers = servers_of(view, hit)
        yield Finding(
            fault="rbac_denied",
            object=hit.object,
            summary=f"{spoken(hit.object)} is denied what it asks for by {_named(servers, [])}",
            cause=f'its account there has not the right: "{what_it_says(hit.lines[-1])}"',
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            related=tuple(servers),
        )


def check_malformed_credential(s: Snapshot) -> Iterator[Finding]:
    """Log lines of a program that cannot send the credential which it has: no header can hold it."""
    view = net(s)
    for hit in hits(s, _NO_HEADER):
        workload = view.workloads.get(hit.object)
        held = list(secrets_of(workload)) if workload else []
        names = list(dict.fromkeys(name for name, _ in held))
        if len(hit.lines) < 2 or not names or not evident(s, hit):
            continue
        settings = [spec_fact(hit.object, setting=text) for _, text in held[:2]]
        yield Finding(
            fault="secret_rotated",
            object=hit.object,
            summary=f"{spoken(hit.object)} cannot send its credential, which no header can hold",
            cause=f"what it has from Secret {', '.join(names)} is malformed, as by a line end that belongs to the file",
            facts=one_each([*hit.facts(), *settings, *symptoms(s, hit.object)]),
            since=hit.first,
            related=tuple(object_ref("Secret", s.namespace, name) for name in names),
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


def servers_of(view: Net, hit: Hits) -> list[str]:
    """Services that the refused workload's lines or settings name, and what stands behind them."""
    workload = view.workloads.get(hit.object)
    wanted = [called(str(line["message"]), "refused") for line in hit.lines[:3]]
    wanted += [item.address for item in view.references(workload)] if workload else []
    services = [service for service in map(view.service, wanted) if service]
    return list(dict.fromkeys(ref for x in services for ref in (x.ref, *(w.ref for w in x.workloads))))


CHECKS: tuple[Check, ...] = (check_secret_rotated, check_privilege_denied, check_malformed_credential)
