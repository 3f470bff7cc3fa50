"""GitOps of the lab: its manifests read as YAML, the words for an Application, and the real thing in the cluster."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from srelab_lib.errors import SettingsError, SourceError
from srelab_lib.lab import git_clone, gitops
from srelab_lib.lab.applications import explained, waiting_reasons
from srelab_lib.lab.git_seed import differing
from srelab_lib.lab.image_list import is_optional
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import CommandError
from srelab_lib.lab.step import Phase
from srelab_lib.sources.gitops import deployments, repository_reader

ROOT = Path(__file__).resolve().parent.parent
K8S = ROOT / "k8s"
APPS = sorted((K8S / "apps").glob("*.yaml"))


def documents(*files: Path) -> list[dict[str, Any]]:
    return [d for file in files for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]


def bootstrap(kind: str, name: str) -> dict[str, Any]:
    [found] = [d for d in documents(K8S / "bootstrap.yaml") if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


# --- manifests --------------------------------------------------------------------------------------------------------


def test_bootstrap_is_joined_from_its_parts() -> None:
    joined = subprocess.run(["sh", K8S / "bootstrap" / "join.sh"], capture_output=True, text=True, check=True).stdout
    assert joined == (K8S / "bootstrap.yaml").read_text(encoding="utf-8"), (
        "run: sh k8s/bootstrap/join.sh > k8s/bootstrap.yaml"
    )


def test_a_plain_apply_knows_every_kind() -> None:
    """kubectl looks up each kind before it creates the first object: an Application in the file would be refused."""
    kinds = [d["kind"] for d in documents(K8S / "bootstrap.yaml")]
    assert "Application" not in kinds
    assert kinds.index("CustomResourceDefinition") < kinds.index("Deployment")
    first_pod = kinds.index("Deployment")
    assert kinds.index("ClusterRoleBinding") < first_pod, "a pod whose account is not there yet is refused at first"


def test_root_is_an_app_of_apps() -> None:
    root = yaml.safe_load(bootstrap("ConfigMap", "bootstrap")["data"]["root.yaml"])
    assert (root["kind"], root["spec"]["source"]["path"]) == ("Application", "k8s/apps")
    assert root["spec"]["source"]["repoURL"] == git_clone.REPOSITORY
    assert root["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


@pytest.mark.parametrize("file", APPS, ids=lambda file: file.stem)
def test_an_application_is_one_file_for_one_folder(file: Path) -> None:
    [application] = documents(file)
    name, spec = application["metadata"]["name"], application["spec"]
    assert name == file.stem
    assert Path(spec["source"]["path"]).name == name
    assert (ROOT / spec["source"]["path"]).is_dir()
    assert (spec["source"]["repoURL"], spec["source"]["targetRevision"]) == (git_clone.REPOSITORY, git_clone.BRANCH)
    assert spec["destination"]["server"] == "https://kubernetes.default.svc"
    if is_optional(application):
        assert "syncPolicy" not in spec, "nothing syncs by itself what the lab does without"
        return
    assert spec["syncPolicy"]["automated"]["selfHeal"] is True
    assert "enabled" not in spec["syncPolicy"]["automated"], "or root undoes a pause"
    assert spec["syncPolicy"]["retry"] == {"limit": 5, "refresh": True, "backoff": {"duration": "5s", "factor": 1}}
    runs_it = name in {"argocd", "git-server"}
    assert spec["syncPolicy"]["automated"]["prune"] is not runs_it, "a forgotten file must not take Argo CD away"
    assert ("finalizers" in application["metadata"]) is not runs_it


def test_every_folder_has_its_application() -> None:
    folders = {folder.name for folder in (K8S / "manifests").iterdir() if folder.is_dir()}
    assert folders <= {file.stem for file in APPS}


def plural(kind: str) -> str:
    return kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")


def test_the_controller_may_do_what_it_watches_and_no_more() -> None:
    inclusions = yaml.safe_load(bootstrap("ConfigMap", "argocd-cm")["data"]["resource.inclusions"])
    included = {(group, plural(kind)) for item in inclusions for group in item["apiGroups"] for kind in item["kinds"]}
    rules = bootstrap("ClusterRole", "argocd-application-controller")["rules"]
    writable = {
        (g, r) for rule in rules if "patch" in rule["verbs"] for g in rule["apiGroups"] for r in rule["resources"]
    }
    assert writable == included
    assert not {"*", "secrets"} & {
        r for rule in rules for r in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
    }


@pytest.mark.parametrize(
    "file", sorted(K8S.glob("argocd/*.yaml")) + sorted(K8S.glob("git-server/*.yaml")), ids=lambda f: f.stem
)
def test_argo_watches_each_kind_that_it_deploys_for_itself(file: Path) -> None:
    inclusions = yaml.safe_load(bootstrap("ConfigMap", "argocd-cm")["data"]["resource.inclusions"])
    assert {d["kind"] for d in documents(file)} <= {kind for item in inclusions for kind in item["kinds"]}


def test_what_prometheus_is_granted_the_controller_has() -> None:
    has = {
        (g, r, v)
        for rule in bootstrap("ClusterRole", "argocd-application-controller")["rules"]
        for g in rule["apiGroups"]
        for r in rule["resources"]
        for v in rule["verbs"]
    }
    for document in documents(*(K8S / "manifests").glob("*/*.yaml")):
        for rule in document.get("rules", []) if document["kind"] in {"Role", "ClusterRole"} else []:
            assert {(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]} <= has


PODS = [d for d in documents(K8S / "bootstrap.yaml") if d["kind"] in {"Deployment", "Job"}]


@pytest.mark.parametrize("workload", PODS, ids=lambda d: d["metadata"]["name"])
def test_pods_are_bounded_and_not_root(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} == container["resources"]["requests"].keys() == container["resources"]["limits"].keys()
    assert container["image"] in gitops.IMAGES
    assert container["imagePullPolicy"] == "IfNotPresent"
    speaks = pod.get("serviceAccountName", "")
    assert bool(speaks) is not (pod.get("automountServiceAccountToken") is False)


def test_the_repository_outlives_its_pod() -> None:
    volumes = {v["name"]: v for v in bootstrap("Deployment", "git-server")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["repository"]["persistentVolumeClaim"]["claimName"] == "git-server"
    assert bootstrap("Deployment", "git-server")["spec"]["strategy"] == {"type": "Recreate"}


def test_no_secret_is_in_git() -> None:
    for document in documents(*K8S.rglob("*.yaml")):
        if document.get("kind") == "Secret":
            assert not document.get("data")
            assert not document.get("stringData")


# --- words ------------------------------------------------------------------------------------------------------------


def application(sync: str, health: str, *, heals: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop"},
        "spec": {"syncPolicy": {"automated": {"selfHeal": True} | ({} if heals else {"enabled": False})}},
        "status": {"sync": {"status": sync}, "health": {"status": health}},
    }


@pytest.mark.parametrize(
    ("item", "message", "words"),
    [
        (application("Synced", "Healthy"), "", "the cluster is what git says, and it works"),
        (application("Synced", "Progressing"), "", "the cluster is what git says, its pods are starting"),
        (application("OutOfSync", "Missing"), "", "the cluster differs from git: Argo CD is at it, not everything is"),
        (application("Unknown", "Healthy"), "k8s/x: app path does not exist", "its folder is not in git"),
        (application("Unknown", "Healthy"), "unable to resolve 'main' to a commit SHA", "has no commit yet"),
        (application("OutOfSync", "Healthy", heals=False), "", "differs from git, self-heal is paused"),
    ],
)
def test_a_state_is_explained(item: dict[str, Any], message: str, words: str) -> None:
    assert words in explained(Kubectl(context="nowhere"), item, message)


def test_an_optional_application_that_nobody_asked_for_is_no_trouble() -> None:
    item = {
        "metadata": {"name": "grafana", "labels": {"srelab/optional": "true"}},
        "spec": {},
        "status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}},
    }
    assert explained(Kubectl(context="nowhere"), item, "") == "it is optional, and nobody has asked for it"


def test_why_a_pod_waits() -> None:
    status = {
        "conditions": [{"reason": "Unschedulable", "message": "0/3 nodes: insufficient memory"}],
        "containerStatuses": [
            {"name": "a", "image": "shop:v2", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            {"name": "b", "image": "shop:v2", "state": {"waiting": {"reason": "ContainerCreating"}}},
            {"name": "c", "image": "shop:v2", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ],
    }
    assert list(waiting_reasons({"status": status})) == [
        "no node has room: 0/3 nodes: insufficient memory",
        "ImagePullBackOff: shop:v2 is not on the node yet, 03_airgap brings it",
        "c: CrashLoopBackOff",
    ]


def test_settings() -> None:
    assert gitops.GitopsSettings(cluster="other").context == "kind-other"
    with pytest.raises(SettingsError):
        gitops.GitopsSettings(cluster=3)  # type: ignore[arg-type]


@pytest.mark.cluster
def test_what_is_not_there_is_empty_only_when_that_was_asked_for() -> None:
    assert Kubectl().get("deployment/nobody", "--ignore-not-found") == {}
    with pytest.raises(CommandError, match="NotFound"):
        Kubectl().get("deployment/nobody")


# --- the cluster ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Kubectl:
    kubectl = Kubectl()
    if not kubectl("get", "namespace", "argocd", "--ignore-not-found", "--output=name").strip():
        pytest.skip("no Argo CD in the cluster: run notebooks/02_gitops.ipynb")
    return kubectl


@pytest.mark.cluster
def test_anybody_reads_and_only_the_password_pushes(
    lab: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gitops.Clone() as clone:
        before = clone.head
        clone.commit("nobody may push this", {"k8s/apps/nobody.yaml": "x: 1\n"})
        for credentials in ({}, {"SRELAB_GIT_USER": "lab", "SRELAB_GIT_PASSWORD": "wrong"}):
            monkeypatch.setattr(git_clone, "_credentials", lambda _, c=credentials: c)
            with pytest.raises(CommandError, match="Authentication failed"):
                clone.push()
    with gitops.mirror() as repository:
        head = subprocess.run(
            ["git", "-C", repository, "rev-parse", "main"], capture_output=True, text=True, check=True
        ).stdout.strip()
    assert head == before


PROBE = "gitops-probe"
PROBE_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: gitops-probe
data:
  answer: "1"
"""


def probe_application() -> str:
    """A new Application is one file, made here from that of another."""
    return (K8S / "apps" / "broken-app.yaml").read_text(encoding="utf-8").replace("broken-app", PROBE)


def answer(lab: Kubectl) -> str:
    found = lab("get", "configmap", PROBE, "--ignore-not-found", "--output=jsonpath={.data.answer}")
    return found.strip()


def set_answer(lab: Kubectl, text: str) -> None:
    lab("patch", "configmap", PROBE, "--type=merge", f"--patch={json.dumps({'data': {'answer': text}})}")


@pytest.mark.cluster
def test_from_commit_to_cluster_and_back(lab: Kubectl, tmp_path: Path) -> None:
    """One new file deploys an Application; a commit changes it; edits by hand last only while paused; revert undoes."""
    phase = Phase("test", tmp_path)
    folder = f"k8s/manifests/{PROBE}/map.yaml"
    with gitops.Clone() as clone:
        added = clone.commit("add a probe", {f"k8s/apps/{PROBE}.yaml": probe_application(), folder: PROBE_MAP})
        clone.push()
        try:
            phase.ensure(gitops.synced_to("root", added))
            phase.ensure(gitops.synced_to(PROBE, added))
            assert answer(lab) == "1"

            changed = clone.commit("change it", {folder: PROBE_MAP.replace('"1"', '"2"')})
            clone.push()
            phase.ensure(gitops.synced_to(PROBE, changed))
            assert answer(lab) == "2"
            with gitops.mirror() as repository:
                rolled_out = deployments(gitops.applications(PROBE), repository_reader(repository))
            assert [item["subject"] for item in rolled_out] == ["add a probe", "change it"]
            assert '+  answer: "2"' in rolled_out[-1]["diff"]

            with gitops.self_heal_paused(PROBE):
                set_answer(lab, "3")
                gitops.refresh("root")
                gitops.refresh(PROBE)
                assert not becomes(lab, "2", seconds=8), "the edit was undone while paused"
                [row] = [r for r in gitops.application_states().to_dict("records") if r["application"] == PROBE]
                assert "self-heal is paused" in row["explained"]
            assert becomes(lab, "2", seconds=20), "self-heal is back"
            assert phase.check(gitops.self_healing()).ok
            assert phase.ensure(gitops.synced_to(PROBE, clone.revert(changed))).ok
            assert answer(lab) == "1"
        finally:
            undone = clone.commit("remove the probe", {f"k8s/apps/{PROBE}.yaml": None, folder: None})
            clone.push()
            phase.ensure(gitops.synced_to("root", undone))
    assert becomes(lab, "", seconds=20), "prune and the finalizer remove what was deployed"


def becomes(lab: Kubectl, wanted: str, *, seconds: int) -> bool:
    """Whether the answer becomes `wanted` in that time."""
    until = time.monotonic() + seconds
    while answer(lab) != wanted:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


@pytest.mark.cluster
def test_a_commit_of_nothing_is_refused_and_a_path_that_is_not_there(lab: Kubectl) -> None:
    with gitops.Clone() as clone:
        path = "k8s/apps/ollama.yaml"
        with pytest.raises(SourceError, match="nothing to commit"):
            clone.commit("nothing", {path: clone.read(path)})
        with pytest.raises(SourceError, match="not in the repository"):
            clone.read("k8s/apps/none.yaml")
        with pytest.raises(SourceError, match="no Application none"):
            gitops.applications("none")


@pytest.mark.cluster
def test_a_seed_pushes_only_what_differs(lab: Kubectl, tmp_path: Path) -> None:
    """Against a copy of what the repository holds, so that the lab stays as it is."""
    with gitops.Clone() as clone:
        assert differing(clone, clone.folder) == []
        (tmp_path / "k8s" / "apps").mkdir(parents=True)
        (tmp_path / "k8s" / "apps" / "ollama.yaml").write_text("changed\n", encoding="utf-8")
        (tmp_path / "k8s" / "apps" / ".ollama.yaml.swp").write_text("an editor's", encoding="utf-8")
        found = differing(clone, tmp_path)
    assert "k8s/apps/ollama.yaml" in found
    assert "k8s/bootstrap.yaml" in found
    assert not [path for path in found if path.endswith(".swp")]


@pytest.mark.cluster
def test_redis_is_reached_by_argo_cd_alone(lab: Kubectl) -> None:
    policy = lab.get("networkpolicy", "argocd-redis", "--namespace", "argocd")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert connects(lab, "git-server:80"), "the control"
    assert not connects(lab, "argocd-redis:6379"), "from the git server's pod"


def connects(lab: Kubectl, address: str) -> bool:
    """Whether the git server's pod gets a TCP connection there."""
    script = f"curl --silent --max-time 2 --write-out '%{{time_connect}}' telnet://{address} </dev/null || true"
    return float(lab("exec", "--namespace", "argocd", "deployment/git-server", "--", "sh", "-c", script)) > 0
