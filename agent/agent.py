"""The analysis of 06_rca as a Job in the cluster: settings from the environment, the report to the log and a ConfigMap.

Run by k8s/agent-job.yaml; without a cluster, without a ConfigMap:  SRELAB_SOURCE=incident python agent/agent.py
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from srelab_lib import SrelabError, collect, diagnose, explain, from_env, output_folder, render
from srelab_lib.clients.report_config_map import MAX_BYTES, ReportConfigMap
from srelab_lib.reports.compact import compact


def say(line: str) -> None:
    """Progress, apart from the report."""
    sys.stderr.write(f"agent: {line}\n")


def publish(files: Mapping[str, Path], environment: Mapping[str, str]) -> bool:
    """Puts the report into the ConfigMap that AGENT_CONFIG_MAP names; without it the log has it all the same."""
    name = environment.get("AGENT_CONFIG_MAP", "")
    if not name:
        return True
    try:
        target = ReportConfigMap.in_cluster(name, writer=environment.get("HOSTNAME", ""))
        target.write(compact(files, max_bytes=MAX_BYTES))
    except SrelabError as error:
        say(str(error))
        return False
    say(f"the report is in ConfigMap {name}")
    return True


def main(environment: Mapping[str, str]) -> int:
    """0, also where a fault was found or a source was missing; 1 where there is no report, or none in the ConfigMap."""
    try:
        settings = from_env(environment)
        folder = output_folder(settings)
        diagnosis = diagnose(collect(settings, progress=say))
        files = render(diagnosis, settings, folder)
        publish(files, environment)  # a model that is slow or down costs the wording, never the report
        files = render(diagnosis, settings, folder, explain(diagnosis, settings, progress=say))
    except SrelabError as error:
        say(str(error))
        return 1
    published = publish(files, environment)
    verdict = json.loads(files["report.json"].read_text(encoding="utf-8"))["verdict"]
    sys.stdout.write(files["report.md"].read_text(encoding="utf-8"))
    found = f"{verdict['fault']} of {verdict['object']}" if verdict["fault"] else verdict["outcome"]
    sys.stdout.write(f"\nVerdict: {found}, confidence {verdict['confidence']}\n")
    return 0 if published else 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
