"""`python -m srelab_lib runs/.../report.json`: a report's verdict in the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Writes the verdict and where the report lies; 2 when there is no report to read."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m srelab_lib REPORT.json\n")
        return 2
    path = Path(arguments[0])
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))["verdict"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{path} is not a report: {error}\n")
        return 2
    name = f"{verdict['fault']} of {verdict['object']}" if verdict["fault"] else verdict["outcome"]
    lines = [name, verdict["summary"], f"confidence: {verdict['confidence']}", f"report: {path.with_suffix('.html')}"]
    sys.stdout.write("\n".join(["", *lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
