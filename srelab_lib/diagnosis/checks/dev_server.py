"""A development server that serves production traffic, by what it says of itself when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._facts import Check, Row, live_containers, log_fact, one_each, spec_fact
from srelab_lib.diagnosis.checks._logs import by_workload, matching
from srelab_lib.model import Finding, Snapshot, spoken

# What logging puts before a message: times, levels, logger names and punctuation, but no words of a sentence.
_FRAME = (
    r"^(?:[\W\d_]|\b(?:[TZ]|UTC|[A-Z][a-z]{2}|\d+[A-Za-z]\d*|info|warn(?:ing)?|error|notice|level|severity|msg|message"
    r"|time(?:stamp)?|logger|name|root|main|mainthread|stdout|stderr|werkzeug|flask|django|app)\b)*"
)

# Not Gin's debug mode: it logs more, and serves with the same server.
_WORDS: dict[str, tuple[str, ...]] = {
    "Flask's development server (werkzeug)": (
        r"WARNING: This is a development server\. Do not use it in a production",
        r"WARNING: Do not use the development server in a production",
        r"\* Debug mode: on\b",
    ),
    "Django's development server (runserver)": (r"Starting development server at https?://",),
    "PHP's built-in development server": (r"PHP \d[\w.-]* Development Server \(http",),
    "webpack-dev-server": (r"<i> \[webpack-dev-server\] ", r"\[wds\]: Project is running"),
    "Vite's development server": (r"VITE v\d[\w.-]* +ready in ",),
    "Next.js's development server": (r"\$? ?next dev\b", r"[-▲ ]+Next\.js .{0,40}\(turbo(?:pack)?\)"),
    "react-scripts' development server": (r"Note that the development build is not optimized",),
    "Angular's development server": (r"\*\* Angular Live Development Server is listening",),
    "Rails in development mode": (
        r"=> Rails \d[\w.]* application starting in development\b", r"\* *Environment: development\b",
    ),
    "uvicorn with reload": (
        r"Started reloader process \[\d+\] using", r"Will watch for changes in these directories",
    ),
    "Sinatra in development mode": (r"== Sinatra .{0,60} for development with",),
    "ASP.NET Core in development mode": (
        r"(?:Microsoft\.Hosting\.Lifetime\[0\] +)?Hosting environment: Development\b",
    ),
    "Keycloak in development mode": (r"Running the server in development mode\. DO NOT use this config",),
    "Vault in development mode": (r"WARNING! dev mode is enabled!",),
    "Quarkus in development mode": (r"Profile dev activated\. Live Coding activated",),
}  # fmt: skip
_SERVERS = {name: re.compile(_FRAME + f"(?:{'|'.join(words)})", re.IGNORECASE) for name, words in _WORDS.items()}
"""Development servers by the words with which they start."""
_ANY = re.compile("|".join(pattern.pattern for pattern in _SERVERS.values()), re.IGNORECASE)


def check_dev_server(s: Snapshot) -> Iterator[Finding]:
    """Start-up lines of the logs: a server that calls itself one for development."""
    commands = {row["object"]: row for row in live_containers(s, "app")}
    for hit in by_workload(s, matching(s, _ANY, quiet=True)):
        row = commands.get(hit.object)
        if row is None:
            continue
        server = next(name for name, words in _SERVERS.items() if words.search(str(hit.lines[-1]["message"])))
        yield Finding(
            fault="dev_server_in_production",
            object=hit.object,
            summary=f"{spoken(hit.object)} serves with {server}, which is not made for production",
            cause=f"it runs {server}{_by_command(row)}",
            facts=one_each(
                [*map(log_fact, hit.lines[-3:]), spec_fact(hit.object, image=row["image"], command=row["command"])]
            ),  # fmt: skip
            since=hit.first,
        )


def _by_command(row: Row) -> str:
    return f", started by the command {row['command']}" if row["command"] else f", started by the image {row['image']}"


CHECKS: tuple[Check, ...] = (check_dev_server,)
