"""The Content tier is away: bodies are missing and say so, everything else goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.core.resources import Resources
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource
from app.outreach.templates import create_template
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.outreach.contact_stage import new_stage
from tests.graph.core.client import run
from tests.servers import TestServers

TEMPLATES = """query Q($w: ID!) {
  templates(workspaceId: $w) { edges { node { name versionNumber current { subject } } } }
  contacts(workspaceId: $w) { edges { node { email } } }
}"""
NEED_CONTENT = {
    "createUpload": "($w: ID!) { createUpload(input: {workspaceId: $w}) { url userErrors { code } } }",
    "importContacts": (
        '($w: ID!, $u: ID!) { importContacts(input: {workspaceId: $w, uploadId: $u, idempotencyKey: "k"}) '
        "{ contactImport { state } userErrors { code } } }"
    ),
    "previewContactImport": "($u: ID!) { previewContactImport(input: {uploadId: $u}) { userErrors { code } } }",
    "createTemplate": (
        '($w: ID!) { createTemplate(input: {workspaceId: $w, name: "Hi", subject: "Hi", textBody: "Hi", '
        'idempotencyKey: "k"}) { template { name } userErrors { code } } }'
    ),
}
SENTENCE = "A database of ours cannot be reached right now: try again in a moment."


@asynccontextmanager
async def away(servers: TestServers, database: str) -> AsyncIterator[None]:
    """PostgreSQL refuses every connection to the database, and has ended those that were open."""
    admin = await asyncpg.connect(servers.admin_url)
    try:
        await admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
        await admin.close()


async def test_without_the_content_tier_bodies_are_missing_and_the_rest_works(
    resources: Resources, servers: TestServers, databases: dict[str, str]
) -> None:
    stage = await new_stage(resources)
    source = TemplateSource("Hello", "Dear {{ first_name }}", None, MissingFieldRule.ERROR)
    await create_template(stage.owner, stage.workspace_id, "Hello", source)
    await stage.imported(b"email\nann@mail.example\n")
    workspace = {"w": str(global_id("Workspace", stage.workspace_id))}

    async with away(servers, databases["content"]):
        down = await run(schema, stage.owner, TEMPLATES, workspace)
    up = await run(schema, stage.owner, TEMPLATES, workspace)

    assert down["data"] == {
        "templates": {"edges": [{"node": {"name": "Hello", "versionNumber": 1, "current": None}}]},
        "contacts": {"edges": [{"node": {"email": "ann@mail.example"}}]},
    }
    assert [(error["path"], error["extensions"]["code"]) for error in down["errors"]] == [
        (["templates", "edges", 0, "node", "current"], "AWAY")
    ]
    assert up["data"]["templates"]["edges"][0]["node"]["current"] == {"subject": "Hello"}


@pytest.mark.parametrize("operation", NEED_CONTENT)
async def test_a_mutation_that_needs_the_content_tier_asks_for_another_try_and_is_then_done(
    resources: Resources, servers: TestServers, databases: dict[str, str], operation: str
) -> None:
    stage = await new_stage(resources)
    upload_id = await stage.uploaded(b"email\nann@mail.example\n")
    everything = {
        "w": str(global_id("Workspace", stage.workspace_id)),
        "u": str(global_id("Upload", upload_id)),
    }
    document = f"mutation {NEED_CONTENT[operation]}"
    variables = {name: value for name, value in everything.items() if f"${name}:" in document}

    async with away(servers, databases["content"]):
        down = await run(schema, stage.owner, document, variables)
    counts = [await stage.count(table) for table in ("contact_imports", "jobs", "templates")]
    uploads = await stage.count("uploads", tier="content")
    up = await run(schema, stage.owner, document, variables)

    assert [(error["message"], error["path"], error["extensions"]) for error in down["errors"]] == [
        (SENTENCE, [operation], {"code": "AWAY", "retryAfter": 5})
    ]
    assert down["data"] is None
    assert (counts, uploads) == ([0, 0, 0], 1)
    assert "errors" not in up
    assert up["data"][operation]["userErrors"] == []


async def test_without_the_oltp_tier_every_operation_asks_for_another_try(
    resources: Resources, servers: TestServers, databases: dict[str, str]
) -> None:
    stage = await new_stage(resources)
    workspace = {"w": str(global_id("Workspace", stage.workspace_id))}
    create = 'mutation ($w: ID!) { createContactList(input: {workspaceId: $w, name: "A"}) { userErrors { code } } }'

    async with away(servers, databases["oltp"]):
        down = [await run(schema, stage.owner, document, workspace) for document in (TEMPLATES, create)]
    up = await run(schema, stage.owner, create, workspace)

    assert {error["extensions"]["code"] for answer in down for error in answer["errors"]} == {"AWAY"}
    assert up["data"]["createContactList"]["userErrors"] == []
