"""Templates of commands: what mends a fault, what shows more of it, and what a placeholder may hold."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z]{1,63}/[a-z0-9]([-.a-z0-9:]{0,251}[a-z0-9])?")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
ALLOWED: dict[str, re.Pattern[str]] = {
    "namespace": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "kind": re.compile(r"[a-z]{1,63}"),
    "name": re.compile(r"[a-z0-9]([-.a-z0-9:]{0,251}[a-z0-9])?"),
    "container": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "pod": _NAME,
    "old_memory": _QUANTITY,
    "old_cpu": _QUANTITY,
    "old_replicas": re.compile(r"[1-9][0-9]{0,5}"),
    "limited": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "revision_before": re.compile(r"[1-9][0-9]{0,8}"),
    "commit": re.compile(r"[0-9a-f]{7,64}"),
    "context": re.compile(r"[A-Za-z0-9][-\w.:@/]{0,251}"),
    "configmap": _NAME,
    "account": re.compile(r"[-a-z0-9]{1,63}:[-.a-z0-9]{1,253}"),
    "role": _NAME,
    "behind": _NAME,
    "called": _PORT,
    "target": _PORT,
    "listens": _PORT,
    "was_replicas": re.compile(r"[1-9][0-9]{0,5}"),
    "changed": _OBJECT,
    "added": _OBJECT,
    "written": _OBJECT,
    "field": re.compile(r"[-A-Za-z0-9_./\[\]]{1,120}"),
    "reader": _OBJECT,
    "task": _OBJECT,
    "running": _OBJECT,
    "secret": _NAME,
    "claim": _NAME,
    "claimed": _NAME,
    "maker": _NAME,
    "mounts": _NAME,
    "rolled": _OBJECT,
    "scratch": _NAME,
    "postgres": _NAME,
    "patch": re.compile(r'\{(?:"(?:data|spec|selector)":\{)+"[^\']{1,600}\}'),
    "was": re.compile(r"[-A-Za-z0-9_.:/@]{1,120}"),
}
SETS: dict[str, re.Pattern[str]] = {
    "old_memory": re.compile(r"(?:containers\[(?P<limited>[^\]]+)\]\.resources\.)?limits\.memory"),
    "old_cpu": re.compile(r"(?:containers\[(?P<limited>[^\]]+)\]\.resources\.)?limits\.cpu"),
    "old_replicas": re.compile(r"(?:spec\.)?replicas"),
}
"""The field that a command sets to each of these: the old value of any other field has no place there."""
ADDED = frozenset(
    {
        "networkpolicy", "resourcequota", "limitrange",
        "validatingwebhookconfiguration", "mutatingwebhookconfiguration",
    }
)  # fmt: skip
"""What only restricts others may be deleted again; a workload that came at the same time may not."""
EDITED = ("spec.", "data[", "rules", "subjects", "webhooks", "metadata.labels")
"""What somebody edited by hand, and can edit back."""
CONTROLLERS = frozenset({"deployment", "statefulset", "daemonset"})

UNDOING = frozenset({"old_memory", "old_cpu", "old_replicas", "added", "listens"})
"""A fix that needs one of these undoes the change by itself: to roll back after it would bring the change back."""
_ROLL_BACK_TO = (
    "Go back to revision $revision_before, the one before the change",
    "$kubectl rollout undo $changed --to-revision=$revision_before",
)
_ROLL_BACK = ("Go back to the revision before the change", "$kubectl rollout undo $changed")
ROLL_BACKS = (_ROLL_BACK_TO, _ROLL_BACK)
"""The first that can be filled; without a number it may be pasted only once."""
REVERT = ("Revert the commit; Argo CD rolls it out", "git revert --no-edit $commit && git push")
_LIMIT_BACK = "Set the limit back to what it was"
SCALE_BACK = ("Scale it back to what it was", "$kubectl scale $changed --replicas=$was_replicas")
PATCH_BACK = ("Set $field back to $was", "$kubectl patch $changed --type=merge --patch='$patch'")
SET_BACK = ("Set $field back to $was", "$kubectl edit $changed")
EDIT_BACK = ("Undo what was changed in $field", "$kubectl edit $changed")
EDIT_WRITTEN = ("Correct it: which of its values was changed is not known", "$kubectl edit $written")
EDIT_VALUE = ("Correct the value that the cause names", "$kubectl edit $written")
READ_AGAIN = ("Then let it read the ConfigMap again", "$kubectl rollout restart $reader")
SUSPEND = (
    "Stop the Job for now, unless its work must go on",
    '$kubectl patch $running --patch=\'{"spec":{"suspend":true}}\'',
)
TASK_DID = ("See what the Job did: its end undoes nothing of that", "$kubectl get $task -o yaml")
TASK_LOG = ("Read what the Job says", "$kubectl logs $task --timestamps")
_DELETE = ("Delete what was added, unless it is wanted", "$kubectl delete $added")
_EDIT = "$kubectl edit $kind/$name"
EDIT = ("Correct the field that the evidence names", _EDIT)
EDIT_FOUND = ("No fact names a field: read its log first, then correct what it tells of", _EDIT)
CORRECT: dict[str, str] = {
    "node_selector_unmatched": "Ask for labels that a node has, or label the node that is meant",
    "taint_untolerated": "Let it tolerate the taint, or choose other nodes",
    "anti_affinity_unmet": "Let its affinity or topology rules leave a node",
    "insufficient_cpu": "Request no more CPU than a node has left",
    "insufficient_memory": "Request no more memory than a node has left",
    "insufficient_extended_resource": "Request what a node offers, or nothing of it",
    "image_not_found": "Name an image that exists",
    "crash_bad_command": "Correct its command",
    "crash_missing_env": "Give it the variable",
    "readiness_probe_misconfigured": "Correct its readiness probe",
    "liveness_probe_misconfigured": "Correct its liveness probe",
    "startup_probe_too_short": "Give the program more time to start: raise failureThreshold",
    "secret_missing": "Make the Secret, or name one that exists",
    "secret_key_missing": "Give the Secret the key that is asked for, or ask for one that it has",
    "configmap_missing": "Make the ConfigMap, or name one that exists",
    "service_account_missing": "Make the ServiceAccount, or name one that exists",
    "pod_security_denied": "Let its security context keep to the level that the namespace enforces",
    "pvc_missing": "Make the claim, or name one that exists",
    "ingress_class_missing": "Name a class that exists",
    "ingress_backend_missing": "Name a Service that exists",
    "init_container_failed": "Correct what its init container runs",
    "init_container_stuck": "Correct what its init container waits for",
    "webhook_unreachable": "Until it answers: let it pass with failurePolicy Ignore",
    "hpa_no_metrics": "Let it scale by a metric that is served, or give the pods the request that it is a share of",
    "pdb_blocks": "Let it allow a disruption, or run more replicas",
    "disk_full": "Remove what need not be there, or give it more room",
}
"""What of the object to correct, where no command does it."""
START_ANEW = (
    "Start it anew, once it is known why it stopped: what it holds outside a claim is lost",
    "$kubectl rollout restart $kind/$name",
)
RENEW = ("Delete it and make it again, corrected: a Job cannot be edited", "$kubectl delete $kind/$name")
LOG = ("Read what it says since then", "$kubectl logs $kind/$name -c $container --since=15m --timestamps")
LOG_OF_RUN = ("Read what its last run says", "$kubectl logs $pod -c $container --timestamps")
EVENTS = ("Read what the cluster says of it", "$kubectl describe $kind/$name")
_FREE_NODE = ("See what each node has left", "kubectl$context describe nodes")

_TO_LISTENING = "Send it to the port that its pods declare"
_TARGET_PORT = '{"op":"replace","path":"/spec/ports/0/targetPort","value":$listens}'

FIX: dict[str, tuple[tuple[str, str], ...]] = {
    "oom_killed": (
        (_LIMIT_BACK, "$kubectl set resources $kind/$name -c $limited --limits=memory=$old_memory"),
    ),
    "cpu_throttled": (
        (_LIMIT_BACK, "$kubectl set resources $kind/$name -c $limited --limits=cpu=$old_cpu"),
    ),
    "memory_leak": (
        ("Gain time: start fresh processes", "$kubectl rollout restart $kind/$name"),
    ),
    "scaled_to_zero": (("Scale it up again", "$kubectl scale $kind/$name --replicas=$old_replicas"),),
    "node_cordoned": (("Let the node take pods again", "kubectl$context uncordon $name"),),
    "configmap_key_missing": (("Add the key", "$kubectl edit configmap/$configmap"),),
    "secret_rotated": (
        ("Give Secret $secret the credential that the server takes, unless it has it", "$kubectl edit secret/$secret"),
        ("Then let it read the credential again", "$kubectl rollout restart $kind/$name"),
    ),
    "disk_full": (
        ("Remove what need not be there, or give claim $claim more room", "$kubectl edit pvc/$claim"),
        (
            "Remove what need not be there; more room for emptyDir $scratch means new pods, and what it holds is lost",
            _EDIT,
        ),
    ),
    "service_wrong_port": ((_TO_LISTENING, f"$kubectl patch $kind/$name --type=json --patch='[{_TARGET_PORT}]'"),),
    "storage_class_missing": (
        (
            "Delete the claim, never bound, and make it again with a class that exists",
            "$kubectl delete persistentvolumeclaim/$claimed",
        ),
        (
            "Its template cannot be edited: delete StatefulSet $maker without its pods, and apply it corrected",
            "$kubectl delete statefulset/$maker --cascade=orphan",
        ),
        (
            "Then let the claim, which was never bound, and its pod be made again",
            "$kubectl delete persistentvolumeclaim/$name pod/$mounts --wait=false",
        ),
    ),
    "tls_expired": (
        (
            "Put a valid certificate into Secret $secret",
            ("$kubectl create secret tls $secret --cert=tls.crt --key=tls.key --dry-run=client -o yaml"
            " | $kubectl apply -f -"),
        ),
        ("Then let the server read the renewed certificate", "$kubectl rollout restart $kind/$name"),
    ),
    "rbac_denied": (
        ("Give the account the Role", "$kubectl create rolebinding $name --role=$role --serviceaccount=$account"),
    ),
    "service_missing": (
        (
            "Make it, from the port that is called to the port of the pods",
            "$kubectl expose deployment/$behind --name=$name --port=$called --target-port=$target",
        ),
    ),
    "network_policy_blocks": (_DELETE,),
    "webhook_unreachable": (_DELETE,),
    "quota_exceeded": (_DELETE,),
    "limit_range_violated": (_DELETE,),
}  # fmt: skip
STOPGAPS = frozenset({"memory_leak"})
"""What FIX has for these only gains time: to undo the change comes first."""
_ACTIVITY = "select pid, usename, state, wait_event_type, xact_start, left(query, 60) from pg_stat_activity"
_PSQL = f"""psql -U "$${{POSTGRES_USER:-postgres}}" -d postgres -c "{_ACTIVITY}\""""
_SESSIONS = (
    "See who holds and who waits: pg_terminate_backend(pid) ends a session",
    f"$kubectl exec $postgres -c $container -- sh -c '{_PSQL}'",
)
COMPARE: dict[str, tuple[tuple[str, str], ...]] = {
    "configmap_missing": (("See which ConfigMaps exist", "$kubectl get configmaps"),),
    "secret_missing": (("See which Secrets exist, names only", "$kubectl get secrets -o name"),),
    "service_selector_mismatch": (("Compare with the pods' labels", "$kubectl get pods --show-labels"),),
    "service_wrong_port": (("See which ports the pods declare", "$kubectl get endpointslices -o yaml"),),
    "service_missing": (("See which Services exist", "$kubectl get services"),),
    "network_policy_blocks": (("See what the policies allow", "$kubectl describe networkpolicies"),),
    "quota_exceeded": (("See what uses the quota", "$kubectl describe resourcequotas"),),
    "limit_range_violated": (("See the allowed range", "$kubectl describe limitranges"),),
    "insufficient_cpu": (_FREE_NODE,),
    "insufficient_memory": (_FREE_NODE,),
    "insufficient_extended_resource": (_FREE_NODE,),
    "node_selector_unmatched": (("Compare with the nodes' labels", "kubectl$context get nodes --show-labels"),),
    "taint_untolerated": (("See the nodes' taints", "kubectl$context describe nodes"),),
    "pvc_pending": (("See claims and classes", "$kubectl get pvc,storageclass"),),
    "pvc_missing": (("See which claims exist", "$kubectl get pvc"),),
    "disk_full": (("See which volume is full", "$kubectl exec $pod -c $container -- df -h"),),
    "storage_class_missing": (("See which classes exist", "kubectl$context get storageclass"),),
    "ingress_class_missing": (("See which classes exist", "kubectl$context get ingressclass"),),
    "ingress_backend_missing": (("See which Services exist", "$kubectl get services"),),
    "rbac_denied": (("See what the account may do", "$kubectl auth can-i --list --as=system:serviceaccount:$account"),),
    "webhook_unreachable": (
        ("See which webhooks check objects", "kubectl$context get validatingwebhookconfigurations"),
        ("See which webhooks alter objects", "kubectl$context get mutatingwebhookconfigurations"),
    ),
    "db_lock": (_SESSIONS,),
    "pool_exhausted": (_SESSIONS,),
    "slow_query": (_SESSIONS,),
    "node_not_ready": (
        (
            "See which pods it had",
            "kubectl$context get pods --all-namespaces -o wide --field-selector spec.nodeName=$name",
        ),
    ),
    "hpa_no_metrics": (("See whether metrics are served", "kubectl$context get apiservices v1beta1.metrics.k8s.io"),),
    "argo_out_of_sync": (("See how it differs from git", "$kubectl get application/$name -o yaml"),),
}  # fmt: skip

INSPECT_CRASH = (
    "Read why the last container ended",
    "$kubectl logs $pod -c $container --previous --tail=50 --timestamps",
)
READY = ("Watch it become ready", "$kubectl rollout status $rolled --timeout=120s")
QUIET = ("See that it logs no error any more", "$kubectl logs $kind/$name -c $container --since=2m --timestamps")
AGAIN = ("Run this analysis again", "papermill notebooks/06_rca.ipynb out.ipynb -p source live$chosen")
NOT_ITS_OWN = frozenset(
    {
        "upstream_unreachable", "db_lock", "schema_mismatch", "slow_query", "node_not_ready", "node_pressure",
        "container_killed",
    }
)  # fmt: skip
"""What no edit of the object mends: it fails by what is elsewhere."""
NEVER_RAN = frozenset(
    {
        "image_not_found", "image_never_pull", "secret_missing", "secret_key_missing", "configmap_missing",
        "configmap_key_missing", "service_account_missing", "pvc_missing", "quota_exceeded", "limit_range_violated",
        "node_selector_unmatched", "taint_untolerated", "anti_affinity_unmet", "insufficient_cpu",
        "insufficient_memory", "insufficient_extended_resource", "pod_security_denied", "webhook_unreachable",
    }
)  # fmt: skip
"""What keeps a container from its start: it has no log."""
ABSENT = frozenset({"service_missing"})
"""What these name cannot be described."""
CRASHES = frozenset(
    {"crash_app_exit", "crash_missing_env", "crash_bad_command", "container_killed", "init_container_failed"}
)
