"""The Content tier is away: bodies are missing and say so, everything else goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

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
        (["templates", "edges", 0, "node", "current"], "INTERNAL")
    ]
    assert up["data"]["templates"]["edges"][0]["node"]["current"] == {"subject": "Hello"}
