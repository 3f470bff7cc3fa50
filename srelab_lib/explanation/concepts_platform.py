"""Probes and traffic, network, configuration, access and scheduling."""

from __future__ import annotations

from srelab_lib.explanation.concept import DECLARED, FAILED, FELT, PROBED, UNREADY, Concept, event, state, topic

PLATFORM: tuple[Concept, ...] = (
    # probes, traffic
    topic("readiness", r"\breadiness\b", r"\bready|unhealthy"),
    topic("liveness", r"\bliveness\b"),
    topic("a startup probe", r"\bstart ?up (?:probe|check)"),
    topic("a probe", r"\bprob(?:e|es|ing|ed)\b|health ?checks?\b", r"probe|health"),
    event(
        "the probe fails",
        r"\b(?:prob(?:e|es|ing)|(?:health|readiness|liveness|startup|kubelet'?s?|its|their) checks?)\b"
        r"(?: of (?:the )?(?:\w+|·))?(?: \w+){0,2}? (?:fail\w*|errors? out|errored|"
        r"do(?:es)? not (?:pass|succeed))|"
        r"\bfail\w* (?:\w+ ){0,2}(?:probes?|checks?)\b",
        r"unhealthy|probe failed|failed \w+ probe|failure ?threshold",
        PROBED,
    ),
    state(
        "the probe passes",
        r"\bpass(?:es|ed|ing)? (?:[\w·]+ ){0,3}?(?:probes?|checks?)\b",
        r"ready\W{0,2}true|ready replicas\W?[1-9]",
        r"unhealthy|probe failed|failed (?:\w+ )?probe|probe errored|ready\W{0,2}false|ready replicas\W?0|not ready",
        PROBED,
    ),
    topic("a port", r"\bports?\b|\blisten\w*", r"port|:\d{2,5}\b|listen|tcp", DECLARED, loose=True),
    state(
        "ready",
        r"(?<!/)\b(?:un)?ready\b",
        r"\bready\W{0,2}true|(?:is|are|became|becomes) ready|\b([1-9]\d*)/\1\b|ready (?:replicas|endpoints)\W?[1-9]",
        r"ready\W{0,2}(?:false|0\b)|(?:ready|available) replicas\W?0|endpoints\W?0|ready status\W?(?:unknown|false)|"
        r"not ready|unready|unhealthy|readiness probe failed|\b0/\d|notready|unavailable|no endpoints|"
        r"crash loop|"
        r"no ready|"
        r"(?<!updated )(?<!ready )(?<!available )replicas=(?P<all>\d+)\b.*?\bready replicas=(?!(?P=all)\b)\d|"
        r"back off|\boom|creating|err image|pull back",
        UNREADY,
    ),
    state(
        "available",
        r"\b(?:un)?availab\w*+(?! memory| (?:checks?|lookups?|quer(?:y|ies)|requests?|searche?s?)\b)",
        r"available\W{0,2}true|is available|are available|replicas available|available replicas\W?[1-9]",
        r"available\W{0,2}(?:false|0\b)|(?:ready|available) replicas\W?0|unavailab|not available|"
        r"nodes are available|no endpoints|\b0/\d|not ready|\b503\b|ready\W{0,2}(?:false|0\b)|"
        r"minimum availability|"
        r"(?<!updated )(?<!ready )(?<!available )replicas=(?P<all>\d+)\b.*?\bavailable replicas=(?!(?P=all)\b)\d|"
        r"\bno (?:[\w·]+ ){1,3}?(?:is |are )?available|"
        r"crash loop|node memory available|fail\w* to (?:pull|resolve)|err image|pull back",
        UNREADY,
    ),
    event(
        "endpoints",
        r"\bendpoints\b|(?<=ready )endpoint\b|(?:(?<=no )|(?<=any )|(?<=its )|(?<=single )|(?<=one ))endpoint\b(?! /)",
        r"\bendpoints?\b|\[(?:get|post|put|patch|delete|head)\]|\b(?:get|post|put|patch|delete) [·/]",
        UNREADY,
        loose=True,
    ),
    topic("a selector", r"\bselect\w*|\blabels?\b", r"selector|label|node affinity|match labels", DECLARED),
    state(
        "it matches",
        r"\b(?:mis)?match\w*|\bfit(?:s|ted)? (?:\w+ )?(?:labels?|selectors?)\b|\bagree(?:s|d)? with\b|\bdisagree\w*",
        r"\bmatches (?!no|0)[1-9a-z]|matched|matching pods",
        r"mismatch|match\w* (?:no|none|0|nothing)|not match|n't match|no match|matching (?:pods|"
        r"endpoints)\W{0,2}(?:0|none)|no pod|no node",
        DECLARED,
        of_several=True,
    ),
    # network
    topic(
        "DNS",
        r"\bdns\b|name resolution|name look ?ups?",
        r"dns|resolv|no such host|lookup|nxdomain|name or service|getaddrinfo|eai_|servfail|unknown host",
    ),
    state(
        "the name is resolved",
        r"\bresolv(?:e|es|ed|ing|able)\b|"
        r"\blook(?:s|ed|ing)? ?up (?:[\w']+ ){0,3}?(?:names?|hosts?|host ?names?|address\w*|·)",
        r"\bresolved\b",
        r"no such host|nxdomain|resolv|servfail|temporary failure|name or service not known|"
        r"getaddrinfo|unknown host|lookup|key ?error|not found|could not find",
        (FAILED, FELT),
        r"(?:can|could|is|are|was|were|successfully|does|do|did) (?:be )?(?:\w+ )?resolv|"
        r"resolves (?:\w+ly|fine|well|to)",
    ),
    event(
        "refused",
        r"\brefus\w*",
        r"refus|reject|denied|forbid|not allowed|econnrefused|reset by peer|violat|"
        r"(?:fail\w*|error|fatal)\W.*authentica|authenticat\w* fail|unauthori|"
        r"x509|expired|invalid|\b4(?:01|03|29)\b|too many (?:clients|connections)|slots are reserved",
        (FAILED, UNREADY),
    ),
    event(
        "rejected",
        r"\breject\w*|\bturn\w* (?:(?!down\b|away\b)[\w·]+ ){0,4}?(?:down|away)\b|"
        r"\bdeclin(?:ed|es) (?:to(?! \d| zero)|the|it)\b",
        r"refus|reject|denied|forbid|violat|fail|unauthori|x509|expired|invalid|\b4\d\d\b|insufficient|"
        r"did ?n.t match|not match|"
        r"unavailable|nodes are available",
        (FAILED, UNREADY),
        loose=True,
    ),
    event(
        "timed out",
        r"\btim(?:e|es|ed|ing) ?out\b(?! seconds)|\btime ?outs\b|(?:exceed|pass|miss|overr[au]n|past|over|"
        r"beyond)\w* (?:\w+ ){0,3}deadline|\bhang(?:s|ing)?\b(?! in\b)|\bhung\b",
        r"time ?out|timed out|deadline|etimedout|too long",
        (FAILED, UNREADY),
    ),
    topic("a deadline", r"\bdeadlines?\b", r"deadline|timed out|time ?out", loose=True),
    topic(
        "a connection",
        r"\bconnect\w*|\bcontact\w*|\bunreachable\b|\breachable\b",
        r"connect|refused|unreachable|time ?out|timed out|no route|\bdial\b|no such host|econn|socket|"
        r"\b50[234]\b|upstream|reset",
        loose=True,
    ),
    topic(
        "a network policy",
        r"network ?polic\w*|\begress\b|\bfirewall\w*|"
        r"\b(?:outgoing|outbound|incoming|inbound) (?:traffic|connections?)\b",
        r"network ?polic|egress",
    ),
    topic("an ingress", r"\bingress\w*"),
    topic("TLS", r"\btls\b|\bssl\b|\bcertificates?\b|\bcerts?\b|\bx\.?509\b", r"tls|ssl|certificate|x509|handshake"),
    event("expired", r"\bexpir\w*|no longer valid", r"expir|not valid after|not after", loose=True),
    topic(
        "an upstream",
        r"\bupstreams?\b",
        r"upstream|backend|dependency|connection ?pool|host\W?=|https?:|\bdial\b",
        loose=True,
    ),
    # configuration and access
    topic("a ConfigMap", r"config ?maps?\b", "", DECLARED),
    topic("a Secret", r"\bsecrets?\b", "", DECLARED),
    topic(
        "configuration",
        r"\b(?:mis)?config\w*|\bsettings?\b",
        r"config|\benv\b|setting|probe|selector|\bport|command|limit|variable|spec|value|flag|"
        r"\bargs?\b|envname|kind change|kind spec",
        DECLARED,
        loose=True,
    ),
    topic(
        "an environment variable",
        r"\benv(?:ironment)?(?: variables?)?\b|\bvariables?\b",
        r"\benv\b|environ|variable|envname|key ?error",
        DECLARED,
    ),
    topic(
        "a command",
        r"\bcommands?\b|\bentry ?point\b|\bexecutables?\b|\bbinar(?:y|ies)\b",
        r"command|\bexec|no such file|\bargs?\b|entrypoint|runc|binary",
        DECLARED,
        loose=True,
    ),
    topic(
        "the architecture",
        r"\barchitectur\w*|exec format|\barm64\b|\bamd64\b|\bcpu type\b",
        r"exec format|architectur|platform|\barm|\bamd",
        DECLARED,
    ),
    state(
        "it exists",
        r"\bthere (?:is|are|was|were) no\b(?! (?:retry|retries|second|further|more|other|need|doubt|sign)\b)|"
        r"no longer (?:there|present|set|defined|exists?)\b|"
        r"\bexists?\b|\bexisting\b|\bis (?:among|one of) (?:the|its) services\b|"
        r"(?<!replicas are )(?<!pods are )\bmissing\b|\bmisses\b(?! (?:in a row|are|is|mark|make|render|turn|"
        r"within)\b)|\babsent\b|"
        r"\babsence\b|\bundefined\b|\bunset\b|\black(?:s|ed|ing)?\b|\bnonexistent\b|"
        r"\bnon existent\b|(?:not|never|been|be|was|is|were|are) (?:found|set|defined|present|provided|"
        r"there)\b|no such|(?<!at )\bpresent\b|\bvanish\w*|\bdisappear\w*|\b(?:went|is|are|was|got) gone\b|"
        r"\bgot lost\b|\bnowhere to be\b|"
        r"\bnobody has (?:\w+ )?(?:defin|creat)\w*",
        r"\bexists\b|\bchanged (?:from|to)\b|\badded\b|"
        r"already present|(?<!not )\bfound [1-9a-z]|is present|successfully|is set\b|is defined",
        r"missing|\bremoved\b|\bdeleted?\b|"
        r"\bno (?!longer|more)\w+|not (?:be )?(?:found|set|defined|exist|present|provided)|"
        r"no such|undefined|unset|"
        r"required|not exist|absent|key ?error|nxdomain|\b404\b|"
        r"unknown|no endpoints|\bnone\b|unable to find|could ?n.t find|not find|matches no|no pod|null|"
        r"empty|no resources|insufficient|\w=(?:0\b(?!\.)|none\b|false\b)|=\"\"|\w+ in namespace=",
        DECLARED,
        r"\bexists\b|\bdoes exist|\bis (?:among|one of)\b|\bis there in the (?:namespace|cluster)\b|"
        r"\b(?:is|was|are|were) (?:\w+ )?(?:present|there|defined|"
        r"set)\b(?! (?:to|at|as|from|by|up|in|on|too)\b)|"
        r"\b(?:was|were|is|been) found\b(?! (?:to|in|on|at|by)\b)",
        of_several=True,
    ),
    topic(
        "permission",
        r"\bpermissions?\b|\brbac\b|\bauthoriz\w*|\bunauthoriz\w*|\bforbidden\b|\bprivileg\w*|\bnot allowed to\b|"
        r"\bdenied\b|\bdenies\b",
        r"forbid|rbac|permission|rules of role|denied|authoriz|can not (?:get|list|create|watch|update|patch|delete)|"
        r"\b40[13]\b|not allowed|privileg|violat|authenticat\w* (?:error|fail)|no ?auth\b|wrong ?pass|"
        r"invalid (?:user|password|credential|token)",
        (FAILED, FELT),
    ),
    topic(
        "credentials",
        r"\bpasswords?\b|\bcredentials?\b|\bauthenticat\w*|\blog ?in\b|\btokens?\b",
        r"password|credential|authenticat|\b401\b|login|token|access denied|secret",
    ),
    topic("a service account", r"service ?accounts?"),
    topic("a webhook", r"\bwebhooks?\b"),
    topic("pod security", r"pod ?security|security (?:policy|standard|context)\w*|\bprivileged\b"),
    # scheduling
    state(
        "it is scheduled",
        r"\b(?:un)?schedul(?:e|es|ed|able|ing)\b"
        r"(?! (?:change|rule|constraint|setting|edit|requirement)s?\b)|"
        r"\bplaced? (?:on|onto)\b|\bfit(?:s|ted)? (?:on|onto|"
        r"(?:any|the|a|one) (?:\w+ )?nodes?)\b",
        r"successfully assigned|pod ?scheduled\W{0,2}true|(?:is|was|were|are) scheduled",
        r"fail\w* ?scheduling|unschedulable|nodes are available|not be scheduled|"
        r"pod ?scheduled\W{0,2}false|pending|cordon|\bno ?schedule\b",
        FAILED,
    ),
    event(
        "pending",
        r"\bpending\b|\bstuck\b|\bwaiting\b|\bblocked\b|\bstall\w*",
        r"pending|waiting|not ready|creating|back ?off|stuck|progress deadline|initializing|"
        r"unschedulable|fail\w* ?scheduling|nodes are available|block|"
        r"not progress|ready\W{0,2}(?:false|0)|err image|time ?out|timed out",
        loose=True,
    ),
    topic(
        "a node",
        r"(?<!on the )(?<!on its )(?<!on a )(?<!on that )\bnodes?\b",
        r"node|worker|kubelet|\bdns policy\W?default\b",
    ),
    topic("a taint", r"\b(?:un)?taint\w*|\btolerations?\b|\buntolerated\b", r"taint|tolerat"),
    topic("affinity", r"\baffinity\b"),
    event("cordoned", r"\bcordon\w*|\bdrain\w*", r"cordon|drain|unschedulable"),
)
