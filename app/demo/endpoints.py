"""Where `penguinmails up` listens, as it wrote it into `endpoints.json` of its data folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from app.demo.problem import DemoProblem

FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs of the API, and the login of the demo tenant. `sandbox_smtp` is the sandbox's SMTP URL."""

    graphql: str
    graphql_ws: str
    readyz: str
    sandbox_smtp: str
    email: str
    password: str


def read_endpoints(data: Path) -> Endpoints:
    """Raises DemoProblem when there is no such file, or when it is not what `up` writes."""
    path = data / FILE_NAME
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return Endpoints(
            graphql=written["graphql"],
            graphql_ws=written["graphqlWs"],
            readyz=written["readyz"],
            sandbox_smtp=written["sandbox.smtp"],
            email=written["demo.email"],
            password=written["demo.password"],
        )
    except FileNotFoundError as error:
        raise DemoProblem(
            f"Nothing is running here: {path} does not exist. Start `penguinmails up` in another terminal and wait "
            "until it prints its URLs. If it keeps its data elsewhere, give the same --data to both."
        ) from error
    except PermissionError as error:
        raise DemoProblem(
            f"{path} may not be read by you: it holds a password and belongs to the account that runs `up`. "
            "Run the demo as that account."
        ) from error
    except OSError as error:
        raise DemoProblem(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DemoProblem(
            f"{path} is not what this version of `up` writes ({error!r}). Stop `penguinmails up` and start it again."
        ) from error
