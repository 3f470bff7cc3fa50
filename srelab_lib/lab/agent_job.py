"""The same analysis as a Job in the cluster, whose ServiceAccount reads little and writes one ConfigMap."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from srelab_lib.clients.report_config_map import WRITTEN_BY
from srelab_lib.errors import SourceError
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import POLL_SECONDS, PROJECT, Observation, Progress, Step, StepError
from srelab_lib.settings import AGENT_CODE, AGENT_JOB, AGENT_REPORT, from_env

IMAGE = "sre-agent:v1"
NAMESPACE = "default"
SHOW_LOG = f"kubectl -n {NAMESPACE} logs job/{AGENT_JOB}"
MANIFEST = PROJECT / "k8s" / "agent-job.yaml"
SCRIPT = PROJECT / "agent" / "agent.py"

LAB = Kubectl()
_IN_DEFAULT = ("--namespace", NAMESPACE)
_STUCK = frozenset({"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"})

Json = dict[str, Any]


def environment(notebook: Json) -> dict[str, str]:
    """The variables that make the Job analyse the same window with the same model."""
    settings, window = notebook["run"]["settings"], notebook["run"]["window"]
    return {
        "SRELAB_END": window["end"],
        "SRELAB_MINUTES": str(settings["minutes"]),
        "SRELAB_MODEL": settings["model"],
        "SRELAB_MODEL_DEADLINE_SECONDS": str(settings["model_deadline_seconds"]),
        "SRELAB_JOB_DEADLINE_SECONDS": str(settings["job_deadline_seconds"]),
    }


def manifests(variables: Mapping[str, str], namespaces: frozenset[str]) -> list[Json]:
    """The objects of k8s/agent-job.yaml that have a namespace to be in, with the Job's variables set."""
    objects = [item for item in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")) if item]
    kept = [item for item in objects if item["metadata"].get("namespace", NAMESPACE) in namespaces | {NAMESPACE}]
    [job] = [item for item in kept if item["kind"] == "Job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    values = {item["name"]: item["value"] for item in container["env"]} | dict(variables)
    container["env"] = [{"name": name, "value": value} for name, value in values.items()]
    job["spec"]["activeDeadlineSeconds"] = _seconds(variables)
    return kept


def finished(variables: Mapping[str, str], kubectl: Kubectl = LAB) -> Step:
    """The step: the Job has run with these variables and its report is in the ConfigMap. Undo removes all of it."""

    def observe() -> Observation:
        job = _job(kubectl)
        if not job:
            return Observation(holds=False, text="there is no Job yet")
        if not dict(variables).items() <= _variables(job).items():
            return Observation(holds=False, text="the Job that is there analysed another window")
        status, text = _state(job, kubectl)
        if status != "Complete":
            return Observation(holds=False, text=text)
        writer = _written_by(kubectl)
        holds = writer in {pod["metadata"]["name"] for pod in _pods(kubectl)}
        return Observation(holds=holds, text=f"complete after {_lasted(job):.0f} s, pod {writer} wrote the report")

    def apply(progress: Progress) -> None:
        start(variables, kubectl)
        _await(kubectl, _seconds(variables), progress)

    return Step(
        title="the analysis ran as a Job",
        expected="the Job is complete and its pod wrote the report",
        reason="In the cluster the analysis has a ServiceAccount's rights and no more.",
        hint=f"kubectl --context {kubectl.context} -n {NAMESPACE} describe job {AGENT_JOB}; then {SHOW_LOG}",
        observe=observe,
        apply=apply,
        undo=lambda _: remove(kubectl),
    )


def start(variables: Mapping[str, str], kubectl: Kubectl = LAB) -> None:
    """What the walkthrough types: the script into a ConfigMap, the old Job away, the manifest applied."""
    made = kubectl(
        *(
            "create",
            "configmap",
            AGENT_CODE,
            *_IN_DEFAULT,
            f"--from-file=agent.py={SCRIPT}",
            "--dry-run=client",
            "-o",
            "yaml",
        )
    )
    kubectl.apply(made)
    kubectl("delete", "job", AGENT_JOB, *_IN_DEFAULT, "--ignore-not-found", "--wait=true", timeout_seconds=90)
    there = frozenset(kubectl("get", "namespaces", "-o", "name").replace("namespace/", "").split())
    kubectl.apply(yaml.safe_dump_all(manifests(variables, there), sort_keys=False))


def remove(kubectl: Kubectl = LAB) -> None:
    """Deletes everything that `start` made; harmless where there is nothing."""
    kubectl("delete", "-f", str(MANIFEST), "--ignore-not-found", "--wait=true", timeout_seconds=120)
    kubectl("delete", "configmap", AGENT_CODE, *_IN_DEFAULT, "--ignore-not-found")


def read_report(kubectl: Kubectl = LAB) -> Json:
    """report.json as the Job left it.

    Raises:
        SourceError: there is no report.
    """
    try:
        report: Json = json.loads(config_map(kubectl)["data"]["report.json"])
    except (KeyError, ValueError) as error:
        message = f"ConfigMap {NAMESPACE}/{AGENT_REPORT} holds no report"
        raise SourceError(message, source=AGENT_JOB, hint=SHOW_LOG) from error
    return report


def read_log(kubectl: Kubectl = LAB) -> str:
    """Everything that the Job's pod wrote."""
    return kubectl("logs", f"job/{AGENT_JOB}", *_IN_DEFAULT, "--tail=-1", "--limit-bytes=4000000")


# --- what is looked at ------------------------------------------------------------------------------------------------


def _await(kubectl: Kubectl, seconds: int, progress: Progress) -> None:
    """Returns when the Job is complete.

    Raises:
        StepError: it failed, cannot start, or takes too long.
    """
    clock, said = time.monotonic(), ""
    while True:
        status, text = _state(_job(kubectl), kubectl)
        passed = time.monotonic() - clock
        if status == "Complete":
            return
        if status == "Failed" or passed > seconds:
            log = read_log(kubectl).strip().splitlines()[-3:] if status == "Failed" else []
            raise StepError(" / ".join([text, *log]), source=AGENT_JOB, hint=SHOW_LOG)
        if text != said:
            progress(f"{passed:4.0f} s  Job {AGENT_JOB}: {text}")
            said = text
        time.sleep(POLL_SECONDS)


def _state(job: Json, kubectl: Kubectl) -> tuple[str, str]:
    """`Complete`, `Failed` or empty, and what a person would say of it."""
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            return condition["type"], condition.get("message") or f"the Job is {condition['type'].lower()}"
    waiting = [
        status["state"]["waiting"].get("reason", "")
        for pod in _pods(kubectl)
        for status in pod["status"].get("containerStatuses") or ()
        if "waiting" in status["state"]
    ]
    if stuck := sorted(_STUCK.intersection(waiting)):
        raise StepError(
            f"its pod cannot start: {', '.join(stuck)}", source=AGENT_JOB, hint=f"is {IMAGE} on every node?"
        )
    phases = sorted({str(pod["status"].get("phase")) for pod in _pods(kubectl)}) or ["not made"]
    return "", f"its pod is {', '.join(phases)}"


def _job(kubectl: Kubectl) -> Json:
    found = kubectl.items("jobs", *_IN_DEFAULT, f"--field-selector=metadata.name={AGENT_JOB}")
    return found[0] if found else {}


def _pods(kubectl: Kubectl) -> list[Json]:
    return kubectl.items("pods", *_IN_DEFAULT, "--selector", f"job-name={AGENT_JOB}")


def config_map(kubectl: Kubectl = LAB) -> Json:
    """The ConfigMap with the report as it is; empty where it is not there."""
    found = kubectl.items("configmaps", *_IN_DEFAULT, f"--field-selector=metadata.name={AGENT_REPORT}")
    return found[0] if found else {}


def _written_by(kubectl: Kubectl) -> str:
    metadata = config_map(kubectl).get("metadata", {})
    return str((metadata.get("annotations") or {}).get(WRITTEN_BY, ""))


def _variables(job: Json) -> dict[str, str]:
    [container] = job["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "") for item in container["env"]}


def _lasted(job: Json) -> float:
    start, end = (pd.Timestamp(job["status"][key]) for key in ("startTime", "completionTime"))
    return float((end - start).total_seconds())


def _seconds(variables: Mapping[str, str]) -> int:
    settings = from_env(variables)
    return settings.job_deadline_seconds + settings.model_deadline_seconds
