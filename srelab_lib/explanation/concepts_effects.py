"""What programs and their users see, what was changed, and what controllers say."""

from __future__ import annotations

from srelab_lib.explanation.concept import (
    ALTERED,
    CHANGED,
    DECLARED,
    FAILED,
    FAILS,
    FELT,
    IN_CLAUSE,
    REPORTED,
    SETTING,
    TRAFFIC,
    TROUBLE,
    USERS,
    WELL,
    Concept,
    event,
    state,
    topic,
)

EFFECTS: tuple[Concept, ...] = (
    event(
        "the autoscaler has no figures",
        r"\b(?:auto ?scal\w+|hpas?)\b[^.;,]{0,25}?\b(?:fail\w*|unable|not|could not|can not) (?:to )?"
        r"(?:comput|determin|calculat|work out|get|read)\w*",
        r"fail\w* ?(?:to )?(?:get|comput)|invalid metrics|unable to (?:get|fetch)",
        REPORTED,
    ),
    # application
    event(
        "requests fail",
        rf"\b{USERS}\b{IN_CLAUSE}\b{FAILS}|\b{FAILS}{IN_CLAUSE}\b(?:requests?(?! rate)|responses?|users)\b|"
        r"\b5xx\b|"
        r"\berror (?:ratio|rate|share)\b|server errors?|http errors?|error rates",
        r"error ratio|errors? (?:rate|total|per)|\b50\d\b|5xx|request\w* (?:fail|error)|"
        r"fail\w* requests?|bad gateway|internal server error|exception on /|http error|"
        r"\b(?:get|post|put|patch|delete|head|call\w*|request\w*)\b.*(?:fail|error|time ?out|timed out|refus)",
        FELT,
    ),
    event(
        "the job fails",
        r"\bjobs? (?:\w+ )?fail\w*|\bfail\w* (?:\w+ )?jobs?\b",
        r"failed=|backoff ?limit|job.*fail|fail.*job",
        (FELT, REPORTED),
    ),
    event(
        "marked as failed",
        r"\b(?:marked|declared|regarded|counted|considered|set) (?:as )?(?:an? )?(?:failed|failure|dead)\b|"
        r"\b(?:reach|hit|exceed|exhaust)\w* (?:its|the) (?:\w+ )?back ?off limit|"
        r"\bback ?off limit (?:was |is |being |has been |had been )?(?:reached|hit|exceeded|exhausted)",
        r"condition\W?failed|failed=|backoff ?limit|deadline exceeded|probe failed|phase\W?failed|reason\W?failed",
        REPORTED,
    ),
    topic(
        "requests",
        rf"\b{USERS}\b|\bresponses?\b",
        r"request|traffic|ingress|egress|error ratio|latency|http|\brps\b|5xx|user|client|\"(?:get|post|put) |"
        r"in flight|query|upstream|"
        r"call|quer|endpoint|\bservice\b|time ?out|timed out|connect",
        loose=True,
    ),
    topic(
        "latency",
        r"\blatenc\w*|\bslow\w*|response times?|\bsluggish\w*|took (?:too )?long\w*|(?<!no )\blonger\b",
        r"latency|slow|took|\bp9\d|seconds|duration|\d ?ms\b|delay|time ?out|timed out|long",
        (FAILED, FELT),
        loose=True,
    ),
    event(
        "errors",
        r"\berrors?\b|\bexceptions?\b|\bfail\w*|\btrace ?back\w*|stack ?traces?|\bpanic\w*|\bfaults?\b|"
        r"\bbroken\b|\bbroke\b|\bproblems?\b|\bissues?\b|"
        r"\btrouble\b",
        TROUBLE,
        (FAILED, FELT),
        r"exit code\W?0\b(?!.*exit code\W?[1-9])",
    ),
    topic(
        "an exception",
        r"\bexceptions?\b|\btrace ?back\w*|stack ?traces?|\bunhandled\b|\buncaught\b",
        r"exception|traceback|error\b|stack|panic|fatal",
        loose=True,
    ),
    topic("a retry", r"\bretr(?:y|ies|ied|ying)\b", r"\bretr|back ?off"),
    topic(
        "a pool",
        r"\bpools?\b",
        r"pool|\bleas(?:es?|ed|ing)\b|\bno (?:\w+ )?connection (?:became|was|is) free",
        loose=True,
    ),
    event("deadlocked", r"\bdead ?lock\w*|\block(?:s|ed|ing)?\b", r"lock"),
    topic(
        "a database",
        r"\bdatabases?\b|\bdb\b|\bsql\b",
        r"database|\bdb\b|sql|postgres|mysql|mongo|relation|column|\btable\b|transaction|envname|"
        r"psycopg|jdbc|\bpg\w*|operational error|for user|\bpool",
    ),
    topic("a schema", r"\bschemas?\b|\bcolumns?\b|\bmigrat\w*", r"schema|column|relation|migrat|\btable\b"),
    topic("a rate limit", r"rate ?limit\w*|too many requests|\b429\b"),
    event(
        "a development server",
        r"development (?:web )?server|\bdev(?:elopment)? (?:web )?server|\bdebug mode\b|"
        r"\bbuilt ?in server\b",
        r"werkzeug|serving flask",
        DECLARED,
    ),
    topic("production", r"\bproduction\b|\bwsgi\b", r"production|wsgi|development server", loose=True),
    topic(
        "a dependency",
        r"\bdependenc(?:y|ies)\b|\bdownstream\b",
        r"dependency|upstream|refused|time ?out|backend|database|envname|host",
        loose=True,
    ),
    topic(
        "what people meant or did",
        r"\b(?:approv|decid|confirm|agree[ds]? (?:to|that)|agreement|intend|intention|deliberate|sabotag|"
        r"malicious|hack|attack|"
        r"accident|negligen|(?<!to )blam)\w*|on purpose|"
        r"by mistake",
    ),
    # changes and controllers
    event(
        "changed",
        r"(?<!apply the )(?<!make the )\bchang\w*|\bedit\w*|\bmodif\w*|\balter\w*|(?<!is )(?<!are )\bupdat(?:es|ed|"
        r"ing)\b(?! replica)|(?<!\bto )(?<!refused the )\bpatch\w*|\breplac\w*|\bswitch\w*|\bswapp?\w*|\breconfigur\w*|"
        r"\b(?:made|marked|set|turned) unschedulable\b|"
        r"\brewrit\w*|\bwritten (?:again|anew)\b|\bintroduc\w*|\badd(?:ed|s|ing)\b|\bremov\w*|\bdelet\w*|"
        r"\bnewly created\b|"
        r"(?:·|polic\w+|claims?|quotas?|deployments?|services?|secrets?|config ?maps?|class|budget|binding|autoscaler)"
        r"\W+(?:(?:had|has|have) )?(?:was|were|been|got) (?:only |then |just |later )?created\b|"
        r"\bcreation of\b(?! (?:(?:an?|the|its) )?(?:[\w·-]+ ){0,2}?(?:pods?|containers?)\b)|\brenam\w*|"
        r"\b(?:was|were|been|got|get|being) set (?:to|from)\b|\bscal(?:ed|ing)\b"
        r"(?! (?:is|was|are|limit|fail|cap|active))|"
        r"\b(?:was|were|been|being|got) (?:\w+ )?(?:rolled out|deployed|released|upgraded|"
        r"rolled back)\b|^\W*(?:the |an? )?(?:roll ?out|deployment|release|upgrade) of\b(?!.*(?:stuck|"
        r"fail|stall|block|not|never|hang|exceed|progress))|"
        rf"\b{SETTING}\b{IN_CLAUSE}\b{ALTERED}|\b{ALTERED} (?:\w+ ){{0,4}}?{SETTING}\b",
        r"kind change|went from|from \S+ to \S+|->|→|lower|rais|reduc|scal|commit|revision|created|"
        r"rolled|deleted|removed|added|updated|written again|unschedulable\W?true|marking for deletion",
        CHANGED,
    ),
    event(
        "stayed the same",
        r"\b(?:stay|remain|held|kept|keep)\w* (?:at\b(?! the)|the same|"
        r"constant|flat|low|steady|stable|below|under)\b|"
        r"\b(?:not|never) (?:move[ds]?|budged?|shift(?:ed)?|vary|varied|stir(?:red)?)\b|\bstood still\b|\bwas flat\b|"
        r"\bas (?:it|they) (?:was|were)\b(?! \w)|\bleft (?:alone|as|in place|intact)\b|\bstable\b|\bintact\b|"
        r"\b(?:not|never|n't) (?:\w+ ){0,1}?(?:affected|touched|impacted|harmed)\b|"
        r"\bun(?:changed|affected|touched|altered|modified)\b|"
        r"\b(?:nobody|no one|nothing|never)\b (?:\w+ ){0,2}?(?:touch|chang|alter|modif)\w*|\bas (?:\w+ )?as before\b|"
        r"\b(?:continu\w*|still|keeps?|carr(?:y|ies|ied) on)\b (?:to )?(?:be )?"
        r"(?:at\b(?! (?:part|step|stage|line|\d\d:\d\d)\b)|provided|supplied|taken|"
        r"com(?:e|es|ing) from)",
        r"\bstays?\b|remain|unchanged|constant|steady",
        is_denial=True,
    ),
    event(
        "traffic fell",
        rf"\b(?:drop|fall|declin|decreas|dip|loss|collaps|disappear|end)\w* (?:in|of) (?:[\w·]+ ){{0,3}}?{TRAFFIC}\b|"
        rf"\b(?:lo(?:se|ses|st|sing)|less|fewer|no more) (?:\w+ ){{0,3}}?{TRAFFIC}\b|"
        rf"\b{TRAFFIC}\b[^.;,]{{0,20}}?\b(?:drop|fell\b|fall|declin|decreas|dip|ceas|vanish|disappear|collaps|plung|"
        r"plummet|sank|dr(?:y|ies|ied) up|broke down|came to (?:a|an)|stopp|halt)\w*",
        r"(?:request|traffic|throughput).*went from|receive bytes.*went from",
        FELT,
    ),
    state(
        "it answers",
        r"\b(?:answer|respond)(?:s|ed|ing)?\b(?! (?:every|all|each|with|that|\d))",
        r"(?<!not )\b(?:answered|responded)\b|\b200\b",
        r"not (?:answer|respond)|time ?out|timed out|refused|no (?:response|answer|route)|unreachable|"
        r"\b50[234]\b|unavailable|endpoints\W?0",
        affirmed=r"(?:answer|respond)\w* (?:in time|quickly|fast|normally|well|properly|again|to (?:all|every))",
    ),
    event(
        "exceeded",
        r"\bexceed\w*|\bsurpass\w*|"
        r"(?<!nearly )(?<!almost )\breach\w* (?:its|the|their) (?:\w+ )?(?:max\w*|limit|ceiling|bound)\b",
        r"exceed|over|more than|reached|above|\boom|too many|deadline|limit(?!\W*=| of\b)",
    ),
    topic("a commit", r"\bcommit\w*|\bgit\b", r"commit|\bgit\b|revision"),
    topic(
        "a rollout",
        r"\broll(?:s|ed|ing)? ?outs?\b|\bdeploy(?:ed|s|ing)\b|\breleas\w*|\brevisions?\b|\bupgrad\w*|"
        r"\bversions?\b|roll(?:ed|s|ing)? back",
        r"roll|deploy|revision|release|image|replica ?set|progress|change|generation|updated|version",
        loose=True,
    ),
    event(
        "the rollout is stuck",
        r"\b(?:roll ?out|deployment)\b[^.;,]{0,25}\b(?:stuck|stall\w*|not progress\w*|not finish\w*|"
        r"never complet\w*|blocked|hang\w*|tim(?:ed|es|ing) out)|"
        r"\b(?:stuck|stalled|blocked|failed|hanging) (?:roll ?out|deployment)",
        r"progress deadline|not progress",
        REPORTED,
    ),
    topic("scaling", r"\bscal\w*|\breplicas?\b", r"scal|replica", loose=True),
    state(
        "it is bound",
        r"(?<!upper )(?<!lower )\b(?:un)?bound\b(?! to (?:port|\d|address))",
        r"phase\W?bound|is bound",
        r"pending|unbound|not bound|not found|no (?:persistent )?volumes? available",
    ),
    state(
        "it is accepted",
        r"\baccept(?:s|ed)\b|(?<!it is )\ballow(?:s|ed)\b(?! (?:an? |one|two|three|\d|only|at most|up to|just|"
        r"single|no|its|the|for\b|per\b))|"
        r"(?<! it is )(?<=is )allowed\b|(?<=are )allowed\b|(?<=was )allowed\b|(?<=were )allowed\b|\bnot allowed\b|"
        r"\bpermitted\b|\bvalid\b|\bauthorized\b",
        r"accepted|allowed\W?true|succe|\b200\b|\bvalid\b",
        r"fail|forbid|denied|refus|reject|expired|invalid|not (?:yet )?valid|\b40[13]\b|unauthor|"
        r"exceed|violat|can not|limit|oom|deny|no rules",
    ),
    state(
        "it can",
        r"\bcan (?!not\b|no\b|never\b|hardly\b|only\b|barely\b|be (?:seen|explained|traced|read|ruled out|"
        r"excluded)\b|only\b|allocate\b|offer\b|"
        r"provide\b|spare\b)\w+|"
        r"\bable to\b",
        WELL,
        TROUBLE,
        of_several=True,
    ),
    topic("a Deployment", r"\bdeployments?\b", r"deploy|roll ?out|replica ?set"),
    topic("a StatefulSet", r"\bstateful ?sets?\b", r""),
    topic("a DaemonSet", r"\bdaemon ?sets?\b", r""),
    topic("a ReplicaSet", r"\breplica ?sets?\b", r"deployment"),
    topic("an autoscaler", r"\bauto ?scal\w*|\bhpas?\b", r"auto ?scal|hpa|horizontal"),
    topic("a disruption budget", r"\bdisruption\b|\bpdbs?\b", r"disruption|pdb"),
    topic("Argo CD", r"\bargo\w*|out of sync|\bsync\w*|\bdrift\w*", r"argo|sync|application"),
    topic(
        "an init container",
        r"\binit(?:iali[sz]ation)? (?:container|step|phase)s?\b",
        r"\binit|container\W(?:wait|migrat|setup|prepar)",
        loose=True,
    ),
    topic("a cron job", r"\bcron\w*", r"cron"),
    topic("a log", r"\blogs?\b|\blogged\b|\blogging\b|\bprint(?:s|ed)\b", r"kind log|\blogs?\b", loose=True),
    topic("an alert", r"\balerts?\b|\balarms?\b|\bfiring\b", r"kind alert|alert", REPORTED),
    state(
        "it is well",
        r"\bhealth(?:y|ily)\b(?! check)|\bunhealthy\b|\bstable\b|\bstay\w* up\b|\bkeep\w* running(?! (?:out|"
        r"into|low|over|up)\b)|"
        r"\bsurviv\w*|\brecover\w*|\bimprov\w*|\bgot better\b|"
        r"\b(?:works?|working|worked|runs?|running|ran|behav\w*|operat\w*|serv\w*|start\w*|exit\w*|end\w*|"
        r"stopp\w*|terminat\w*|perform\w*) (?:\w+ )?(?:fine|well|normally|correctly|properly|smoothly|"
        r"cleanly|gracefully|as (?:expected|usual|before))|\bunaffected\b|\bsucce(?:ss|ed)\w*|"
        r"(?<!seconds )(?<!minutes )(?<!minute )(?<!hours )(?<!hour )(?<!time )"
        r"\bpass(?:es|ed|ing)?\b(?! \d| the| through| on| to| by| it| between| up| down| (?:\w+ )?on to)|"
        r"\bcomplet(?:es|ed)\b|\bno longer fail\w*|"
        r"\bfinish(?:ed|es)\b(?! with\b| on\b| in\b)",
        WELL,
        TROUBLE,
    ),
)
