"""Egress of the cluster's nodes, cut inside the node containers and given back in any case.

The rules stand in the mangle table's POSTROUTING chain, which every packet that leaves a node passes, its own and its
pods', after Services were resolved. A network policy engine that accepts a packet in the filter table cannot bypass it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from srelab_lib.errors import SourceError
from srelab_lib.lab.images import QUICK_SECONDS, nodes
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.settings import LAB_CLUSTER

CHAIN = "SRELAB-EGRESS"
COMMENT = "srelab"
WATCHDOG_SECONDS = 600
"""The nodes undo the cut by themselves after this, should the program that made it be killed."""
WATCHDOG_FILE = "/run/srelab-egress.pid"

_JUMP = f"POSTROUTING -m comment --comment {COMMENT} -j {CHAIN}"
_UNDO = "; ".join(
    f"while {tool} -w 10 -t mangle -D {_JUMP} 2>/dev/null; do :; done; "
    f"{tool} -w 10 -t mangle -F {CHAIN} 2>/dev/null; {tool} -w 10 -t mangle -X {CHAIN} 2>/dev/null"
    for tool in ("iptables", "ip6tables")
)


@contextmanager
def cut(kubectl: Kubectl, progress: Progress, cluster: str = LAB_CLUSTER) -> Iterator[None]:
    """Inside the block no node and no pod reaches anything but nodes, pods and Services of the cluster.

    What was open before is cut too; answers to connections that come from outside (kubectl's) are let through. Names
    may still resolve: the engine's name server answers on the host. The cut ends with the block, however it ends, and
    after WATCHDOG_SECONDS by itself.

    Raises:
        SourceError: there is no such cluster.
        CommandError: a node refused the rules, or to take them back.
    """
    names = nodes(cluster)
    if not names:
        raise SourceError(f"there is no kind cluster {cluster!r}", hint="run 01_infrastructure.ipynb first")
    allowed = networks(kubectl, names)
    restore(cluster)
    try:
        for node in names:
            _block(node, allowed)
        progress(f"       egress is cut on {', '.join(names)}; only {', '.join(allowed)} can be reached")
        yield
    finally:
        restore(cluster)
        progress("       egress is given back")


def networks(kubectl: Kubectl, names: Sequence[str]) -> list[str]:
    """What belongs to the cluster: each node's own addresses, the pods' networks, the Services' network."""
    found = {network for node in names for network in _addresses(node)}
    for item in kubectl.items("nodes"):
        found.update(item["spec"].get("podCIDRs") or ())
    for item in kubectl.items("servicecidrs"):
        found.update(item["spec"]["cidrs"])
    return sorted(found, key=lambda text: (":" in text, ipaddress.ip_network(text).network_address.packed))


def leftovers(cluster: str = LAB_CLUSTER) -> dict[str, list[str]]:
    """Node -> rules of a cut that stand there now."""
    found: dict[str, list[str]] = {}
    for node in nodes(cluster):
        for tool in _tools(node):
            listed = run("docker", "exec", node, tool, "-w", "10", "-t", "mangle", "-S", timeout_seconds=QUICK_SECONDS)
            rules = [f"{tool} {line}" for line in listed.splitlines() if CHAIN in line]
            if rules:
                found.setdefault(node, []).extend(rules)
    return found


def restore(cluster: str = LAB_CLUSTER) -> None:
    """Gives egress back on every node; safe where it was never cut, and after a run that was killed.

    Raises:
        CommandError: a node could not be asked. The others were restored all the same.
    """
    failed: CommandError | None = None
    stop = f"[ -f {WATCHDOG_FILE} ] && kill $(cat {WATCHDOG_FILE}) 2>/dev/null; rm -f {WATCHDOG_FILE}"
    for node in nodes(cluster):
        try:
            run("docker", "exec", node, "sh", "-c", f"{stop}; {_UNDO}; true", timeout_seconds=QUICK_SECONDS)
        except CommandError as error:
            error.hint = f"docker exec {node} iptables -t mangle -F {CHAIN}"
            failed = error
    if failed is not None:
        raise failed


def open_to_the_world(cluster: str = LAB_CLUSTER) -> Step:
    """The step: no rule of a cut stands on any node."""

    def observe() -> Observation:
        found = leftovers(cluster)
        if not found:
            return Observation(holds=True, text=f"no {CHAIN} rule on {len(nodes(cluster))} nodes")
        return Observation(holds=False, text=", ".join(f"{node}: {len(rules)} rules" for node, rules in found.items()))

    return Step(
        title="no cut of egress is left",
        expected=f"no {CHAIN} rule on any node",
        reason="A proof that was killed leaves the nodes without egress, which looks like a broken network.",
        hint=f"docker exec NODE iptables -t mangle -F {CHAIN}",
        observe=observe,
        apply=lambda _: restore(cluster),
    )


def _block(node: str, allowed: Sequence[str]) -> None:
    # The watchdog first: whatever happens between the two, the cut ends.
    watchdog = f"echo $$ > {WATCHDOG_FILE}; sleep {WATCHDOG_SECONDS}; rm -f {WATCHDOG_FILE}; {_UNDO}"
    run("docker", "exec", "--detach", node, "sh", "-c", watchdog, timeout_seconds=QUICK_SECONDS)
    for tool in _tools(node):
        version = 6 if tool == "ip6tables" else 4
        mine = [network for network in allowed if ipaddress.ip_network(network).version == version]
        restore_tool = ("docker", "exec", "--interactive", node, f"{tool}-restore", "-w", "10", "--noflush")
        run(*restore_tool, stdin=_rules(mine, version), timeout_seconds=QUICK_SECONDS)


def _rules(allowed: Sequence[str], version: int) -> str:
    """All rules of one node and one protocol; iptables-restore takes them as a whole or not at all."""
    # Without neighbour discovery IPv6 would not find even the other nodes.
    local = ["fe80::/10", "ff00::/8"] if version == 6 else []
    lines = ["*mangle", f":{CHAIN} - [0:0]", f"-A {CHAIN} -o lo -j RETURN"]
    lines.append(f"-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED --ctdir REPLY -j RETURN")
    lines += [f"-A {CHAIN} -d {network} -j RETURN" for network in [*allowed, *local]]
    lines += [f"-A {CHAIN} -j DROP", f"-I {_JUMP}", "COMMIT"]
    return "\n".join(lines) + "\n"


def _tools(node: str) -> list[str]:
    """iptables, and ip6tables where the node speaks IPv6."""
    code = ("docker", "exec", node, "sh", "-c", "[ -s /proc/net/if_inet6 ] && echo yes || echo no")
    six = run(*code, timeout_seconds=QUICK_SECONDS).strip() == "yes"
    return ["iptables", "ip6tables"] if six else ["iptables"]


def _addresses(node: str) -> list[str]:
    answer = run(
        "docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", node, timeout_seconds=QUICK_SECONDS
    )
    attached: dict[str, dict[str, Any]] = json.loads(answer)
    found = [network.get(key) for network in attached.values() for key in ("IPAddress", "GlobalIPv6Address")]
    return [str(ipaddress.ip_network(address)) for address in found if address]
