"""The shop's orders, in SQLite: locks, slow queries and missing columns are the database's own errors."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

from faults import Faults
from telemetry import Metrics

KEPT = 500
"""Older orders are dropped: the file is on a small disk."""


class Orders:
    """Orders in a database file that all workers share."""

    def __init__(self, file: Path, metrics: Metrics, faults: Faults) -> None:
        self._file, self._metrics, self._faults = file, metrics, faults
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._query("create") as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, product TEXT, quantity INTEGER)"
            )

    def add(self, product: str, quantity: int) -> int:
        """The new order's number."""
        with self._query("insert_order") as database:
            cursor = database.execute("INSERT INTO orders (product, quantity) VALUES (?, ?)", (product, quantity))
            number = cursor.lastrowid or 0
            database.execute("DELETE FROM orders WHERE id <= ?", (number - KEPT,))
        return number

    def latest(self) -> list[dict[str, object]]:
        """The last ten orders, newest first."""
        columns = ["id", "product", "quantity"]
        if self._faults.value("schema_mismatch"):
            columns.append("currency")
        with self._query("latest_orders") as database:
            rows = database.execute(f"SELECT {', '.join(columns)} FROM orders ORDER BY id DESC LIMIT 10").fetchall()  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in rows]

    @contextmanager
    def _query(self, name: str) -> Iterator[sqlite3.Connection]:
        begun = time.perf_counter()
        try:
            with closing(sqlite3.connect(self._file, timeout=1.0)) as database:
                database.execute("PRAGMA synchronous = OFF")  # orders of a lab need not survive a power cut
                time.sleep(self._faults.value("slow_query_seconds"))
                with database:
                    yield database
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.query_seconds.labels(name).observe(seconds)
            if seconds > 1:
                logging.getLogger("shop").warning("slow query: %s took %.2f s", name, seconds)


def haunt_database(file: Path, faults: Faults) -> None:
    """Starts the transaction that `db_lock` holds open."""
    Thread(target=_lock, args=(file, faults), daemon=True).start()


def _lock(file: Path, faults: Faults) -> None:
    while True:
        if faults.value("db_lock"):
            with closing(sqlite3.connect(file, timeout=30.0)) as database:
                database.execute("BEGIN EXCLUSIVE")
                while faults.value("db_lock"):
                    time.sleep(0.25)
        time.sleep(0.25)
