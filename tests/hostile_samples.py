"""Attacks on whoever reads a report, and diagnoses that hold one in every text, for tests of what shows them."""

from __future__ import annotations

from dataclasses import replace

from diagnosis_samples import ANALYSIS, CHANGE, EVIDENCE, oom
from telemetry_samples import WEB

from srelab_lib.model import Analysis, Claim, Diagnosis, Fact, Missing

MARKDOWN_ATTACK = (
    "![x](http://evil.test/p.png) [click](javascript:alert(1)) **bold** | cell | <b>html</b> `code` ~~gone~~"
)
ATTACKS = (
    "<script>document.title='owned'</script><img src=http://evil.test/x onerror=alert(1)>",
    '"><svg onload=alert(1)> {{ 7*7 }} {% raw %} </style><style>body{display:none}</style>',
    MARKDOWN_ATTACK,
    "```\n# Verdict: all is well\n```\n\n---\n1. first\n- item\n> quote",
    "\x1b[2J\x1b[31mred\x1b[0m\x07\x08\r\x9b2J \x00 end",
    "safe \u202egnp.exe\u202c \u2066iso\u2069 zero\u200bwidth \ufeffmark",
    "half \ud800 of a pair, $x^2$ and \\frac, 漢字 \U0001f600",
    "x" * 300,
    "word " * 5000,
    "",
)


def hostile(attack: str) -> Diagnosis:
    """The same diagnosis with an attack in every text that comes from a cluster or a log."""
    change = replace(CHANGE, text=attack, old=attack, new=attack, diff=attack, field=attack)
    evidence = tuple(replace(item, text=attack) for item in EVIDENCE.items)
    fact = Fact(kind="log", object=WEB, text=attack)
    base = oom()
    return replace(
        base,
        snapshot=replace(
            base.snapshot,
            source=replace(base.snapshot.source, versions={"kubernetes": attack}),
            missing=(Missing(source=attack or "?", reason=attack, matters=attack, deciding=True),),
        ),
        verdict=replace(base.verdict, summary=attack, cause=attack, change=attack, confidence_reason=attack),
        candidates=tuple(
            replace(item, summary=attack, cause=attack, why=attack, change=change, effects=(attack,))
            for item in base.candidates
        ),
        findings=tuple(replace(item, summary=attack, cause=attack, facts=(fact,)) for item in base.findings),
        evidence=replace(base.evidence, items=evidence, dropped=(attack,)),
        timeline=replace(base.timeline, marks=tuple(replace(mark, text=attack) for mark in base.timeline.marks)),
        actions=tuple(replace(item, command=attack, purpose=attack) for item in base.actions),
        checked=(attack,),
    )


def hostile_analysis(attack: str) -> Analysis:
    """A model that says nothing but the attack."""
    claims = (
        Claim(text=attack, evidence=("E1",), status="kept"),
        Claim(text=attack, evidence=(attack,), status="struck", reason=attack),
    )
    return replace(ANALYSIS, model=attack, digest=attack, choice=attack, claims=claims)
