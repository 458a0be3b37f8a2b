"""A launch that would fail for every contact, for want of one merge field, is refused before the first mail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.resources import Resources
from app.outreach.campaigns import Campaign, CampaignDraft, VariantChoice, update_campaign
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource
from app.outreach.templates import TemplateChanges, create_template, update_template
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.outreach.sending_stage import SendingStage, people, sending_stage
from tests.graph.core.client import run
from tests.graph.outreach.test_content_down import away
from tests.servers import TestServers

LAUNCH = """mutation M($id: ID!) { launchCampaign(input: {campaignId: $id}) {
  campaign { state } userErrors { code path message } } }"""


@pytest.fixture
async def sending(resources: Resources, tmp_path: Path) -> AsyncIterator[SendingStage]:
    async with sending_stage(resources, tmp_path) as made:
        yield made


def strict(text: str, subject: str = "Hi") -> TemplateSource:
    return TemplateSource(subject, text, None, MissingFieldRule.ERROR)


async def draft(sending: SendingStage, source: TemplateSource) -> Campaign:
    """For three contacts with a first name and nothing else."""
    return await sending.draft(people(3), [await sending.mailbox()], source)


async def launch(sending: SendingStage, campaign: Campaign) -> tuple[str | None, list[str]]:
    """The state after it, and what the user errors say."""
    answer = await run(schema, sending.owner, LAUNCH, {"id": str(global_id("Campaign", campaign.id))})
    assert "errors" not in answer, answer["errors"]
    payload = answer["data"]["launchCampaign"]
    assert {(error["code"], *error["path"]) for error in payload["userErrors"]} <= {("REQUIRED", "input", "campaignId")}
    state = payload["campaign"] and payload["campaign"]["state"]
    return state, [error["message"] for error in payload["userErrors"]]


async def test_fields_that_no_contact_has_are_named_with_their_template_and_the_way_out(sending: SendingStage) -> None:
    campaign = await draft(sending, strict("Dear {{ first_name }} of {{ city }}", "For {{ company }}"))
    name = (await sending.stage.rows("SELECT name FROM templates WHERE tenant_id = $1"))[0]["name"]
    before = await sending.snapshot()

    state, messages = await launch(sending, campaign)

    assert state is None
    assert messages == [
        f"No contact of the list has the field {field}, which the template “{name}” prints without a fall-back: "
        f'import the field, or write {{{{ {field} | default: "…" }}}} in the template.'
        for field in ("company", "city")
    ]
    assert await sending.snapshot() == before


@pytest.mark.parametrize(
    "change",
    ["company = 'Acme'", """fields = '{"city": "Oslo"}'"""],
)
async def test_one_contact_that_has_the_field_is_enough(sending: SendingStage, change: str) -> None:
    campaign = await draft(sending, strict("{{ company }}" if "company" in change else "{{ city }}"))
    await sending.execute(f"UPDATE contacts SET {change} WHERE tenant_id = $1 AND email_key = $2", people(3)[2])

    assert await launch(sending, campaign) == ("RUNNING", [])


async def test_a_field_that_only_an_inactive_contact_has_is_lacking(sending: SendingStage) -> None:
    campaign = await draft(sending, strict("{{ city }}"))
    await sending.execute(
        """UPDATE contacts SET fields = '{"city": "Oslo"}', status = 'unsubscribed' WHERE tenant_id = $1
        AND email_key = $2""",
        people(3)[0],
    )

    state, messages = await launch(sending, campaign)

    assert (state, len(messages)) == (None, 1)


async def test_a_list_without_an_active_contact_lacks_no_field(sending: SendingStage) -> None:
    campaign = await draft(sending, strict("{{ city }}"))
    await sending.execute("UPDATE contacts SET status = 'unsubscribed' WHERE tenant_id = $1")

    assert await launch(sending, campaign) == ("RUNNING", [])


@pytest.mark.parametrize(
    "source",
    [
        strict("Dear {{ first_name }}"),
        strict('{{ city | default: "your town" }}'),
        strict("Hello {% if city %}from {{ city }}{% endif %}"),
        TemplateSource("Hi", "Hello {{ city }}", None, MissingFieldRule.EMPTY),
    ],
)
async def test_a_template_that_can_do_without_the_field_is_launched(
    sending: SendingStage, source: TemplateSource
) -> None:
    assert await launch(sending, await draft(sending, source)) == ("RUNNING", [])


async def test_of_a_template_with_many_fields_the_first_five_are_checked(sending: SendingStage) -> None:
    campaign = await draft(sending, strict(" ".join(f"{{{{ field{number} }}}}" for number in range(8))))

    state, messages = await launch(sending, campaign)

    assert state is None
    assert [message.split(",")[0][-6:] for message in messages] == [f"field{number}" for number in range(5)]


async def test_a_campaign_that_runs_is_told_its_state_and_not_its_fields(sending: SendingStage) -> None:
    campaign = await draft(sending, strict("{{ city }}"))
    await sending.execute("UPDATE contacts SET status = 'unsubscribed' WHERE tenant_id = $1")
    assert await launch(sending, campaign) == ("RUNNING", [])
    await sending.execute("UPDATE contacts SET status = 'active' WHERE tenant_id = $1")

    again = await run(schema, sending.owner, LAUNCH, {"id": str(global_id("Campaign", campaign.id))})

    assert [error["code"] for error in again["data"]["launchCampaign"]["userErrors"]] == ["WRONG_STATE"]


async def test_every_variant_counts_and_a_template_is_taken_as_it_is_now(sending: SendingStage) -> None:
    campaign = await draft(sending, strict("Hello"))
    place = sending.stage.workspace_id
    ours = [
        (await create_template(sending.owner, place, name, strict("{{ city }}"))).template for name in ("One", "Two")
    ]
    variants = [VariantChoice(each.id) for each in ours]
    await update_campaign(sending.owner, campaign.id, CampaignDraft(variants=variants))

    refused, messages = await launch(sending, campaign)
    for each in ours:
        await update_template(sending.owner, each.id, TemplateChanges(parts={"text_body": "Hello"}))

    assert (refused, [message.split("“")[1].split("”")[0] for message in messages]) == (None, ["One", "Two"])
    assert await launch(sending, campaign) == ("RUNNING", [])


async def test_without_the_content_tier_a_launch_changes_nothing_and_asks_for_another_try(
    sending: SendingStage, servers: TestServers, databases: dict[str, str]
) -> None:
    campaign = await draft(sending, strict("Hello"))
    before = await sending.snapshot()

    async with away(servers, databases["content"]):
        down = await run(schema, sending.owner, LAUNCH, {"id": str(global_id("Campaign", campaign.id))})

    assert [error["extensions"]["code"] for error in down["errors"]] == ["AWAY"]
    assert await sending.snapshot() == before
    assert await launch(sending, campaign) == ("RUNNING", [])
