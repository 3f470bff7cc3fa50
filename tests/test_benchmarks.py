"""The benchmarks on small input: both sides do the same work, and are counted rightly. How fast is not asked here."""

from __future__ import annotations

import time
from functools import cache

import pytest

from benchmarks import accuracy, kubernetes_reads, log_templates
from benchmarks.recordings import OTHER_APPS, recordings, snapshot
from benchmarks.side_by_side import SPEED_COLUMNS, Comparison, side_by_side, table
from srelab_lib.sources.replay import ReplayServer

FAULT, ELSEWHERE, CONTROL = OTHER_APPS / "syncer", OTHER_APPS / "payments", OTHER_APPS / "noisy"


@cache
def scores() -> dict[str, accuracy.Score]:
    return accuracy.measure([FAULT, ELSEWHERE, CONTROL])


def test_both_are_warmed_up_and_then_take_turns_at_going_first() -> None:
    calls: list[str] = []
    side_by_side(lambda: calls.append("ours"), lambda: calls.append("peer"), runs=3)
    assert calls == ["ours", "peer"] + ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_slower_peer_is_a_ratio_above_one() -> None:
    slower = side_by_side(lambda: None, lambda: time.sleep(0.01), runs=1)
    assert slower.ratio > 1


def test_a_ratio_is_that_of_neighbours_and_has_its_spread() -> None:
    busy = Comparison(ours_seconds=(1.0, 10.0, 1.0), peer_seconds=(2.0, 30.0, 1.5))
    assert busy.cells() == ("1.000", "2.000", "2.00", "1.50 to 3.00")
    assert len(busy.cells()) == len(SPEED_COLUMNS)


def test_a_table_is_even_markdown() -> None:
    assert table(("a", "bb"), [(1, "x"), (100, "y")]) == "| a   | bb |\n| --- | -- |\n| 1   | x  |\n| 100 | y  |"


def test_every_recording_has_a_truth_and_is_read() -> None:
    folders = recordings()
    assert {FAULT, ELSEWHERE, CONTROL} < set(folders)
    assert len(folders) == len(set(folders))


def test_both_group_every_line_of_a_log() -> None:
    result = log_templates.measure([FAULT], runs=1)
    assert result.ours.lines == result.peer.lines == len(snapshot(FAULT)["logs"])
    assert result.ours.templates == snapshot(FAULT)["logs"]["template"].nunique()
    for side in (result.ours, result.peer):
        assert 0 < side.once < side.templates < side.lines
    assert len(result.speed.ratios) == 1


def test_drain_joins_lines_that_differ_in_a_word_and_masks_do_not() -> None:
    lines = ["GET /cart of user ann took long", "GET /cart of user bob took long"]
    assert len(set(log_templates.learned(lines))) == 1
    assert len(set(log_templates.masked(lines))) == 2


def test_a_template_of_errors_and_others_is_counted_as_mixed() -> None:
    made = log_templates._templates(
        lambda lines: [line[0] for line in lines], [["a1", "a2", "b"]], [["error", "info", None]]
    )
    assert made == log_templates.Templates(lines=3, templates=2, once=1, mixed=1)


def test_both_clients_see_the_same_objects() -> None:
    with ReplayServer(FAULT) as server:
        result = kubernetes_reads.measure(server.url, server.incident.namespace, rounds=1, runs=1)
    assert result.ours_seen == result.peer_seen
    assert len(result.ours_seen) > 20
    assert len(result.speed) == 4
    assert min(result.ours_bytes, result.peer_bytes) > 100_000


def test_the_diagnosis_is_right_on_the_sample() -> None:
    ours = scores()["our diagnosis"]
    assert (ours.faults, ours.controls) == (2, 1)
    assert (ours.objects, ours.names, ours.faults_and_objects, ours.among_three, ours.false_alarms) == (2, 2, 2, 2, 0)


@pytest.mark.parametrize("rule", list(accuracy.SIDES)[1:])
def test_a_rule_is_judged_as_we_are_and_is_no_better(rule: str) -> None:
    ours, peer = scores()["our diagnosis"], scores()[rule]
    assert (peer.faults, peer.controls) == (ours.faults, ours.controls)
    assert peer.objects <= peer.names <= peer.faults
    assert peer.objects <= ours.objects
    assert peer.names <= ours.names
    assert peer.false_alarms >= ours.false_alarms


def test_the_rules_name_what_they_say() -> None:
    name = "Deployment/blind-syncer/{}".format
    named = {rule: side(snapshot(FAULT)).object for rule, side in accuracy.SIDES.items()}
    assert named == {
        "our diagnosis": name("config-syncer"),
        "most error lines": name("config-syncer"),
        "most warning events": name("web"),
        "latest change": name("loadgen"),
    }
