"""Prometheus' matrices as one long table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from srelab_lib.signals.frames import TIME, check, frame
from srelab_lib.signals.ownership import Owners, Raw

# Labels that have a column of their own, or that only repeat the object.
_NOT_SERIES = frozenset({"__name__", "namespace", "pod", "container", "node", "nodename", "instance"})


Samples = np.ndarray[Any, np.dtype[np.float64]]


def metrics_table(payloads: Mapping[str, Raw], owned: Owners) -> pd.DataFrame:
    """One row for each sample of each signal.

    A gap stays a gap: nothing is filled, and NaN and infinite values (0/0, an empty histogram) are left out.

    Args:
        payloads: by signal, the `data` of a range or instant query: `{"resultType": "matrix", "result": [...]}`.
        owned: maps the labels of a series to its object.
    """
    series = [(signal, item["metric"], _samples(item)) for signal, data in payloads.items() for item in data["result"]]
    series = [item for item in series if len(item[2])]
    if not series:
        return frame("metrics")
    lengths = [len(samples) for _, _, samples in series]
    samples = np.concatenate([samples for _, _, samples in series])
    columns = {
        "signal": _repeated([signal for signal, _, _ in series], lengths),
        "object": _repeated([owned.of_labels(labels) for _, labels, _ in series], lengths),
        "pod": _repeated([labels.get("pod") for _, labels, _ in series], lengths),
        "container": _repeated([labels.get("container") for _, labels, _ in series], lengths),
        "series": _repeated([series_name(labels) for _, labels, _ in series], lengths),
        "time": pd.to_datetime(np.rint(samples[:, 0] * 1000), unit="ms", utc=True).astype(TIME),
        "value": samples[:, 1],
    }
    return check("metrics", pd.DataFrame(columns))


def series_name(labels: Mapping[str, str]) -> str:
    """The labels that tell an object's series apart: `dependency=db,metric=calls_total`."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in _NOT_SERIES and value)


def _samples(item: Raw) -> Samples:
    """Finite samples as rows of (seconds since the epoch, value), by time."""
    pairs: Sequence[Any] = item["values"] if "values" in item else [item["value"]]
    samples: Samples = np.array([(float(time), float(value)) for time, value in pairs], dtype="float64").reshape(-1, 2)
    finite: Samples = samples[np.isfinite(samples[:, 1])]
    return finite


def _repeated(values: Sequence[str | None], lengths: Sequence[int]) -> pd.Series[Any]:
    return pd.Series(np.repeat(np.array(values, dtype="object"), lengths), dtype="object")
