"""How processes end, what they use up, and the images that they are made from."""

from __future__ import annotations

from srelab_lib.explanation.concept import (
    DECLARED,
    DIED,
    ENDED,
    FAILED,
    FELT,
    IN_CLAUSE,
    REPEATED,
    SHORT,
    Concept,
    event,
    state,
    topic,
)

RUNTIME: tuple[Concept, ...] = (
    # how a process ends
    event(
        "out of memory",
        r"\boom\b|oom ?kill\w*|out of (?:ram|memory)|memory (?:\w+ )?(?:exhaust\w*|starvation)|"
        r"exhaust\w* (?:\w+ ){0,2}memory|"
        r"(?:exceed|surpass|overr[au]n|overst[eo]p|outgr[eo]w|overshoot|overshot|break|broke|breach|"
        r"blow|blew|hit|hits|reach|cross|"
        r"went over|go over|goes over|gone over|above|beyond|more (?:memory )?than|past|over)\w* (?:\w+ ){0,4}?memory"
        r"(?: (?:limit|ceiling|cap|budget|allowance))?|"
        r"memory (?:usage |use |consumption |demand |footprint )?(?:\w+ )?(?:exceed|surpass|overr[au]n|"
        r"went over|went past)\w*|"
        r"memory [^.;,]{0,30}?(?:reach|hit|hits|cross|touch)\w* (?:the|its|their|that|"
        r"an?) (?:\w+ )?(?:limit|ceiling|cap|maximum)|"
        r"(?:too much|not enough|insufficient|lack of|more) memory|mem(?:ory)? limit too low|"
        r"(?:us|need|want|ask|consum|allocat)\w* more (?:memory than|than (?:it may|it is allowed|its limit|"
        r"its memory))\b",
        r"oom|memory cgroup|can ?not allocate memory",
        ENDED,
        r"\b(?:last|terminated) reason\W?(?!oom)\w|\bexit code\W?(?!137|143)\d",
    ),
    event(
        "killed",
        r"\bkill(?:s|ed|ing|er)?\b|\bsigkill\b|\bsigterm\b|terminated by|shot down",
        r"oom|\b137\b|\b143\b|evict|preempt|signal",
        ENDED,
        r"\b(?:last|terminated) reason\W?(?!oom)\w|\bexit code\W?(?!137|143)\d",
        loose=True,
    ),
    topic("the kernel", r"\bkernel\b|operating system", r"oom|sigkill|\b137\b", loose=True),
    event(
        "crashed",
        r"\bcrash(?!loop| loop)\w*|\bdie[sd]?\b|\bdying\b|fell over|falls over|went down(?! from| to|"
        r" by)|collaps\w*\b(?! to| from| by| (?:of|in) [^.;,]{0,40}?(?:rate|traffic|requests|throughput))|"
        r"\b(?:is|are|was|were|be) down\b(?! to| from| by)",
        r"crash|exit code\W?[1-9]|exited|terminated|oom|kill|back off restarting|panic|fatal|"
        r"no endpoints|refused|unavailable|"
        r"went from 1 to 0|" + DIED,
        ENDED,
        r"deleted pod|\bstate\W?running\b.*restart count\W?0\b|restart count\W?0\b.*\bstate\W?running|"
        r"reason\W?completed|exit code\W?0\b",
        loose=True,
    ),
    event(
        "exited",
        r"\bexit(?:s|ed|ing)?\b(?! code)(?! (?:cleanly|gracefully|normally|properly)\b)|\bquits?\b|"
        r"\bterminat\w*|(?<!the )(?<!at )(?<!back )(?<!front )\bends?\b"
        r"(?! with| in | up | cleanly| gracefully| normally| properly| well)|\bended\b(?! in | up )|"
        r"\bstop(?:s|p?ed|ping)?\b(?! \w+ing\b)(?! [^,;.]{1,40} from \w+ing\b)|"
        r"shut(?:s|ting)? ?down",
        r"exit|terminated|completed|crash|oom|kill|stop|shut|finished|last reason|deleted pod|" + DIED,
        ENDED,
        loose=True,
    ),
    topic("exit code", r"exit (?:code|status)|return code", r"exit|code", ENDED),
    event(
        "crash loop",
        r"crash ?loop\w*|back(?:s|ed|ing)? ?off\b(?! ?limit)|restart loop|(?:keeps?|kept|keeping) (?:on )?(?:being |"
        r"getting )?(?:crash|restart|dying|kill|exit|"
        r"fall|stopp)\w*|(?:repeated|continuous|constant|continual|endless|"
        r"perpetual)(?:ly)? (?:being )?(?:crash|restart|kill|exit)\w*|"
        r"(?:crash|restart|kill|exit)\w* (?:over and over|again and again|repeatedly|continuously|"
        r"constantly|in a loop)|\b(?:stuck|caught|trapped|is|are|was|were|goes|go|went|dies|died|fail\w*|start\w*) "
        r"in an? (?:\w+ )?loop\b|\blooping\b",
        r"restart count\W?(?:[2-9]|\d\d)|restarted (?:[2-9]|\d\d)|kill\w*.*count\W?(?:[2-9]|\d\d)",
        REPEATED,
    ),
    event(
        "restarted", r"\brestart\w*|started again|start(?:s|ed|ing)? (?:it )?over", r"crash ?loop|back ?off", REPEATED
    ),
    event("evicted", r"\bevict\w*", "preempt|disruptions allowed", ENDED),
    event("preempted", r"\bpre ?empt\w*|higher priority", r"priority", ENDED),
    topic("a signal", r"\bsignals?\b|\bsig(?:abrt|bus|ill|quit|int)\b", r"signal|\b13[479]\b|\b143\b|oom"),
    topic(
        "a segmentation fault",
        r"\bsigsegv\b|\bseg(?:mentation )?fault\w*",
        r"sigsegv|segmentation|\b139\b|signal\W?11\b",
    ),
    # resources
    topic(
        "memory",
        r"\bmemory\b|\bram\b|\bheap\b|\brss\b",
        r"memory|oom|\d ?[kmg]i\b|\d ?[kmg]i?b\b|heap|\brss\b",
        DECLARED,
    ),
    topic(
        "a limit",
        r"\blimit\w*|\bceiling\b|\bcap(?:ped|s)?\b|\ballowance\b|upper bound|\bbudget\b|\bmaximum\b",
        r"limit|quota|\bmax|\bcap\b|\d/\d",
        DECLARED,
        loose=True,
    ),
    topic("CPU", r"\bcpus?\b|\bprocessor\w*|\bcores?\b(?! (?:api|group|resource|dump|file))", r"cpu|cores|throttl"),
    event("throttled", r"\bthrottl\w*", r"\b429\b|too many requests|(?:limit|delay)ing requests?", (SHORT, ENDED)),
    event(
        "leaked",
        r"\bleak\w*|grow\w* (?:\w+ )?without (?:a )?(?:bound|limit|end)|(?:steadi|continuous|"
        r"constant)ly (?:grow|ris|climb|increas)\w*|"
        r"(?:grow|ris|climb|increas)\w* (?:steadily|continuously|constantly)",
        r"leak|went from|grow|rising|rises|climb|slope|per (?:minute|hour)",
        DECLARED,
    ),
    event(
        "exhausted",
        r"\bexhaust\w*|used up|(?<!% )(?<!percent )(?<!per cent )\bfull\b(?! (?:seconds?|minutes?|hours?|name|"
        r"number|count|strength|complement|set|stop|(?:table )?scans?|text|path))|"
        r"deplet\w*|\bran out\b(?! at\b)|\bruns? out\b|\bran dry|saturat\w*|"
        r"overload\w*|overwhelm\w*",
        r"exhaust|full|out of|no space|limit|too many|oom|exceed|insufficient|throttl|pool|quota|"
        r"saturat|overflow|at max|\bno free\b|(?<!\d)(?P<all_of>[1-9]\d*) of (?P=all_of)(?!\d)",
        (SHORT, FELT),
    ),
    topic(
        "disk or volume",
        r"\bdisks?\b|\bstorage\b|\bfile ?system\w*|\bvolumes?\b|no space|\bpvcs?\b|volume claim\w*",
        r"disk|storage|file ?system|volume|no space|\bpvc|persistent|mount",
    ),
    topic("a mount", r"\bmount\w*|\battach\w*", r"mount|volume|attach", FAILED),
    topic("pressure", r"\bpressure\b", "", SHORT),
    topic("a quota", r"\bquotas?\b"),
    topic("a limit range", r"limit ranges?"),
    state(
        "there is enough",
        r"\b(?:in)?sufficient\b(?! (?:to|for) (?:be|make|get|give|mark|fail|stop))|"
        r"(?<!are )(?<!is )(?<!was )(?<!were )\benough\b(?! (?:to|for) (?:be|make|get|give|mark|fail|stop))|"
        r"too few|(?<!bytes )(?<!b )(?<!i )(?<!cores )(?<!%)\bshort of\b"
        r"(?! (?:[\d.]+|an?|one|two|three|four|five|ten|half) (?:[a-z]+ )?(?:second|minute|hour)s?\b)|"
        r"\bshortage\b|\black of\b(?! (?:\w+ )?(?:permissions?|rights?|access|an?\b|the\b|"
        r"any\b|answers?))",
        r"(?<!in)sufficient|(?<!not )enough",
        r"insufficient|not enough|exceed|pressure|oom|out of|throttl|no space|quota|too (?:low|small|few)|"
        r"nodes are available",
    ),
    # images
    topic("an image", r"\bimages?\b|\btags?\b|\bmanifest\b", r"image|manifest|\btag\b", loose=True),
    topic("the registry", r"\bregistr\w*", r"registry|pull|docker\.io|repositor|\.\w+/\w", loose=True),
    state(
        "the image can be pulled",
        rf"\b(?:pull|download|fetch|retriev)\w*{IN_CLAUSE}\b(?:images?|tags?)|\b(?:images?|"
        rf"tags?)\b{IN_CLAUSE}\b(?:pull|download|fetch|"
        r"retriev)\w*|\bpull(?:s|ed|ing)?\b|image ?pull\w*|err image\w*",
        r"successfully pulled|already present|image pulled",
        r"err image|image ?pull ?back|pull ?back ?off|fail\w* to pull|pull\w* (?:access )?(?:denied|"
        r"failed)|never pull|manifest unknown|not present|"
        r"pull[^.;]*(?:not found|fail|error)|back off pulling|inspect image",
        FAILED,
        r"(?:was|were|been|is|got|has|have|had|successfully|can be|could be) (?:\w+ )?(?:pull|download|"
        r"fetch|retriev)ed|success\w*|"
        r"pull\w* (?:fine|well|completed|worked)",
    ),
)
