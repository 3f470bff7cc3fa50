"""What claims and facts can speak of, in all the words that people and servers have for it.

A *topic* is a thing (memory, a probe, DNS): a claim that names one must cite a fact that has it. An *event* happened or
did not: the fact must have it with the same sign. A *state* holds or does not, and a server has its own words for either
(`ErrImagePull` says that an image was *not* pulled). Patterns see text as `words.spread` writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["topic", "event", "state"]

CHANGED, DECLARED, ENDED, REPEATED, UNREADY, FELT, REPORTED = range(7)
"""Where something stands in the course of a failure: what was changed or declared, how the process ended, that it did so
again and again, that it gets no traffic, what users felt, what controllers and alerts say about all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One thing that is spoken of.

    Attributes:
        name: for people: `says "{name}"`.
        said: how a claim says it.
        held: how a fact says it, where it has further words.
        denied: how a fact says that a state does not hold.
        affirmed: how a claim says that a state holds, where its mere mention does not.
        stage: its place in the course of a failure, first and last where that varies, None where it says nothing.
    """

    name: str
    kind: Kind
    said: re.Pattern[str]
    held: re.Pattern[str]
    denied: re.Pattern[str] | None = None
    affirmed: re.Pattern[str] | None = None
    stage: int | tuple[int, int] | None = None


def _topic(name: str, said: str, held: str = "", stage: int | tuple[int, int] | None = None) -> Concept:
    return Concept(name=name, kind="topic", said=_any(said), held=_any(said, held), stage=stage)


def _event(name: str, said: str, held: str = "", stage: int | tuple[int, int] | None = None) -> Concept:
    return Concept(name=name, kind="event", said=_any(said), held=_any(said, held), stage=stage)


def _state(name: str, said: str, held: str, denied: str, stage: int | tuple[int, int] | None = None, affirmed: str = "") -> Concept:
    return Concept(
        name=name,
        kind="state",
        said=_any(said),
        held=_any(held),
        denied=_any(denied),
        affirmed=_any(affirmed) if affirmed else None,
        stage=stage,
    )


def earliest(concept: Concept) -> int | None:
    """The first place in the course of a failure at which it can stand: what a cause is judged by."""
    return concept.stage[0] if isinstance(concept.stage, tuple) else concept.stage


def latest(concept: Concept) -> int | None:
    """The last place at which it can stand: what an effect is judged by."""
    return concept.stage[1] if isinstance(concept.stage, tuple) else concept.stage


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns if pattern))


_IN_CLAUSE = r"[^.;,]{0,40}?"
_USERS = r"(?:requests?|users?|clients?|callers?|customers?|calls?|traffic|quer(?:y|ies))(?! (?:rate|volume|count))"
_FAILS = r"(?:fail\w*|errors?|lost|reject\w*|broke\w*|unsuccessful)"
_SETTING = (
    r"(?:limits?|ceiling|cap|budget|allowance|ports?|replicas?|images?|variables?|selectors?|size|time ?outs?|settings?|quotas?|thresholds?|config\w*|commands?|probes?|pool|"
    r"(?:memory|cpu|resource) requests?)"
)
_ALTERED = r"(?:increas|reduc|decreas|lower|rais|cut|shr[aiu]nk|slash|halv|doubl|bump|tighten|drop)\w*"
_DIED = r"previous=?true|traceback|\w+error\b|fatal|panic"
_WELL = (
    r"\bhealthy\b|succe(?:ss|ed)|completed|recover|ready\W{0,2}true|\b200\b|passed|phase\W?running|is running|status\W?ok|available\W{0,2}true|exit code\W?0\b"
)
_TROUBLE = (
    r"error|\berr\b|exception|fail|\b5\d\d\b|traceback|panic|fatal|critical|oom|kill|crash|back off|unhealthy|denied|refused|"
    r"time ?out|timed out|missing|not found|exit code\W?[1-9]|insufficient|unavailable|evict|forbidden|not ready|throttl|"
    r"no such|unable|can not|could not|deadlock|exhaust|warning|invalid|expired|exceeded|violat|conflict|stuck|pending|not exist|waiting for"
)

CONCEPTS: tuple[Concept, ...] = (
    # --- how a process ends -------------------------------------------------------------------------------------------
    _event(
        "out of memory",
        r"\boom\b|oom ?kill\w*|out of (?:ram|memory)|memory (?:\w+ )?(?:exhaust\w*|starvation)|exhaust\w* (?:\w+ ){0,2}memory|"
        r"(?:exceed|surpass|overr[au]n|overst[eo]p|outgr[eo]w|overshoot|overshot|break|broke|breach|blow|blew|hit|hits|reach|cross|"
        r"went over|go over|goes over|gone over|above|beyond|more (?:memory )?than|past|over)\w* (?:\w+ ){0,4}?memory"
        r"(?: (?:limit|ceiling|cap|budget|allowance))?|"
        r"memory (?:usage |use |consumption |demand |footprint )?(?:\w+ )?(?:exceed|surpass|overr[au]n|went over|went past)\w*|"
        r"memory [^.;,]{0,30}?(?:reach|hit|hits|cross|touch)\w* (?:the|its|their|that|an?) (?:\w+ )?(?:limit|ceiling|cap|maximum)|"
        r"(?:too much|not enough|insufficient|lack of|more) memory|mem(?:ory)? limit too low|"
        r"(?:us|need|want|ask|consum|allocat)\w* more (?:memory )?than (?:it|the|its)\b",
        r"oom|memory cgroup|can ?not allocate memory",
        ENDED,
    ),
    _event("killed", r"\bkill(?:s|ed|ing|er)?\b|\bsigkill\b|\bsigterm\b|terminated by|shot down", r"oom|\b137\b|\b143\b|evict|preempt|signal",
           ENDED),
    _topic("the kernel", r"\bkernel\b|operating system", r"oom|sigkill|\b137\b"),
    _event("crashed", r"\bcrash(?!loop| loop)\w*|\bdie[sd]?\b|\bdying\b|fell over|falls over|went down(?! from| to| by)|collaps\w*\b(?! to| from| by)|\b(?:is|are|was|were|be) down\b",
           r"crash|exit code\W?[1-9]|exited|terminated|oom|kill|back off restarting|panic|fatal|no endpoints|refused|unavailable|"
           r"went from 1 to 0|" + _DIED, ENDED),
    _event("exited", r"\bexit(?:s|ed|ing)?\b(?! code)|\bquits?\b|\bterminat\w*|\bends?\b(?! with)|\bended\b|\bstopp(?:ed|ing)\b|\bstops?\b|"
           r"shut(?:s|ting)? ?down", r"exit|terminated|completed|crash|oom|kill|stop|shut|finished|last reason|" + _DIED, ENDED),
    _topic("exit code", r"exit (?:code|status)|return code", r"exit|code", ENDED),
    _event(
        "crash loop",
        r"crash ?loop\w*|back ?off|restart loop|(?:keeps?|kept|keeping) (?:on )?(?:being |getting )?(?:crash|restart|dying|kill|exit|"
        r"fall|stopp)\w*|(?:repeated|continuous|constant|continual|endless|perpetual)(?:ly)? (?:being )?(?:crash|restart|kill|exit)\w*|"
        r"(?:crash|restart|kill|exit)\w* (?:over and over|again and again|repeatedly|continuously|constantly|in a loop)|\bloop(?:s|ing)?\b",
        r"restart count\W?(?:[2-9]|\d\d)|restarted (?:[2-9]|\d\d)",
        REPEATED,
    ),
    _event("restarted", r"\brestart\w*|started again|start(?:s|ed|ing)? (?:it )?over", r"crash ?loop|back ?off", REPEATED),
    _event("evicted", r"\bevict\w*", "", ENDED),
    _event("preempted", r"\bpre ?empt\w*|higher priority", r"priority", ENDED),
    _topic("a signal", r"\bsignals?\b|\bsig(?:abrt|bus|ill|quit|int)\b", r"signal|\b13[479]\b|\b143\b|oom"),
    _topic("a segmentation fault", r"\bsigsegv\b|\bseg(?:mentation )?fault\w*", r"sigsegv|segmentation|\b139\b|signal\W?11\b"),
    # --- resources ----------------------------------------------------------------------------------------------------
    _topic("memory", r"\bmemory\b|\bram\b|\bheap\b|\brss\b", r"memory|oom|\d ?[kmg]i\b|\d ?[kmg]i?b\b|heap|\brss\b", DECLARED),
    _topic("a limit", r"\blimit\w*|\bceiling\b|\bcap(?:ped|s)?\b|\ballowance\b|upper bound|\bbudget\b|\bmaximum\b",
           r"limit|quota|\bmax|\bcap\b|\d/\d", DECLARED),
    _topic("CPU", r"\bcpus?\b|\bprocessor\w*|\bcores?\b", r"cpu|cores|throttl"),
    _event("throttled", r"\bthrottl\w*", "", ENDED),
    _event("leaked", r"\bleak\w*|grow\w* (?:\w+ )?without (?:a )?(?:bound|limit|end)|(?:steadi|continuous|constant)ly (?:grow|ris|climb|increas)\w*|"
           r"(?:grow|ris|climb|increas)\w* (?:steadily|continuously|constantly)", r"leak|went from|grow|rising|rises|climb|slope|per (?:minute|hour)",
           DECLARED),
    _event("exhausted", r"\bexhaust\w*|used up|\bfull\b|deplet\w*|\bran out\b|\bruns? out\b|\bran dry|saturat\w*|overload\w*|overwhelm\w*",
           r"exhaust|full|out of|no space|limit|too many|oom|exceed|insufficient|throttl|pool|quota|saturat|overflow|at max", (ENDED, FELT)),
    _topic("disk or volume", r"\bdisks?\b|\bstorage\b|\bfile ?system\w*|\bvolumes?\b|no space|\bpvcs?\b|volume claim\w*",
           r"disk|storage|file ?system|volume|no space|\bpvc|persistent|mount"),
    _topic("a mount", r"\bmount\w*|\battach\w*", r"mount|volume|attach", (ENDED, ENDED)),
    _topic("pressure", r"\bpressure\b"),
    _topic("a quota", r"\bquotas?\b"),
    _topic("a limit range", r"limit ranges?"),
    _state("there is enough", r"\b(?:in)?sufficient\b|\benough\b|too few|\bshort of\b|\bshortage\b|\black of\b",
           r"(?<!in)sufficient|(?<!not )enough", r"insufficient|not enough|exceed|pressure|oom|no space|quota|too (?:low|small|few)|nodes are available"),
    # --- images -------------------------------------------------------------------------------------------------------
    _topic("an image", r"\bimages?\b|\btags?\b|\bmanifest\b", r"image|manifest|\btag\b"),
    _topic("the registry", r"\bregistr\w*", r"registry|pull|docker\.io|repositor|\.\w+/\w"),
    _state(
        "the image can be pulled",
        rf"\b(?:pull|download|fetch|retriev)\w*{_IN_CLAUSE}\b(?:images?|tags?)|\b(?:images?|tags?)\b{_IN_CLAUSE}\b(?:pull|download|fetch|"
        r"retriev)\w*|\bpull(?:s|ed|ing)?\b|image ?pull\w*|err image\w*",
        r"successfully pulled|already present|image pulled",
        r"err image|image ?pull ?back|pull ?back ?off|fail\w* to pull|pull\w* (?:access )?(?:denied|failed)|never pull|manifest unknown|not present|"
        r"pull[^.;]*(?:not found|fail|error)|back off pulling|inspect image",
        ENDED,
        r"(?:was|were|been|is|got|has|have|had|successfully|can be|could be) (?:\w+ )?(?:pull|download|fetch|retriev)ed|success\w*|"
        r"pull\w* (?:fine|well|completed|worked)",
    ),
    # --- probes, traffic ----------------------------------------------------------------------------------------------
    _topic("readiness", r"\breadiness\b", r"\bready|unhealthy"),
    _topic("liveness", r"\bliveness\b"),
    _topic("a startup probe", r"\bstart ?up (?:probe|check)"),
    _topic("a probe", r"\bprob(?:e|es|ing|ed)\b|health ?checks?\b", r"probe|health"),
    _topic("a port", r"\bports?\b|\blisten\w*", r"port|:\d{2,5}\b|listen|tcp", DECLARED),
    _state("ready", r"\b(?:un)?ready\b(?! to)",
           r"\bready\W{0,2}true|(?:is|are|became|becomes) ready|\b([1-9]\d*)/\1\b|ready replicas\W?[1-9]",
           r"ready\W{0,2}(?:false|0\b)|ready status\W?(?:unknown|false)|not ready|unready|unhealthy|readiness probe failed|\b0/\d|notready|unavailable|no endpoints|crash loop|"
           r"no ready|back off|\boom|creating|err image|pull back", UNREADY),
    _state("available", r"\b(?:un)?availab\w*(?! memory)", r"available\W{0,2}true|is available|are available|replicas available|available replicas\W?[1-9]",
           r"available\W{0,2}(?:false|0\b)|unavailab|not available|nodes are available|no endpoints|\b0/\d|not ready|\b503\b|ready\W{0,2}(?:false|0\b)|"
           r"minimum availability|crash loop|node memory available", UNREADY),
    _event("endpoints", r"\bendpoints?\b", r"", UNREADY),
    _topic("a selector", r"\bselect\w*|\blabels?\b", r"selector|label|node affinity|match labels", DECLARED),
    _state("it matches", r"\b(?:mis)?match\w*", r"\bmatches (?!no|0)[1-9a-z]|matched|matching pods",
           r"mismatch|match\w* (?:no|none|0|nothing)|not match|n't match|no match|matching (?:pods|endpoints)\W{0,2}(?:0|none)|no pod|no node", DECLARED),
    # --- network ------------------------------------------------------------------------------------------------------
    _topic("DNS", r"\bdns\b|name resolution|name look ?ups?",
           r"dns|resolv|no such host|lookup|nxdomain|name or service|getaddrinfo|eai_|servfail|unknown host"),
    _state("the name is resolved", r"\bresolv(?:e|es|ed|ing|able)\b|\blook(?:s|ed|ing)? ?up\b", r"\bresolved\b",
           r"no such host|nxdomain|resolv|servfail|temporary failure|name or service not known|getaddrinfo|unknown host|lookup", (ENDED, FELT),
           r"(?:can|could|is|are|was|were|successfully|does|do|did) (?:be )?(?:\w+ )?resolv|resolves (?:\w+ly|fine|well|to)"),
    _event("refused", r"\brefus\w*|\breject\w*", r"refus|reject|denied|forbid|econnrefused|reset by peer|violat|authenticat\w* fail|unauthori|x509|expired|invalid|\b40[13]\b", (ENDED, UNREADY)),
    _event("timed out", r"\btime[ds]? ?out\b|\btime ?outs?\b|\bdeadline\b|\bhang(?:s|ing)?\b|\bhung\b", r"time ?out|timed out|deadline|etimedout|too long", (ENDED, UNREADY)),
    _topic("a connection", r"\bconnect\w*|\bcontact\w*|\bunreachable\b|\breachable\b",
           r"connect|refused|unreachable|time ?out|timed out|no route|\bdial\b|no such host|econn|socket|\b50[234]\b|upstream|reset"),
    _topic("a network policy", r"network ?polic\w*|\begress\b|\bfirewall\w*", r"network ?polic|egress"),
    _topic("an ingress", r"\bingress\w*"),
    _topic("TLS", r"\btls\b|\bssl\b|\bcertificates?\b|\bcerts?\b|\bx\.?509\b", r"tls|ssl|certificate|x509|handshake"),
    _event("expired", r"\bexpir\w*|no longer valid", r"expir|not valid after|not after"),
    _topic("an upstream", r"\bupstreams?\b", r"upstream|backend|dependency"),
    # --- configuration and access -------------------------------------------------------------------------------------
    _topic("a ConfigMap", r"config ?maps?\b", "", DECLARED),
    _topic("a Secret", r"\bsecrets?\b", "", DECLARED),
    _topic("configuration", r"\b(?:mis)?config\w*|\bsettings?\b",
           r"config|\benv\b|setting|probe|selector|\bport|command|limit|variable|spec|value|flag|\bargs?\b|envname|kind change|kind spec", DECLARED),
    _topic("an environment variable", r"\benv(?:ironment)?(?: variables?)?\b|\bvariables?\b", r"\benv\b|environ|variable|envname|key ?error", DECLARED),
    _topic("a command", r"\bcommands?\b|\bentry ?point\b|\bexecutables?\b|\bbinar(?:y|ies)\b", r"command|\bexec|no such file|\bargs?\b|entrypoint|runc|binary",
           DECLARED),
    _topic("the architecture", r"\barchitectur\w*|exec format|\barm64\b|\bamd64\b|\bcpu type\b", r"exec format|architectur|platform|\barm|\bamd", DECLARED),
    _state("it exists", r"\bthere (?:is|are|was|were) no\b|\bexists?\b|\bexisting\b|(?<!replicas are )(?<!pods are )\bmissing\b|\bmisses\b|\babsent\b|\babsence\b|\bundefined\b|\bunset\b|\black(?:s|ed|ing)?\b|\bnonexistent\b|"
           r"\bnon existent\b|(?:not|never|been|be|was|is|were|are) (?:found|set|defined|present|provided|there|given)\b|no such|\bpresent\b",
           r"\bexists\b|already present|(?<!not )\bfound [1-9a-z]|is present|successfully|is set\b|is defined",
           r"missing|not (?:be )?(?:found|set|defined|exist|present|provided)|no such|undefined|unset|required|not exist|absent|key ?error|nxdomain|\b404\b|"
           r"unknown|no endpoints|\bnone\b|unable to find|could ?n.t find|not find|matches no|no pod|null|empty|no resources|insufficient", DECLARED,
           r"\bexists\b|\bdoes exist|\b(?:is|was|are|were) (?:\w+ )?(?:present|there|defined|set)\b(?! (?:to|at|as|from|by|up|in|on|too)\b)|"
           r"\b(?:was|were|is|been) found\b(?! (?:to|in|on|at|by)\b)"),
    _topic("permission", r"\bpermi\w*|\brbac\b|\bauthoriz\w*|\bunauthoriz\w*|\bforbid\w*|\bprivileg\w*|\bnot allowed\b|\bdenied\b|\bdenies\b",
           r"forbid|rbac|permission|denied|authoriz|can not (?:get|list|create|watch|update|patch|delete)|\b40[13]\b|not allowed|privileg|violat", (ENDED, FELT)),
    _topic("credentials", r"\bpasswords?\b|\bcredentials?\b|\bauthenticat\w*|\blog ?in\b|\btokens?\b",
           r"password|credential|authenticat|\b401\b|login|token|access denied|secret"),
    _topic("a service account", r"service ?accounts?"),
    _topic("a webhook", r"\bwebhooks?\b|\badmission\b"),
    _topic("pod security", r"pod ?security|security (?:policy|standard|context)\w*|\bprivileged\b"),
    # --- scheduling ---------------------------------------------------------------------------------------------------
    _state("it is scheduled", r"\b(?:un)?schedul(?:e|es|ed|able|ing)\b|\bplaced? (?:on|onto)\b|\bfit(?:s|ted)? (?:on|onto|any|the)\b",
           r"successfully assigned|pod ?scheduled\W{0,2}true|(?:is|was|were|are) scheduled",
           r"fail\w* ?scheduling|unschedulable|nodes are available|not be scheduled|pod ?scheduled\W{0,2}false|pending|cordon", ENDED),
    _event("pending", r"\bpending\b|\bstuck\b|\bwaiting\b|\bblocked\b|\bstall\w*",
           r"pending|waiting|not ready|creating|back ?off|stuck|progress deadline|initializing|unschedulable|fail\w* ?scheduling|nodes are available|block|"
           r"not progress|ready\W{0,2}(?:false|0)|err image"),
    _topic("a node", r"\bnodes?\b", r"node|worker|kubelet"),
    _topic("a taint", r"\btaint\w*|\btolerat\w*", r"taint|tolerat"),
    _topic("affinity", r"\baffinity\b"),
    _event("cordoned", r"\bcordon\w*|\bdrain\w*", r"cordon|drain|unschedulable"),
    # --- application --------------------------------------------------------------------------------------------------
    _event("requests fail", rf"\b{_USERS}\b{_IN_CLAUSE}\b{_FAILS}|\b{_FAILS}{_IN_CLAUSE}\b(?:requests?|responses?|users)\b|\b5xx\b|"
           r"\berror (?:ratio|rate|share)\b|server errors?|http errors?|error rates",
           r"error ratio|errors? (?:rate|total|per)|\b50\d\b|5xx|request\w* (?:fail|error)|fail\w* requests?|bad gateway|internal server error", FELT),
    _event("the job fails", r"\bjobs? (?:\w+ )?fail\w*|\bfail\w* (?:\w+ )?jobs?\b", r"failed=|backoff ?limit|job.*fail|fail.*job", (FELT, REPORTED)),
    _topic("requests", rf"\b{_USERS}\b|\bresponses?\b", r"request|traffic|error ratio|latency|http|\brps\b|5xx|user|client|\"(?:get|post|put) |in flight|query|upstream|"
           r"call|quer|endpoint|\bservice\b|time ?out|timed out|connect"),
    _topic("latency", r"\blatenc\w*|\bslow\w*|response times?|\bsluggish\w*|took (?:too )?long\w*|(?<!no )\blonger\b",
           r"latency|slow|took|\bp9\d|seconds|duration|\d ?ms\b|delay|time ?out|timed out|long", (ENDED, FELT)),
    _event("errors", r"\berrors?\b|\bexceptions?\b|\bfail\w*|\btrace ?back\w*|stack ?traces?|\bpanic\w*|\bfaults?\b|\bbroken\b|\bbroke\b|\bproblems?\b|\bissues?\b|"
           r"\btrouble\b", _TROUBLE, (ENDED, FELT)),
    _topic("an exception", r"\bexceptions?\b|\btrace ?back\w*|stack ?traces?|\bunhandled\b|\buncaught\b", r"exception|traceback|error\b|stack|panic|fatal"),
    _topic("a retry", r"\bretr(?:y|ies|ied|ying)\b", r"\bretr"),
    _topic("a pool", r"\bpools?\b", r"pool"),
    _event("deadlocked", r"\bdead ?lock\w*|\block(?:s|ed|ing)?\b", r"lock"),
    _topic("a database", r"\bdatabases?\b|\bdb\b|\bsql\b", r"database|\bdb\b|sql|postgres|mysql|mongo|relation|column|\btable\b|transaction|envname|psycopg|jdbc|operational error|for user|\bpool"),
    _topic("a schema", r"\bschemas?\b|\bcolumns?\b|\bmigrat\w*", r"schema|column|relation|migrat|\btable\b"),
    _topic("a rate limit", r"rate ?limit\w*|too many requests|\b429\b"),
    _event("a development server", r"development (?:web )?server|\bdev(?:elopment)? (?:web )?server|\bdebug mode\b|\bbuilt ?in server\b", r"werkzeug|serving flask", DECLARED),
    _topic("production", r"\bproduction\b|\bwsgi\b", r"production|wsgi|development server"),
    _topic("a dependency", r"\bdependenc(?:y|ies)\b|\bdownstream\b", r"dependency|upstream|refused|time ?out|backend|database|envname|host"),
    # --- changes and controllers --------------------------------------------------------------------------------------
    _event(
        "changed",
        r"\bchang\w*|\bedit\w*|\bmodif\w*|\balter\w*|(?<!is )(?<!are )\bupdat(?:es|ed|ing)\b(?! replica)|\bpatch\w*|\breplac\w*|\bswitch\w*|\bswapp?\w*|\breconfigur\w*|"
        r"\bintroduc\w*|\badd(?:ed|s|ing)\b|\bremov\w*|\bdelet\w*|\b(?:was|were|been|got|newly) created\b|\bcreation of\b|\brenam\w*|\bset (?:to|from)\b|\bscal(?:ed|ing)\b|"
        r"\b(?:was|were|been|being|got) (?:\w+ )?(?:rolled out|deployed|released|upgraded|rolled back)\b|^\W*(?:the |an? )?(?:roll ?out|deployment|release|upgrade) of\b(?!.*(?:stuck|fail|stall|block|not|never|hang|exceed|progress))|"
        rf"\b{_SETTING}\b{_IN_CLAUSE}\b{_ALTERED}|\b{_ALTERED} (?:\w+ ){{0,4}}?{_SETTING}\b",
        r"kind change|went from|from \S+ to \S+|->|→|lower|rais|reduc|scal|commit|revision|created|rolled|deleted|removed|added|marking for deletion",
        CHANGED,
    ),
    _event("stayed the same", r"\b(?:stay|remain|held|kept|keep)\w* (?:at|the same|unchanged|constant|flat|low|steady|below|under)\b|\bunchanged\b",
           r"\bstays?\b|remain|unchanged|constant|steady"),
    _event("traffic fell", r"\b(?:drop|fall|declin|decreas|dip|loss)\w* (?:in|of) (?:\w+ ){0,2}?(?:traffic|requests?|request rate|load|throughput)\b|"
           r"\b(?:traffic|requests?|request rate|throughput)\b[^.;,]{0,20}?\b(?:drop|fell|fall|declin|decreas|dip)\w*", r"(?:request|traffic|throughput).*went from|receive bytes.*went from",
           FELT),
    _event("exceeded", r"\bexceed\w*|\bsurpass\w*", r"exceed|over|more than|reached|above|\boom|too many|deadline|limit"),
    _topic("a commit", r"\bcommit\w*|\bgit\b", r"commit|\bgit\b|revision"),
    _topic("a rollout", r"\broll(?:s|ed|ing)? ?outs?\b|\bdeploy(?:ed|s|ing)\b|\breleas\w*|\brevisions?\b|\bupgrad\w*|\bversions?\b|roll(?:ed|s|ing)? back",
           r"roll|deploy|revision|release|image|replica ?set|progress|change|generation|updated|version"),
    _event("the rollout is stuck", r"\b(?:roll ?out|deployment)\b[^.;,]{0,25}\b(?:stuck|stall\w*|not progress\w*|never complet\w*|blocked|hang\w*)",
           r"progress deadline|not progress", REPORTED),
    _topic("scaling", r"\bscal\w*|\breplicas?\b", r"scal|replica"),
    _state("it is bound", r"\b(?:un)?bound\b", r"phase\W?bound|is bound", r"pending|unbound|not bound|not found"),
    _state("it is accepted", r"\baccept(?:s|ed)\b|\ballow(?:s|ed)\b|\bpermitted\b|\bvalid\b|\bauthorized\b",
           r"accepted|allowed\W?true|succe|\b200\b|valid until",
           r"fail|forbid|denied|refus|reject|expired|invalid|not (?:yet )?valid|\b40[13]\b|unauthor|exceed|violat|can not|limit|oom|deny|no rules"),
    _state("it can", r"\bcan (?!not\b|no\b|never\b|hardly\b|only\b|barely\b|be (?:seen|explained|traced|read)\b)\w+|\bable to\b", _WELL, _TROUBLE),
    _topic("a Deployment", r"\bdeployments?\b", r"deploy|roll ?out|replica ?set"),
    _topic("a StatefulSet", r"\bstateful ?sets?\b", r""),
    _topic("a DaemonSet", r"\bdaemon ?sets?\b", r""),
    _topic("a ReplicaSet", r"\breplica ?sets?\b", r"deployment"),
    _topic("an autoscaler", r"\bauto ?scal\w*|\bhpas?\b", r"auto ?scal|hpa|horizontal"),
    _topic("a disruption budget", r"\bdisruption\b|\bpdbs?\b", r"disruption|pdb"),
    _topic("Argo CD", r"\bargo\w*|out of sync|\bsync\w*|\bdrift\w*", r"argo|sync|application"),
    _topic("an init container", r"\binit(?:iali[sz]ation)? (?:container|step|phase)s?\b", r"\binit"),
    _topic("a cron job", r"\bcron\w*", r"cron"),
    _topic("a log", r"\blogs?\b|\blogged\b|\blogging\b|\bprint(?:s|ed)\b", r"kind log|\blogs?\b"),
    _topic("an alert", r"\balerts?\b|\balarms?\b|\bfiring\b", r"kind alert|alert", REPORTED),
    _state("it is well", r"\bhealth(?:y|ily)\b(?! check)|\bunhealthy\b|\bstable\b|\bstay\w* up\b|\bkeep\w* running|\bsurviv\w*|\brecover\w*|"
           r"\b(?:works?|working|worked|runs?|running|ran|behav\w*|operat\w*|serv\w*|start\w*|perform\w*) (?:\w+ )?(?:fine|well|normally|correctly|properly|smoothly|"
           r"as (?:expected|usual|before))|\bunaffected\b|\bsucce(?:ss|ed)\w*|\bpass(?:es|ed|ing)?\b(?! the| through| on| to| by| it)|\bcomplet(?:es|ed)\b|\bno longer fail\w*|"
           r"\bfinish(?:ed|es)\b",
           _WELL,
           _TROUBLE),
)
