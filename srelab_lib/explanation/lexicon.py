"""Word lists: what names nothing, what names a service, what can stand before the kind of an object."""

from __future__ import annotations

from srelab_lib.explanation.words import stem, word_set

ACRONYMS = word_set(
    """
    oom dns tls ssl http https cpu cpus ram api apis json url urls utc rbac pvc pvcs pv hpa pdb tcp udp ip ips
    cd io id ids req reqs qos crd
    sre ok vs db sql ui os ttl env ns p50 p90 p95 p99 5xx 4xx i/o and/or n/a mib gib kib mb gb
    kb ms rps qps i.e e.g etc 24/7 wsgi k8s x509 sigkill sigterm cgroup cgroups c1 c2 c3 c4 c5 c6 c7 c8
    """
)
"""Short forms that name nothing of their own."""

TECHNICAL = frozenset(
    map(
        stem,
        word_set(
            """
    kubelet kubernetes container containers pod pods namespace namespaces deployment deployments service
    services rollout rollouts kernel restart restarts crashloop misconfigured misconfiguration unschedulable
    throttled throttling throttle evicted eviction oom deploy deploys deployed redeploy redeployed startup
    shutdown runtime timeout timeouts endpoint endpoints config configmap replica replicas workload workloads
    backoff retries latency metrics metric outage downtime unready unreachable unhealthy liveness readiness
    probe probes server servers process processes app apps cluster clusters node nodes log logs logged logging
    stdout stderr traceback stacktrace database databases username hostname hostnames filesystem filesystems
    autoscaler scheduler daemon daemonset statefulset replicaset cronjob job jobs webhook admission ingress
    egress selector selectors label labels manifest manifests tag tags registry image images spec specs template
    templates upstream downstream dependency dependencies upfront reachable resolvable unavailable nonexistent
    reconfigured rescheduled reschedule preempted percentile generator footprint throughput tolerations
    toleration taint taints affinity cordoned cordon quota quotas oomkilled workers threads thread async cache
    kubectl backend backends lookup lookups typo typos misspelling misspelt
    """
        ),
    )
)
"""Words of the trade that are no English and name nothing."""

SERVICE_NOUNS = word_set(
    """
    web api cart carts checkout orders payment payments shipping billing catalog catalogue cache queue worker
    workers gateway auth mail email mailer notification notifications inventory product products rating ratings
    recommendation currency session sessions proxy broker store shop book booking bookings invoice invoices
    feed media analytics collector exporter loader consumer producer publisher subscriber
    search wallet ledger warehouse delivery fraud pricing basket frontend backend portal dashboard monitor
    scraper crawler indexer importer migrator cleaner router bot
    """
)
"""English words that services are called by: as a name they must stand in the facts."""

EVERYDAY_NOUNS = word_set("backend backends search session sessions store")
"""Those of them that are as often said of no service: names only where they stand as one, or an object has the word."""

MODIFIERS = word_set(
    """
    the a an its their this that these those his her our your all every each any some no one two three four both
    other another same new old older newer newest latest current previous former first second third last next
    initial original single sole free only own main affected failing failed broken crashing crashed faulty bad unhealthy
    healthy running restarted restarting terminated killed pending stuck unready ready target whole entire given
    said empty single-replica underlying respective corresponding correct wrong right different missing nonexistent
    existing real actual several many most few multiple of to in on by for from with at as into and or but so
    when while because if than then now earlier later data just even not never application app container pod deployment
    service node server workload process job program cluster kubernetes init requested referenced named specified
    configured required misconfigured faster slower replacement available unavailable reachable unreachable
    production remote local external internal public private base development dev web-facing exited dying dead
    without before after since because despite under through between behind against per via unlike until while during
    extra additional added further spare surplus
    live unknown plain restart more less which whose what such enough separate distinct identical particular individual
    certain various neither none nor
    """
)
"""What can stand before the kind of an object and names none: `the failing container`."""

ORDINARY_HEADS = word_set(
    """
    non re pre post un plain well self over under so multi one single high low long short early late near mid co sub
    semi cross ever much too out in
    """
)
"""What compounds of plain words begin with: `short-lived`."""

GENERIC = frozenset(
    map(
        stem,
        word_set(
            """
    container pod deployment service app application namespace object kind status event log metric change spec
    alert owner problem issue error system cluster default time server program workload process node job
    """
        ),
    )
)
"""Words that stand in almost every fact."""

SMALL = frozenset(
    map(
        stem,
        word_set(
            """
    the a an its it this that these those is are was were be been being has have had do does did will would can
    could may might of to in on at by for from with as into and or but so when while because if than then now
    only just even not no never which who what where there their they them also about after before since until
    during over under up down out off more most less least very too all any each every some such own other same
    being name names named call calls called anymore
    """
        ),
    )
)
"""Words that say nothing by themselves."""
