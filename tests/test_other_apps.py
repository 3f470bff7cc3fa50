"""Incidents of other people's kind of apps, made and labelled by somebody who had read none of the checks.

Each folder of data/other_apps is a recording with its truth.json; `accepted` there are other names that its author lets
count, `change` is a pattern on what has to be named as the change, null where it left no trace or there was none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from srelab_lib.diagnosis import diagnose
from srelab_lib.model import Diagnosis, Finding
from srelab_lib.settings import Settings
from srelab_lib.signals.promql import QUERIES
from srelab_lib.sources.connect import connect
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.snapshot import collect

APPS = Path(__file__).parent / "data" / "other_apps"
TRUTHS: dict[str, dict[str, Any]] = {
    path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(APPS.glob("*/truth.json"))
}


@cache
def diagnosed(name: str) -> Diagnosis:
    settings = Settings(source="incident", incident=name)
    with connect(settings, incidents_dir=APPS, now=datetime.now(UTC)) as connection:
        return diagnose(collect(connection))


def test_there_are_faults_and_controls() -> None:
    assert {truth["outcome"] for truth in TRUTHS.values()} == {"fault", "no_fault", "inconclusive"}


@pytest.mark.parametrize("name", TRUTHS)
def test_it_is_named_with_its_object_and_its_change(name: str) -> None:
    truth, diagnosis = TRUTHS[name], diagnosed(name)
    verdict = diagnosis.verdict
    assert verdict.outcome == truth["outcome"], verdict.summary
    if truth["outcome"] == "no_fault":
        assert diagnosis.findings == ()
    if truth["outcome"] != "fault":
        return
    assert (verdict.fault, verdict.object) in load_incident(APPS / name).accepted, verdict.summary
    if truth["change"] is None:
        assert verdict.change is None
    else:
        assert re.search(truth["change"], verdict.change or ""), verdict.summary


@pytest.mark.parametrize("name", TRUTHS)
def test_no_cause_ends_before_it_names_anything(name: str) -> None:
    assert [one.cause for one in diagnosed(name).findings if one.cause.rstrip().endswith((" with", ":"))] == []


def finding(name: str, fault: str) -> Finding | None:
    return next((one for one in diagnosed(name).findings if one.fault == fault), None)


def altered(name: str, table: str, keep: Callable[[pd.DataFrame], pd.Series[bool]]) -> Diagnosis:
    """The diagnosis of a recording of which one table has lost the rows that are not to be kept."""
    snapshot = diagnosed(name).snapshot
    df = snapshot[table]
    return diagnose(replace(snapshot, tables={**snapshot.tables, table: df[keep(df)].reset_index(drop=True)}))


def test_of_many_programs_in_one_config_map_the_one_that_runs_tells_whom_it_calls() -> None:
    down = finding("tollway", "dependency_down")
    assert down is not None
    assert down.summary.endswith("does not answer Deployment blind3-tollway/tariff-book")


def test_a_quota_is_told_by_the_workload_that_should_run_and_not_by_a_cron_job() -> None:
    assert diagnosed("museum").verdict.summary.startswith("Deployment blind3-museum/seat-map cannot create its pods")


def test_an_edit_of_another_key_does_not_accuse_this_one() -> None:
    wrong = finding("kiln", "configmap_wrong_value")
    assert wrong is not None
    assert "LEASE_WAIT_MS" not in wrong.cause


def test_a_deleted_service_is_dated_by_who_fell_silent_and_made_again_on_the_port_that_is_called() -> None:
    diagnosis = diagnosed("aquarium")
    assert diagnosis.verdict.cause.endswith("is ready and was at work until then: the Service was deleted")
    fixes = [action.command for action in diagnosis.actions if action.kind == "fix"]
    named = "expose deployment/tank-sensors --name=tank-sensors"
    assert fixes == [f"kubectl -n blind4-aquarium {named} --port=80 --target-port=8080"]


def test_without_its_last_lines_nothing_is_said_of_a_deletion() -> None:
    silent = altered("aquarium", "logs", lambda df: ~df["object"].astype(str).str.endswith("/tank-sensors"))
    assert silent.verdict.fault == "service_missing"
    assert "deleted" not in silent.verdict.cause


def test_a_kill_alone_is_no_leak_where_nothing_shows_how_it_was_before() -> None:
    pods = diagnosed("vineyard").snapshot["pods"]["pod"]
    alone = altered("vineyard", "metrics", lambda df: df["pod"].isna() | df["pod"].isin(pods))
    assert alone.verdict.fault == "oom_killed"
    assert not any("limits=memory" in action.command for action in alone.actions)


def test_who_is_called_by_the_slow_one_is_slow_only_where_it_was_changed() -> None:
    calm = altered("newsdesk", "changes", lambda df: ~df["text"].str.contains("translate"))
    assert (calm.verdict.fault, calm.verdict.object) == ("slow_dependency", "Deployment/blind4-newsdesk/story-api")
    assert calm.verdict.change is None


def test_input_that_cannot_be_read_is_laid_on_its_sender_only_where_that_was_changed() -> None:
    calm = altered("greenhouse", "changes", lambda df: ~df["text"].str.contains("LC_NUMERIC"))
    assert calm.verdict.fault == "bad_input"
    assert calm.verdict.change is None
    assert "nothing was changed before" in calm.verdict.cause


def test_a_program_that_ends_since_it_lost_a_variable_lacks_it_whatever_it_says() -> None:
    silent = altered("remit", "logs", lambda df: ~df["message"].str.contains("ECB_FEED_KEY"))
    assert (silent.verdict.fault, silent.verdict.change) == ("crash_missing_env", diagnosed("remit").verdict.change)
    kept = altered("remit", "changes", lambda df: ~df["text"].str.contains("ECB_FEED_KEY"))
    assert kept.verdict.fault == "crash_missing_env"
    neither = diagnose(replace(silent.snapshot, tables={**silent.snapshot.tables, "changes": kept.snapshot["changes"]}))
    assert neither.verdict.fault == "crash_app_exit"


def test_a_service_comes_to_the_pods_of_others_by_its_selector_or_by_their_labels() -> None:
    edited = diagnosed("florist").snapshot["changes"]
    selector = edited["field"].str.startswith("spec.selector")
    label = {"object": "Deployment/florist/pricing", "field": "labels[tier]", "old": None, "new": "backend"}
    labelled = edited[~selector | edited["field"].str.endswith("[tier]")].copy()
    for column, value in label.items():
        labelled.loc[selector, column] = value
    for changes, fault in ((labelled, "service_selector_mismatch"), (edited[~selector], "exception_storm")):
        snapshot = diagnosed("florist").snapshot
        altered_one = replace(snapshot, tables={**snapshot.tables, "changes": changes.reset_index(drop=True)})
        assert diagnose(altered_one).verdict.fault == fault


def test_throttling_is_named_though_nothing_measures_the_use() -> None:
    unmeasured = altered("mosaic", "metrics", lambda df: df["signal"] != "cpu_usage_cores").verdict
    assert (unmeasured.fault, unmeasured.cause) == ("cpu_throttled", "its CPU limit is 0.1 cores")


@pytest.mark.parametrize("signal", sorted(QUERIES))
def test_no_check_breaks_where_a_signal_is_not_measured(signal: str) -> None:
    snapshot = diagnosed("mosaic").snapshot
    without = {name: snapshot[name][snapshot[name]["signal"] != signal] for name in ("metrics", "onsets")}
    tables = {**snapshot.tables, **{name: df.reset_index(drop=True) for name, df in without.items()}}
    assert diagnose(replace(snapshot, tables=tables)).verdict.outcome == "fault"


def test_who_holds_an_expired_certificate_does_not_refuse_it() -> None:
    summary = "Deployment claypots/storefront refuses the certificate of Deployment claypots/inventory."
    assert diagnosed("claypots").verdict.summary.startswith(summary)
    only_owner = altered("claypots", "logs", lambda df: ~df["message"].str.contains("verify failed"))
    told = [one.summary for one in only_owner.findings if one.fault == "tls_expired"]
    assert told == ["clients refuse the certificate of Deployment claypots/inventory"]


def test_a_change_is_told_on_one_line() -> None:
    assert "\n" not in diagnosed("observatory").verdict.summary


def test_a_panic_that_a_server_tells_of_in_its_own_words_is_one_record_with_its_goroutine() -> None:
    logs = diagnosed("lantern").snapshot["logs"]
    said = logs.loc[logs["object"].str.endswith("/price-quote"), "message"]
    assert said.str.contains("http: panic serving").sum() > 100
    assert not said.str.startswith("goroutine ").any()


def test_requests_in_which_a_program_died_are_not_in_what_it_counts() -> None:
    alone = altered("lantern", "logs", lambda df: ~df["object"].astype(str).str.endswith("/shop-gateway"))
    assert not [one for one in alone.findings if one.object.endswith("/price-quote")]
    assert finding("lantern", "exception_storm") is not None


def test_a_pool_that_is_used_up_makes_no_slow_database() -> None:
    slow = [one.object for one in diagnosed("harbor-pool").findings if one.fault == "slow_dependency"]
    assert "Deployment/blind7b-harbor/harbor-pg" not in slow


def test_what_a_probe_said_of_the_pod_before_dates_nothing() -> None:
    since = diagnosed("planetarium-stars").verdict.since
    assert since is not None
    assert f"{since:%H:%M}" == "13:34"


def test_a_restart_of_a_stateful_set_is_told_and_an_empty_field_that_the_server_drops_is_none() -> None:
    texts = set(diagnosed("orchard-webhook").snapshot["changes"]["text"])
    assert "StatefulSet press-ledger restarted" in texts
    assert not any("(was {})" in text or "(was [])" in text for text in texts)


def test_a_kill_at_the_start_is_over_where_users_felt_nothing_until_long_after() -> None:
    assert finding("bakery-locks", "oom_killed") is None
    calm = altered("bakery-locks", "onsets", lambda df: df["signal"].isna())
    assert "oom_killed" in {one.fault for one in calm.findings}


@pytest.mark.parametrize("name", ["lagoon", "lantern", "ferry-limits"])
def test_a_rollout_of_one_who_only_feels_it_is_not_called_bad(name: str) -> None:
    assert {one.object for one in diagnosed(name).findings if one.fault == "bad_deploy"} <= {
        diagnosed(name).verdict.object
    }


def test_a_role_that_is_bound_is_edited_back_and_not_bound_again() -> None:
    fixes = [action.command for action in diagnosed("tannery").actions if action.kind == "fix"]
    assert fixes == ["kubectl -n blind7a-tannery edit role/vat-operator"]


def test_a_job_is_known_by_its_command() -> None:
    assert "rename column magnitude" in (diagnosed("observatory-column").verdict.change or "")


def test_a_summary_says_whom_it_hurts_by_metrics_or_by_what_follows() -> None:
    assert "100% of requests to Deployment blind8-atlas/fx-client fail" in diagnosed("atlas").verdict.summary
    assert diagnosed("museum-port").verdict.summary.endswith(
        "292 of the latest 435 answers of Deployment blind8-museum/museum-site are errors (5xx)."
    )
    assert diagnosed("postcards").verdict.summary.endswith(
        "It hurts others: Deployment blind5-postcards/kiosk logs 663 error lines."
    )


def test_a_service_that_was_renamed_is_named_with_its_new_name() -> None:
    assert diagnosed("lagoon").verdict.cause.endswith(
        "Service tide-postgres, which selects the pods of that name, is new: it was renamed"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loyalty", "1 of its 2 replicas is available all the same."),
        ("seatmap", 'its new pod says "ts=2026-11-27T21:59:27Z level=error svc=seatmap version=1.9.0 msg="venue index'),
        ("podcasts", "its program has shut down"),
        ("newsletter", "Deployment newsletter/sender, containers[log-tail] added"),
        ("invoicing", "ConfigMap billing-api-settings was created"),
        ("market-risk", "number of replicas of Deployment var-engine raised from 1 to 3"),
        ("meter-ingest", "number of replicas of StatefulSet ingest-buffer raised from 2 to 3"),
        ("listing-rank", "nvidia.com/gpu limit of container train added: 1 (CronJob ranker-train)"),
    ],
)
def test_the_summary_says_what_tells_most(name: str, words: str) -> None:
    assert words in diagnosed(name).verdict.summary


def test_nobody_is_told_to_be_served_where_users_feel_it_or_nothing_is_ready() -> None:
    assert "all the same" not in diagnosed("invoicing").verdict.summary
    assert "all the same" not in diagnosed("card-risk").verdict.summary


def test_a_daemon_set_that_was_parked_before_and_whom_nobody_misses_is_no_fault() -> None:
    snapshot = diagnosed("card-risk").snapshot
    bare = {table: snapshot[table].head(0) for table in ("logs", "log_templates", "changes", "onsets", "events")}
    parked = diagnose(replace(snapshot, tables={**snapshot.tables, **bare}))
    assert "node_selector_unmatched" not in {one.fault for one in parked.findings}


def test_a_pod_of_a_stateful_set_is_a_name_of_its_service() -> None:
    assert finding("media-encode", "upstream_unreachable") is None
    assert finding("media-encode", "dns_failure") is None


def test_without_its_last_words_no_server_is_said_to_have_shut_down() -> None:
    mute = altered("podcasts", "logs", lambda df: ~df["message"].astype(str).str.contains("shut down|shutdown"))
    assert mute.verdict.object != "StatefulSet/podcasts/postgres"


def test_a_policy_that_lets_out_to_anyone_is_not_blamed() -> None:
    snapshot = diagnosed("clinic-egress").snapshot
    objects = snapshot["objects"].copy()
    is_policy = objects["kind"] == "NetworkPolicy"
    objects["raw"] = [
        raw | {"spec": raw["spec"] | {"egress": [{}]}} if found else raw
        for raw, found in zip(objects["raw"], is_policy, strict=True)
    ]
    open_to_all = diagnose(replace(snapshot, tables={**snapshot.tables, "objects": objects}))
    assert is_policy.sum() == 1
    assert "network_policy_blocks" not in {one.fault for one in open_to_all.findings}


def test_a_slow_leaf_below_layers_that_fell_over_is_named_for_its_change() -> None:
    calm = altered("concierge", "changes", lambda df: ~df["text"].str.contains("RATE_SOURCE"))
    assert calm.verdict.object != diagnosed("concierge").verdict.object == "Deployment/concierge/fx-feed"


def test_who_only_repeats_an_answer_is_believed_where_nobody_says_it_in_its_own_words() -> None:
    silent = altered("staywell", "logs", lambda df: ~df["object"].str.contains("/reservation|/postgres"))
    told = {one.object for one in silent.findings if one.fault == "secret_rotated"}
    assert told == {"Deployment/staywell/loadgen"}
    assert diagnosed("staywell").verdict.object == "Deployment/staywell/reservation"


def test_a_flag_that_callers_name_is_at_fault_only_where_it_was_changed() -> None:
    calm = altered("innkeeper", "changes", lambda df: ~df["new"].astype(str).str.contains("maxmemory"))
    assert "bad_deploy" not in {one.fault for one in calm.findings}
    assert diagnosed("innkeeper").verdict.cause.startswith("in Deployment innkeeper/rate-cache maxmemory was altered")


@pytest.mark.parametrize(
    ("name", "position", "purpose", "part"),
    [
        ("florist", 0, "Set spec.selector[app] back to stock", """{"app":"stock","app.kubernetes.io/part-of":null,"""),
        ("fruitbox", 0, "Set containers[refresh].env[FEED_PATH] back to /feed/v1/prices", "edit cronjob/price-refresh"),
        ("fruitbox", 2, "Read what its last run says", "logs price-refresh-29931201-bfb6b -c refresh --timestamps"),
        ("notary", 0, "Put a valid certificate into Secret stamp-gw-tls", "create secret tls stamp-gw-tls --cert="),
        ("notary", 1, "Then let the server read the renewed certificate", "rollout restart deployment/stamp-gw"),
        ("freight", 0, "Give Secret quotes-db the credential that the server takes", "edit secret/quotes-db"),
        ("audit-trail", 0, "or give claim events-event-store-0 more room", "edit pvc/events-event-store-0"),
        ("tramline", 0, "emptyDir d means new pods, and what it holds is lost", "edit deployment/gps-store"),
        ("rehearsal", 0, "See who holds and who waits", "exec postgres-0 -c postgres -- sh -c 'psql -U "),
        ("streaming", 2, "Watch it become ready", "rollout status deployment/playback --timeout=120s"),
        ("trinkets", 0, "Go back to revision 1", "rollout undo deployment/recommendation --to-revision=1"),
        (
            "team-wiki",
            0,
            "delete StatefulSet search-index without its pods",
            "delete statefulset/search-index --cascade",
        ),
        (
            "team-wiki",
            1,
            "let the claim, which was never bound",
            "index-search-index-0 pod/search-index-0 --wait=false",
        ),
    ],
)
def test_what_to_do_is_about_what_broke(name: str, position: int, purpose: str, part: str) -> None:
    action = diagnosed(name).actions[position]
    assert purpose in action.purpose
    assert part in action.command


def test_what_one_edit_altered_beside_the_change_is_told_with_it() -> None:
    change = diagnosed("tuckshop").verdict.change or ""
    assert "STOCK_ATTEMPTS of container basket changed from 2 to 12" in change
    assert "; with it environment variable STOCK_TIMEOUT_MS of container basket changed from 1500 to 200" in change


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("birdhide", "birdhide/watchers (1, until 12:06 UTC)"),
        ("press-room", "press-room/journalist-sim (17, all the while)"),
        ("newsroom", "blind2-newsroom/articles (70, since 22:45 UTC)"),
    ],
)
def test_an_all_clear_tells_when_the_errors_were_that_it_sets_aside(name: str, told: str) -> None:
    assert f"Deployment {told}" in diagnosed(name).verdict.summary


def test_who_serves_the_old_certificate_is_named_and_whom_it_hurts() -> None:
    summary = diagnosed("notary").verdict.summary
    assert "Deployment notary/desk-web refuses the certificate of Deployment notary/stamp-gw." in summary
    assert "176 of the latest 203 answers of Deployment notary/desk-web are errors (5xx)." in summary


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("upholstery", "100% of requests to Deployment upholstery/jobs-api fail since about 05:11 UTC"),
        ("pantry", "Trouble since 01:11:54 UTC."),
        ("leasing", "Changed at 09:09:44 UTC: Deployment leasing/contracts-api, image of container api"),
        ("payments", "Secret stripe-credentials does not exist. Trouble since 18:16:24 UTC."),
        ("trivianight", "Cause: it is asked for a password, and gives none."),
    ],
)
def test_a_summary_does_not_contradict_or_repeat_itself(name: str, told: str) -> None:
    summary = diagnosed(name).verdict.summary
    assert told in summary
    assert summary.count("does not exist") < 2


def test_a_second_fault_with_a_change_of_its_own_is_told_and_mended() -> None:
    diagnosis = diagnosed("allotments")
    told = diagnosis.verdict.summary.partition("Another fault beside it: ")[2]
    assert told.startswith("CronJob allotments/digest fails on the value of TIMEZONE in ConfigMap")
    assert diagnosis.verdict.confidence == "high", "it is no rival of the first"
    others = [one.command for one in diagnosis.actions if one.purpose.startswith("The other fault: ")]
    assert others == ["kubectl -n allotments edit configmap/digest-settings"]
    assert "Another fault" not in diagnosed("clinic").verdict.summary, "the other one there calls the first"


def test_a_second_fault_is_told_too_where_who_is_hurt_calls_both() -> None:
    told = diagnosed("fairground").verdict.summary.partition("Another fault beside it: ")[2]
    assert told.startswith("Deployment fairground/queue-times is refused by the API server")
    assert "Changed at 19:31:46 UTC: rules of Role ride-plan-reader" in told


def test_who_fails_and_logs_to_a_file_leaves_it_open_and_names_the_file() -> None:
    missing = [one for one in diagnosed("grantdesk").snapshot.missing if one.deciding]
    assert [one.source for one in missing] == ["the log of Deployment grantdesk/grants-app"]
    assert missing[0].reason == "it goes to /opt/grants/logs/grants.log in the container and not to stdout"
    told = altered("grantdesk", "logs", lambda df: ~df["message"].str.contains("Logging to", na=False)).verdict
    assert (told.outcome, told.object) == ("fault", "Deployment/grantdesk/grants-app")


def test_what_nobody_misses_is_at_zero_on_purpose_and_who_is_missed_is_not() -> None:
    silent = altered("royaltyhouse", "logs", lambda df: ~df["object"].str.endswith("statements-api"))
    assert silent.verdict.fault == "scaled_to_zero", "nothing tells that its caller goes on"


def test_a_client_is_known_by_its_address_or_by_who_calls_and_fails() -> None:
    assert diagnosed("cardclearing").verdict.cause.startswith("the certificate of Deployment cardclearing/settlement-w")
    lost = altered("cardclearing", "objects", lambda df: df["kind"] != "EndpointSlice")
    assert lost.verdict.object == "Deployment/cardclearing/settlement-worker"


def test_an_item_is_stuck_only_while_it_is_tried_again() -> None:
    assert diagnosed("buoywatch").verdict.summary.startswith("Deployment buoywatch/indexer is stuck on one item")
    once = altered("buoywatch", "logs", lambda df: ~df["message"].str.contains(r"attempt=[2-9]", na=False))
    assert once.verdict.fault is None


def test_a_changed_probe_is_at_fault_where_the_program_is_at_work_when_it_is_killed() -> None:
    idle = altered("woodblock", "logs", lambda df: ~df["message"].str.contains("export page|catalog", na=False))
    assert idle.verdict.fault != "liveness_probe_misconfigured"


@pytest.mark.parametrize("name", ["trinkets", "glossary"])
def test_no_candidate_stands_there_without_evidence(name: str) -> None:
    assert all(candidate.evidence for candidate in diagnosed(name).candidates)


def test_who_asks_more_since_its_own_rollout_makes_no_flood() -> None:
    asks = finding("vinylfair", "bad_deploy")
    assert asks is not None
    assert asks.summary.startswith("Deployment vinylfair/records-api calls Deployment vinylfair/stock far more often")
    assert finding("vinylfair", "traffic_flood") is None
    assert finding("skatehire", "traffic_flood") is not None, "its clients ask more"


def test_a_credential_that_no_header_can_hold_is_told_with_its_secret() -> None:
    assert "what it has from Secret chip-registry-token is malformed" in diagnosed("petpassport").verdict.cause


def test_who_waits_for_a_topic_misses_it_after_a_while_and_a_note_beside_the_bus_is_no_change() -> None:
    verdict = diagnosed("hailsensors").verdict
    assert verdict.object == "ConfigMap/hailsensors/ingest-settings"
    assert "data[ingest.yaml] of ConfigMap ingest-settings set to subject: wx.hail.reading" in (verdict.change or "")
