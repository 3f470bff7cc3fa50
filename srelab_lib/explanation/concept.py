"""What a concept of the vocabulary is, how one is written down, and the course of a failure that orders them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["topic", "event", "state"]
Stage = int | tuple[int, int] | None

CHANGED, DECLARED, SHORT, FAILED, PROBED, ENDED, REPEATED, UNREADY, FELT, REPORTED = range(10)
"""Where something stands in the course of a failure: what was changed or declared, what got short, what then failed,
that a probe told of it, how the process ended, that it did so again and again, that it gets no traffic, what users
felt, what controllers and alerts say about all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One thing that is spoken of.

    Attributes:
        name: for people: `says "{name}"`.
        said: how a claim says it.
        held: how a fact says it, where it has further words.
        denied: how a fact says that a state does not hold, or that an event did not happen where it names another one.
        affirmed: how a claim says that a state holds, where its mere mention does not.
        stage: its place in the course of a failure, first and last where that varies, None where it says nothing.
        loose: its words have other senses too (`it stopped X`, `a pool of one`), or people mention it in passing: one
            such concept may go beyond the facts where the rest of the claim is theirs.
        is_denial: it says by itself that something did not happen.
        of_several: a claim may affirm it of one thing and deny it of another one.
    """

    name: str
    kind: Kind
    said: re.Pattern[str]
    held: re.Pattern[str]
    denied: re.Pattern[str] | None = None
    affirmed: re.Pattern[str] | None = None
    stage: Stage = None
    loose: bool = False
    is_denial: bool = False
    of_several: bool = False


def topic(name: str, said: str, held: str = "", stage: Stage = None, *, loose: bool = False) -> Concept:
    """A thing: `said` is how claims and facts name it, `held` how facts do besides."""
    return Concept(name=name, kind="topic", said=_any(said), held=_any(said, held), stage=stage, loose=loose)


def event(
    name: str,
    said: str,
    held: str = "",
    stage: Stage = None,
    denied: str = "",
    *,
    loose: bool = False,
    is_denial: bool = False,
) -> Concept:
    """What happened or did not: `said` is how claims and facts say it, `held` how facts do besides."""
    return Concept(
        name=name,
        kind="event",
        said=_any(said),
        held=_any(said, held),
        denied=_any(denied) if denied else None,
        stage=stage,
        loose=loose,
        is_denial=is_denial,
    )


def state(
    name: str,
    said: str,
    held: str,
    denied: str,
    stage: Stage = None,
    affirmed: str = "",
    *,
    of_several: bool = False,
) -> Concept:
    """What holds or does not: `said` is how claims speak of it, `held` and `denied` are how facts do."""
    return Concept(
        name=name,
        kind="state",
        said=_any(said),
        held=_any(held),
        denied=_any(denied),
        affirmed=_any(affirmed) if affirmed else None,
        stage=stage,
        of_several=of_several,
    )


def earliest(concept: Concept) -> int | None:
    """The first place in the course of a failure at which it can stand: what a cause is judged by."""
    return concept.stage[0] if isinstance(concept.stage, tuple) else concept.stage


def latest(concept: Concept) -> int | None:
    """The last place at which it can stand: what an effect is judged by."""
    return concept.stage[1] if isinstance(concept.stage, tuple) else concept.stage


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns if pattern))


IN_CLAUSE = r"[^.;,]{0,40}?"
USERS = r"(?:requests?|users?|clients?|callers?|customers?|calls?|traffic|quer(?:y|ies))(?! (?:rate|volume|count))"
TRAFFIC = r"(?:traffic|requests?|(?<!error )(?<!failure )rates?|load|throughput)"
FAILS = r"(?:fail\w*|error(?:s|ed|ing)?|lost|reject\w*|broke\w*|unsuccessful)"
SETTING = (
    r"(?:limits?|ceiling|cap|budget|allowance|ports?|replicas?|images?|variables?|selectors?|size|"
    r"time ?outs?|settings?|quotas?|thresholds?|config\w*|commands?|probes?|pool|"
    r"(?:memory|cpu|resource) requests?)"
)
ALTERED = r"(?:increas|reduc|decreas|lower|rais|cut|shr[aiu]nk|slash|halv|doubl|bump|tighten|drop)\w*"
DIED = r"previous=?true|traceback|\w+error\b|fatal|panic"
WELL = (
    r"\bhealthy\b|succe(?:ss|ed)|completed|recover|ready\W{0,2}true|\b200\b|passed|phase\W?running|"
    r"is running|status\W?ok|available\W{0,2}true|exit code\W?0\b"
)
TROUBLE = (
    r"error|\berr\b|exception|fail|(?<![.\w])5(?:\d\d|xx)\b|(?<![.\w])4(?:\d\d|xx) (?:status|response|answer)|"
    r"traceback|panic|fatal|critical|oom|kill|crash|"
    r"back off|unhealthy|denied|refused|"
    r"time ?out|timed out|missing|not found|exit code\W?[1-9]|insufficient|unavailable|evict|"
    r"forbidden|not ready|throttl|"
    r"no such|unable|can not|could not|deadlock|exhaust|warning|invalid|expired|exceeded|violat|"
    r"conflict|stuck|pending|not exist|waiting for|unreachable|\bexit [1-9]"
)
