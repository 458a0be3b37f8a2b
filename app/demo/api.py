"""The public GraphQL API over HTTP: signs in, keeps the session fresh, and words what can go wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from app.demo.documents import REFRESH_SESSION, SIGN_IN
from app.demo.endpoints import Endpoints
from app.demo.problem import DemoProblem, ServerGone

CHUNK_BYTES = 64 * 1024
FRESH_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
RETRIED_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Tokens:
    """A session: the access token, and what gets the next one. `expires_at` in seconds since 1970."""

    access: str
    refresh: str
    expires_at: float

    @classmethod
    def of(cls, session: Mapping[str, Any]) -> "Tokens":
        expires = datetime.fromisoformat(str(session["expiresAt"]).replace("Z", "+00:00"))
        return cls(str(session["accessToken"]), str(session["refreshToken"]), expires.timestamp())


class Api:
    """One signed-in client. Made by `sign_in`; close the httpx client that it was given yourself."""

    def __init__(self, client: httpx.AsyncClient, endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints
        self._tokens: Tokens | None = None
        self._renewing = asyncio.Lock()

    async def sign_in(self) -> None:
        """Raises DemoProblem when the server refuses, or is not there."""
        credentials = {"email": self._endpoints.email, "password": self._endpoints.password}
        try:
            answer = await self._post(SIGN_IN, {"input": credentials}, token=None)
        except ServerGone as error:
            raise DemoProblem(
                f"Nothing answers at {self._endpoints.graphql}: `penguinmails up` has stopped, or is still starting. "
                "Start it in another terminal and wait until it prints its URLs."
            ) from error
        payload = answer["signIn"]
        if payload["userErrors"]:
            raise DemoProblem(
                f"Signing in as {self._endpoints.email} was refused: {_sentences(payload)} "
                "If the demo login's password was changed, sign in is no longer possible with endpoints.json; "
                "start `penguinmails up` with a new --data folder."
            )
        self._tokens = Tokens.of(payload["session"])

    async def token(self, *, renewed: bool = False) -> str:
        """An access token with a minute to live at least; `renewed` gets a new one in any case."""
        async with self._renewing:
            assert self._tokens is not None, "sign in first"
            if renewed or self._tokens.expires_at - time.time() < FRESH_SECONDS:
                given = {"input": {"refreshToken": self._tokens.refresh}}
                payload = (await self._post(REFRESH_SESSION, given, token=None))["refreshSession"]
                if payload["userErrors"]:
                    raise DemoProblem(f"The session has ended: {_sentences(payload)} Run the demo again.")
                self._tokens = Tokens.of(payload["session"])
            return self._tokens.access

    async def query(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The `data` of a query. Raises DemoProblem on top-level errors, ServerGone when nobody answers."""
        return await self._post(document, variables, token=await self.token())

    async def mutate(self, document: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of a mutation with the variable `$input`. Raises DemoProblem with the server's sentences."""
        data = await self._post(document, {"input": given}, token=await self.token())
        name, payload = next(iter(data.items()))
        if payload["userErrors"]:
            raise DemoProblem(f"The server refused {name}: {_sentences(payload)}")
        assert isinstance(payload, dict)
        return payload

    async def upload(self, path: Path, target: Mapping[str, Any], *, size_bytes: int) -> None:
        """Streams a file to where createUpload said. Raises DemoProblem when the server does not take it."""
        headers = {each["name"]: each["value"] for each in target["headers"]} | {"Content-Length": str(size_bytes)}
        try:
            response = await self._client.request(
                target["method"], target["url"], headers=headers, content=_chunks(path)
            )
        except httpx.TransportError as error:
            raise ServerGone(f"The upload broke off: {_reason(error)}. Run the demo again.") from error
        if response.is_error:
            raise DemoProblem(f"The server did not take {path.name}: {_said(response)}")

    async def download(self, url: str) -> str:
        """The text behind a secret URL. Raises DemoProblem."""
        try:
            response = await self._client.get(url)
        except httpx.TransportError as error:
            raise ServerGone(f"The server stopped answering: {_reason(error)}.") from error
        if response.is_error:
            raise DemoProblem(f"The error report cannot be read: {_said(response)}")
        return response.text

    async def _post(self, document: str, variables: Mapping[str, Any], *, token: str | None) -> dict[str, Any]:
        """Tries again what certainly did not arrive, for half a minute."""
        headers = {"Accept": "application/graphql-response+json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        give_up_at = time.monotonic() + (PATIENCE_SECONDS if token is not None else 3.0)
        while True:
            try:
                response = await self._client.post(
                    self._endpoints.graphql, json={"query": document, "variables": variables}, headers=headers
                )
                if response.status_code not in RETRIED_STATUSES:
                    return _data(response)
                problem = f"it answered {response.status_code}"
            except httpx.ConnectError as error:
                problem = _reason(error)
            except httpx.TransportError as error:
                raise ServerGone(
                    f"The server went away in the middle of a request ({_reason(error)}). "
                    "Look at the terminal of `penguinmails up`, then run the demo again: it starts a new workspace."
                ) from error
            if time.monotonic() > give_up_at:
                raise ServerGone(
                    f"The server stopped answering ({problem}). Look at the terminal of `penguinmails up`, "
                    "then run the demo again: it starts a new workspace."
                )
            await asyncio.sleep(0.5)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _data(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise DemoProblem(f"{response.url} does not speak GraphQL: {_said(response)}") from error
    if not isinstance(answer, dict) or answer.get("errors") or not answer.get("data"):
        errors = answer.get("errors") if isinstance(answer, dict) else None
        said = " ".join(str(each.get("message")) for each in errors or [] if isinstance(each, dict))
        raise DemoProblem(f"The server could not do what the demo asked: {said or _said(response)}")
    data = answer["data"]
    assert isinstance(data, dict)
    return data


def _sentences(payload: Mapping[str, Any]) -> str:
    return " ".join(str(each["message"]) for each in payload["userErrors"])


def _said(response: httpx.Response) -> str:
    text = response.text.strip().replace("\n", " ")
    return f"{response.status_code} {response.reason_phrase}{': ' + text[:300] if text else ''}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
