"""Databases and pools, in the words of their servers, drivers and pools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from srelab_lib.diagnosis.checks._calls import called, kind_of
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, change_fact, clipped, one_each, rows
from srelab_lib.diagnosis.checks._logs import Hits, hits
from srelab_lib.diagnosis.checks._services import Net, Workload, net, tasks
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks._ties import calls_of
from srelab_lib.diagnosis.checks.changes_made import SLACK
from srelab_lib.diagnosis.checks.credentials import callers_first
from srelab_lib.model import Finding, Snapshot, spoken


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """Words that a library or server uses for one fault and for nothing else."""

    fault: str
    words: re.Pattern[str]
    summary: str
    at_server: str
    """The summary where the server itself says it, of its clients."""
    cause: str


_RULES = {
    fault: _Rule(fault=fault, words=re.compile(words, re.IGNORECASE), summary=summary, at_server=at_server, cause=cause)
    for fault, words, summary, at_server, cause in (
        (
            "pool_exhausted",
            (
                r"QueuePool limit|pool (?:is )?exhausted|exhausted.{0,30}pool|PoolTimeout"
                r"|timed? ?out.{0,40}(?:acquir|waiting for)"
                r".{0,30}(?:connection|pool)|timeout acquiring|timed out fetching a new connection|too many connections"
                r"|too many clients already|remaining connection slots"
                r"|max_?(?:client_)?conn(?:ection)?s? (?:reached|exceeded)"
                r"|max number of clients reached|max_user_connections"
                r"|Connection is not available, request timed out(?! after \d+ ?ms \(total=0)"
                r"|ResourceRequest timed out|MaxPoolSize"
                r"|no (?:available|free|idle) (?:\w+ )?(?:connection|worker|thread|session|slot)s?\b"
                r"|(?:pool|thread|worker)s? starvation|RejectedExecutionException|thread pool.{0,30}(?:full|exhausted)"
                r"|connection pool is full|pool_size.{0,20}reached|sorry, too many|could not obtain a connection"
                r"|all pooled connections were in use|max pool size was reached"
                r"|no (?:\w+ )?(?:connection|worker|thread|lease|slot|session)s? (?:became|becomes|was|were|is|are) "
                r"(?:free|available|idle)\b"
            ),
            "a pool that {who} takes its connections or workers from is used up",
            "{who} has no connection left for its clients",
            "all connections or workers are in use",
        ),
        (
            "slow_query",
            (
                r"slow (?:sql )?(?:query|statement)|SLOW ?QUERY|canceling statement due to statement timeout"
                r"|maximum statement execution time"
                r"|QueryTimeout|query (?:execution )?(?:timed out|was interrupted)|\bduration: \d{4,}(?:\.\d+)? ms\b"
                r"|Query_time: \d|lost connection to mysql server during query"
                r"|execution (?:time|timeout) (?:exceeded|expired)"
                r"|statement timeout|MaxTimeMSExpired"
            ),
            "a query of {who} takes too long",
            "a query at {who} takes too long",
            "the database needs too long for the query",
        ),
        (
            "db_lock",
            (
                r"deadlock (?:detected|found)|\bdeadlocked\b|lock wait timeout|database (?:table )?is locked"
                r"|canceling statement due to lock timeout|lock timeout exceeded|could not obtain lock on"
                r"|LockNotAvailable"
                r"|LockTimeout|SQLITE_BUSY|WriteConflict|still waiting for \w+Lock"
                r"|waits for \w+Lock on|ORA-00060|ORA-00054"
                r"|could not serialize access"
            ),
            "transactions of {who} wait for locks that others hold",
            "transactions at {who} wait for locks that others hold",
            "another transaction holds the lock",
        ),
        (
            "schema_mismatch",
            (
                r"relation \"[^\"]+\" does not exist|column .{1,80} does not exist"
                r"|no such (?:table|column): |UndefinedTable"
                r"|UndefinedColumn|unknown column '|Table '[^']+' doesn't exist|unknown table"
                r"|Invalid (?:column|object) name '"
                r"|ORA-00942|ORA-00904|has no column named|SchemaManagementException|Schema-validation: "
                r"|pending migrations?\b"
                r"|unapplied migration|MigrationError|violates not-null constraint"
                r"|Field '[^']+' doesn't have a default value"
            ),
            "{who} and its database disagree about the schema",
            "{who} does not have a table or column that its clients ask for",
            "the database does not have what the program asks for",
        ),
    )
}


_CANCELLED = re.compile(r"statement timeout|QueryTimeout|canceling statement", re.IGNORECASE)
"""A statement that was given up: slow by itself, unless it waited for a lock."""


def check_pool_exhausted(s: Snapshot) -> Iterator[Finding]:
    """Log lines of pools, drivers and servers: no connection or worker is free."""
    yield from _findings(s, _RULES["pool_exhausted"])


def check_slow_query(s: Snapshot) -> Iterator[Finding]:
    """Log lines of databases and drivers: statements that take too long."""
    yield from _findings(s, _RULES["slow_query"])


_DROPS_INDEX = re.compile(r"\bdrop (?:index|key)\b|\bremove_?index\b|\bdrop_?index\b", re.IGNORECASE)


def check_dropped_index(s: Snapshot) -> Iterator[Finding]:
    """A task that took an index away, before those who call the same database became slow or failed."""
    view, jobs, df = net(s), {job.ref: job for job in tasks(s)}, s["changes"]
    for row in rows(df[df["object"].isin(list(jobs)) & df["text"].str.contains(_DROPS_INDEX)]):
        for service in view.called(jobs[row["object"]]):
            callers = [one.ref for one in view.callers(service) if one.ref not in jobs]
            since = row["time"] - SLACK
            felt = [fact for ref in callers for fact in symptoms(s, ref) if fact.time is None or fact.time >= since]
            for workload in service.workloads if any(fact.time for fact in felt) else ():
                yield Finding(
                    fault="slow_query",
                    object=workload.ref,
                    summary=f"queries of {', '.join(map(spoken, callers))} became slow at {spoken(workload.ref)}",
                    cause=f"{spoken(row['object'])} took away an index that they used",
                    facts=one_each([change_fact(row), *felt]),
                    since=min(fact.time for fact in felt if fact.time),
                    related=(row["object"], service.ref, *callers),
                )


def check_db_lock(s: Snapshot) -> Iterator[Finding]:
    """Log lines of databases and drivers: deadlocks and lock time-outs."""
    yield from _findings(s, _RULES["db_lock"])


def check_schema_mismatch(s: Snapshot) -> Iterator[Finding]:
    """Log lines of databases and drivers: a table or column that does not exist."""
    yield from _findings(s, _RULES["schema_mismatch"])


def _findings(s: Snapshot, rule: _Rule) -> Iterator[Finding]:
    view = net(s)
    found = [hit for hit in hits(s, rule.words) if len(hit.lines) > 1 and evident(s, hit)]
    if rule.fault == "slow_query" and any(evident(s, hit) for hit in hits(s, _RULES["db_lock"].words)):
        found = [hit for hit in found if not all(_CANCELLED.search(str(line["message"])) for line in hit.lines)]
    told = [hit.object for hit in found if _is_relayed(hit) or _has_server(s, hit, found)]
    own = [hit for hit in found if hit.object not in told]
    at_callers = callers_first(view, own)
    told += [hit.object for hit in own if hit not in at_callers]
    for hit in at_callers:
        service = view.service(called(str(hit.lines[-1]["message"]), "refused"))
        summary = rule.at_server if hit.object in databases(view) else rule.summary
        yield Finding(
            fault=rule.fault,
            object=hit.object,
            summary=summary.format(who=spoken(hit.object)),
            cause=f'{rule.cause}: "{_quote(rule, hit)}"',
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            related=(
                *told,
                *_users(s, view, hit),
                *((service.ref, *(w.ref for w in service.workloads)) if service else ()),
            ),
        )


def _has_server(s: Snapshot, hit: Hits, found: list[Hits]) -> bool:
    """True for a client whose server says the same: locks and connections are the server's, and others hold them.

    Where nothing names whom it calls, that is the only database of the namespace.
    """
    called, servers = calls_of(s).get(hit.object, set()), databases(net(s))
    known = called & servers or (servers if len(servers) == 1 else set())
    return hit.object not in servers and any(one.object in known for one in found)


_DATABASE_PORTS = frozenset({1433, 1521, 3306, 5432, 26257, 27017})


def databases(view: Net) -> set[str]:
    """Workloads behind Services with a port that is registered for a database."""
    services = [x for x in view.services.values() if _DATABASE_PORTS & {port.get("port") for port in x.ports}]
    return {workload.ref for service in services for workload in service.workloads}


def _users(s: Snapshot, view: Net, hit: Hits) -> Iterator[str]:
    """Who makes it work, Jobs too: what they were told to do may be what holds the locks and connections.

    Of what it calls itself only the Jobs: they may have altered what it finds there. So may those on its own volume,
    and, of the only database, those of which nothing tells whom they call.
    """
    jobs, own = tasks(s), view.workloads.get(hit.object)
    if own:
        yield from (one.ref for one in [*view.workloads.values(), *jobs] if one.ref != own.ref and _share(one, own))
    if {hit.object} == databases(view):
        yield from (one.ref for one in jobs if not view.references(one))
    for service in view.services.values():
        if hit.object in {workload.ref for workload in service.workloads}:
            yield from (one.ref for one in [*view.workloads.values(), *jobs] if view.calls(one, service))
        elif own and view.calls(own, service):
            yield from (one.ref for one in jobs if view.calls(one, service))


def _share(one: Workload, other: Workload) -> bool:
    """True for two that mount the same PersistentVolumeClaim."""
    return bool(_claims(one) & _claims(other))


def _claims(workload: Workload) -> set[str]:
    volumes = workload.spec.get("volumes") or []
    return {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")}


def _is_relayed(hit: Hits) -> bool:
    """True for what another program answered: its words are about itself."""
    return kind_of(str(hit.lines[-1]["message"])) == "answered"


def _quote(rule: _Rule, hit: Hits) -> str:
    """The telling part of the latest line, from the words on."""
    message = clipped(str(hit.lines[-1]["message"]), 2000)
    match = rule.words.search(message)
    return clipped(message[match.start() :] if match else message, 140)


CHECKS: tuple[Check, ...] = (
    check_pool_exhausted,
    check_slow_query,
    check_dropped_index,
    check_db_lock,
    check_schema_mismatch,
)
