"""The application as a whole: its routes, and what it answers to browsers of other origins."""

import httpx
import pytest

from app.core.resources import Resources
from app.main import create_app

ORIGIN = "https://app.acme.example"


@pytest.fixture
def client(resources: Resources) -> httpx.AsyncClient:
    app = create_app(resources.settings.model_copy(update={"allowed_origins": (ORIGIN,)}))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example")


@pytest.mark.parametrize("path", ["/graphql/", "/graphql/stream/", "/livez/", "/nothing"])
async def test_an_unknown_path_is_never_redirected_to_the_host_that_the_request_names(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.post(path, json={"query": "{ __typename }"}, headers={"host": "evil.example"})

    assert response.status_code == 404
    assert "location" not in response.headers


async def test_a_single_page_app_of_an_allowed_origin_may_send_its_token_and_read_the_answer(
    client: httpx.AsyncClient,
) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }

    preflight = await client.options("/graphql", headers=asked)
    answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": ORIGIN})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert answer.json()["data"] == {"__typename": "Query"}
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-expose-headers"] == "X-Request-Id, Retry-After"
    assert "access-control-allow-credentials" not in answer.headers


async def test_other_origins_get_no_permission_to_read(client: httpx.AsyncClient) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}

    preflight = await client.options("/graphql", headers=asked)
    answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": asked["origin"]})

    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_every_answer_carries_a_request_id_and_the_headers_of_a_careful_api(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez", headers={"x-request-id": "chosen by the client"})

    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
