"""Sending as a client of the public schema meets it: from connectMailbox to the story of a message, watched live."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.resources import Resources
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.outreach.sending_stage import SendingStage, people, sending_stage
from tests.graph.core.client import run

CAMPAIGN = "campaign { id state listId mailboxIds variants { templateId weight } counts { enrolled sent } }"


@pytest.fixture
async def sending(resources: Resources, tmp_path: Path) -> AsyncIterator[SendingStage]:
    async with sending_stage(resources, tmp_path) as made:
        yield made


async def ask(sending: SendingStage, query: str, **variables: Any) -> dict[str, Any]:
    answer = await run(schema, sending.owner, query, variables)
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


async def change(sending: SendingStage, name: str, selection: str, /, **given: Any) -> dict[str, Any]:
    kind = name[0].upper() + name[1:] + "Input!"
    query = (
        f"mutation M($input: {kind}) {{ {name}(input: $input) {{ {selection} userErrors {{ code path message }} }} }}"
    )
    payload: dict[str, Any] = (await ask(sending, query, input=given))[name]
    return payload


async def ready(sending: SendingStage, emails: list[str], *, gap_seconds: int = 0) -> str:
    """Everything through the schema but the list; returns the campaign's id."""
    workspace = str(global_id("Workspace", sending.stage.workspace_id))
    connected = await change(
        sending,
        "connectMailbox",
        "mailbox { id state verdict { ok } }",
        workspaceId=workspace,
        address="alice@acme.example",
        displayName="Alice",
        smtpHost="127.0.0.1",
        smtpPort=sending.sandbox.ports.smtps,
        smtpSecurity="IMPLICIT_TLS",
        smtpUsername="alice@acme.example",
        smtpPassword="sandbox",
        dailyCap=1000,
        minimumGapSeconds=gap_seconds,
    )
    assert connected["mailbox"]["state"] == "UNVERIFIED"
    await sending.work()
    template = await change(
        sending, "createTemplate", "template { id }", workspaceId=workspace, name="T", subject="Hi", textBody="Hello"
    )
    created = await change(
        sending,
        "createCampaign",
        CAMPAIGN,
        workspaceId=workspace,
        name="Spring",
        listId=str(global_id("ContactList", await sending.list_of(emails))),
        mailboxIds=[connected["mailbox"]["id"]],
        variants=[{"templateId": template["template"]["id"]}],
    )
    assert created["userErrors"] == []
    return str(created["campaign"]["id"])


async def test_a_campaign_is_launched_watched_and_told_message_by_message(sending: SendingStage) -> None:
    campaign_id = await ready(sending, [*people(3), "x+unknown-user@lead.example"])
    launched = await change(sending, "launchCampaign", CAMPAIGN, campaignId=campaign_id)
    assert (launched["campaign"]["state"], launched["userErrors"]) == ("RUNNING", [])

    await sending.work()

    seen = await ask(
        sending,
        """query Q($id: ID!) {
          campaign(id: $id) { state sentPerSecond enrolling
            counts { enrolled waiting queued deferred sent bounced failed inDoubt cancelled suppressed } }
          messages(campaignId: $id, state: BOUNCED) { edges { node {
            toAddress state smtpReply attempts messageIdHeader rendered { subject text matchesSent }
            story { outcome reply reason } campaign { name } mailbox { address } } } }
          enrollments(campaignId: $id, first: 10) { edges { node { email state } } }
          suppressions { edges { node { email reason source } } } }""",
        id=campaign_id,
    )

    assert seen["campaign"]["state"] == "COMPLETED"
    assert {name: n for name, n in seen["campaign"]["counts"].items() if n} == {"enrolled": 4, "sent": 3, "bounced": 1}
    (edge,) = seen["messages"]["edges"]
    message = edge["node"]
    assert (message["toAddress"], message["state"], message["attempts"]) == (
        "x+unknown-user@lead.example",
        "BOUNCED",
        1,
    )
    assert message["smtpReply"].startswith("550 5.1.1")
    rendered = message["rendered"]
    assert (rendered["subject"], rendered["matchesSent"]) == ("Hi", True)
    (link,) = re.findall(r"https?://\S+/u/(\S+)", rendered["text"])
    assert link == "hidden", "whoever reads a message could unsubscribe its recipient"
    assert [each["outcome"] for each in message["story"]] == ["BOUNCED"]
    assert message["campaign"] == {"name": "Spring"}
    assert message["mailbox"] == {"address": "alice@acme.example"}
    states = {each["node"]["email"]: each["node"]["state"] for each in seen["enrollments"]["edges"]}
    assert states == dict.fromkeys(people(3), "COMPLETED") | {"x+unknown-user@lead.example": "STOPPED"}
    assert seen["suppressions"]["edges"] == [
        {"node": {"email": "x+unknown-user@lead.example", "reason": "BOUNCED", "source": "smtp"}}
    ]


async def test_a_launch_that_lacks_everything_lists_it_in_user_errors(sending: SendingStage) -> None:
    workspace = str(global_id("Workspace", sending.stage.workspace_id))
    created = await change(sending, "createCampaign", CAMPAIGN, workspaceId=workspace, name="Empty")

    refused = await change(sending, "launchCampaign", CAMPAIGN, campaignId=created["campaign"]["id"])

    assert refused["campaign"] is None
    assert [error["code"] for error in refused["userErrors"]] == ["REQUIRED"] * 3
    assert {tuple(error["path"]) for error in refused["userErrors"]} == {("input", "campaignId")}


async def test_the_same_launch_twice_with_one_key_launches_once(sending: SendingStage) -> None:
    campaign_id = await ready(sending, people(2))

    answers = [
        await change(sending, "launchCampaign", "campaign { id }", campaignId=campaign_id, idempotencyKey="once")
        for _ in range(2)
    ]
    await sending.work()

    assert answers[0] == answers[1]
    assert answers[0]["userErrors"] == []
    assert sending.received() == dict.fromkeys(people(2), 1)


async def test_a_passing_problem_shows_on_the_mailbox_until_a_mail_is_taken(sending: SendingStage) -> None:
    await troubled(sending, people(2))
    problem, at = await last_problem(sending)
    assert "The server said: 454 4.7.0 Temporary authentication failure" in (problem or "")
    assert at == sending.clock.now().isoformat()
    while_sending: list[tuple[str | None, str | None]] = []

    async def look() -> None:
        while_sending.append(await last_problem(sending))

    await sign_in_as(sending, "alice@acme.example")
    sending.after_mail(2, look)
    await sending.work(until=sending.later(minutes=1))

    assert while_sending == [(None, None)], "the first mail, recorded with the second's marking, ended it"
    assert sending.received() == dict.fromkeys(people(2), 1)


async def test_a_mail_recorded_long_before_the_next_ends_a_passing_problem_too(sending: SendingStage) -> None:
    await troubled(sending, people(2), gap_seconds=600)
    assert await last_problem(sending) != (None, None)

    await sign_in_as(sending, "alice@acme.example")
    await sending.work(until=sending.later(minutes=1))

    assert sending.received().total() == 1
    assert await last_problem(sending) == (None, None)
    assert await sending.stage.rows("SELECT failures FROM mailbox_runs WHERE tenant_id = $1") == [{"failures": 0}]


async def test_a_connection_test_that_succeeds_ends_a_passing_problem_and_another_does_not(
    sending: SendingStage,
) -> None:
    mailbox = await troubled(sending, people(1))
    before = await last_problem(sending)

    await sign_in_as(sending, "alice+stall@acme.example")
    await change(sending, "testMailbox", "mailbox { id }", mailboxId=mailbox)
    await sending.work(only=["mailbox.test"])
    assert await last_problem(sending) == before != (None, None)

    await sign_in_as(sending, "alice@acme.example")
    await change(sending, "testMailbox", "mailbox { id }", mailboxId=mailbox)
    await sending.work(only=["mailbox.test"])
    assert await last_problem(sending) == (None, None)
    assert sending.received() == {}


async def troubled(sending: SendingStage, emails: list[str], *, gap_seconds: int = 0) -> str:
    """A launched campaign whose mailbox's server, fine until now, fails for a while. Returns the mailbox's id."""
    campaign_id = await ready(sending, emails, gap_seconds=gap_seconds)
    launched = await change(sending, "launchCampaign", CAMPAIGN, campaignId=campaign_id)
    assert await last_problem(sending) == (None, None)
    await sign_in_as(sending, "alice+tempfail-auth@acme.example")
    await sending.work()
    assert sending.received() == {}
    return str(launched["campaign"]["mailboxIds"][0])


async def sign_in_as(sending: SendingStage, username: str) -> None:
    """As if the server had changed its mind about the sign-in that was verified."""
    await sending.execute("UPDATE mailboxes SET smtp_username = $2 WHERE tenant_id = $1", username)


async def last_problem(sending: SendingStage) -> tuple[str | None, str | None]:
    """Of the only mailbox."""
    workspace = str(global_id("Workspace", sending.stage.workspace_id))
    query = "query Q($id: ID!) { mailboxes(workspaceId: $id) { edges { node { lastProblem lastProblemAt } } } }"
    (edge,) = (await ask(sending, query, id=workspace))["mailboxes"]["edges"]
    return edge["node"]["lastProblem"], edge["node"]["lastProblemAt"]


async def test_a_password_is_in_no_type_of_the_schema() -> None:
    sdl = schema.as_str()
    mailbox = sdl[sdl.index("type Mailbox implements") :]

    assert "assword" not in mailbox[: mailbox.index("\n}")]
