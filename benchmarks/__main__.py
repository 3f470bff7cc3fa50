"""Runs the benchmarks one after another: `python -m benchmarks`. Each is a program of its own, too."""

from __future__ import annotations

from benchmarks import accuracy, kubernetes_reads, log_templates

if __name__ == "__main__":
    for benchmark in (log_templates, kubernetes_reads, accuracy):
        print(f"{benchmark.report()}\n", flush=True)
