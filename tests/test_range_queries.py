"""How far `rate()` looks back, by the scrapes that a real Prometheus had made."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from bad_server import sends, served, with_length
from signals_data import payload

from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.model import TimeWindow
from srelab_lib.sources.range_queries import rate_seconds

WINDOW = TimeWindow.last(minutes=5, now=datetime(2026, 11, 26, 17, 32, tzinfo=UTC))


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [
        ({"cadvisor", "prometheus", "kubelet"}, 60),  # 10, 15 and 30 s
        ({"kubelet"}, 120),
        ({"pods"}, 60),  # 5 s, and not less than a minute
        (set(), 60),
    ],
)
def test_scrapes_that_were_missed_do_not_widen_it(jobs: set[str], seconds: int) -> None:
    answer = payload("scrapes_after_a_pause.json.gz")
    answer["data"]["result"] = [item for item in answer["data"]["result"] if item["metric"]["job"] in jobs]
    with served(sends(with_length(json.dumps(answer).encode()))) as server:
        client = PrometheusClient(server.url)
        assert rate_seconds(client, WINDOW) == seconds
        client.close()
