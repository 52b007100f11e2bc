"""Health of the UI: the state of its web server, its definitions and its daemon."""

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
    """Report the state of the server.

    Attributes:
        is_loading: Whether the definitions are still loading.
        load_error: Why the definitions cannot be loaded, in one line; empty if they can.
        sick_daemons: Required daemons that gave no sign of life recently, or none yet.
    """

    is_loading: bool
    load_error: str
    sick_daemons: tuple[str, ...]


def ask(host: str, port: int) -> Health | None:
    """Ask the web server over GraphQL; return None without a valid answer.

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


def health(answer: dict[str, Any]) -> Health:
    """Return the health that an answer to the question reports."""
    workspace = answer["workspaceOrError"]
    entries = workspace.get("locationEntries", [])
    errors = [error for error in (workspace, *(entry["locationOrLoadError"] for entry in entries)) if error]
    return Health(
        is_loading=any(entry["loadStatus"] == "LOADING" for entry in entries),
        load_error=next((_reason(error) for error in errors if "message" in error), ""),
        sick_daemons=tuple(
            daemon["daemonType"]
            for daemon in answer["instance"]["daemonHealth"]["allDaemonStatuses"]
            if daemon["required"] and not daemon["healthy"]
        ),
    )


def _reason(error: dict[str, Any]) -> str:
    """Return the first line of our own code's error; Dagster's error, which it caused, says less."""
    messages = [str(each["message"]) for each in (*error["causes"], error)]
    return next((line.strip() for message in messages for line in message.splitlines() if line.strip()), "unknown")
