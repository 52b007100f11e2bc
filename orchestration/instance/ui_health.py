"""Health of the UI: what its web server says of itself, of the definitions that it shows, and of the daemon."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

_TIMEOUT_S = 10.0
_QUESTION = """{
  workspaceOrError {
    ... on PythonError { message causes { message } }
    ... on Workspace {
      locationEntries { loadStatus locationOrLoadError { ... on PythonError { message causes { message } } } }
    }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


@dataclass(frozen=True)
class Health:
    """Tell how the server is.

    Attributes:
        is_loading: Whether the definitions are still being loaded.
        load_error: Why they cannot be loaded, in one line; empty where they can.
        sick_daemons: The daemons that ought to run and have given no sign of life for long, or none yet.
    """

    is_loading: bool
    load_error: str
    sick_daemons: tuple[str, ...]


def ask(host: str, port: int) -> Health | None:
    """Ask the web server by its GraphQL address; None where nothing answers.

    Raises:
        ConnectionRefusedError: Nothing listens on the port.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        body = json.dumps({"query": _QUESTION})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return health(json.loads(response.read())["data"]) if response.status == http.client.OK else None
    except ConnectionRefusedError:
        raise
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def health(told: dict[str, Any]) -> Health:
    """Return what the answer to the question says."""
    workspace = told["workspaceOrError"]
    entries = workspace.get("locationEntries", [])
    errors = [error for error in (workspace, *(entry["locationOrLoadError"] for entry in entries)) if error]
    return Health(
        is_loading=any(entry["loadStatus"] == "LOADING" for entry in entries),
        load_error=next((_reason(error) for error in errors if "message" in error), ""),
        sick_daemons=tuple(
            daemon["daemonType"]
            for daemon in told["instance"]["daemonHealth"]["allDaemonStatuses"]
            if daemon["required"] and not daemon["healthy"]
        ),
    )


def _reason(error: dict[str, Any]) -> str:
    """Return the first line of what our own code raised; Dagster's error, which it is the cause of, says less."""
    messages = [str(told["message"]) for told in (*error["causes"], error)]
    return next((line.strip() for message in messages for line in message.splitlines() if line.strip()), "unknown")
