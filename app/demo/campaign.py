"""A campaign to one list: written, launched, and watched until nothing more can happen soon."""

from app.demo import documents
from app.demo.api import Api
from app.demo.endpoints import Endpoints
from app.demo.progress import View
from app.demo.report import SendingResult
from app.demo.watching import Watch

SUBJECT = "{{ first_name | default: 'Hello' }}, a word from the penguins"
TEXT = """Hello {{ first_name | default: "there" }},

this mail was sent by PenguinMails' demo{% if company %} to you at {{ company }}{% endif %}: over real SMTP, one message
per contact, with every doubt on the table.

{{ sender_name }}
"""


async def prepare_campaign(api: Api, *, workspace_id: str, list_id: str, mailbox_ids: list[str], view: View) -> str:
    """The id of a campaign that is ready to launch."""
    template = {
        "workspaceId": workspace_id,
        "name": "A word from the penguins",
        "subject": SUBJECT,
        "textBody": TEXT,
        "onMissingField": "EMPTY",
    }
    template_id = (await api.mutate(documents.CREATE_TEMPLATE, template))["template"]["id"]
    view.step("Wrote a template with merge fields and fall-backs")
    campaign = {
        "workspaceId": workspace_id,
        "name": "Demo",
        "listId": list_id,
        "mailboxIds": mailbox_ids,
        "variants": [{"templateId": template_id}],
    }
    return str((await api.mutate(documents.CREATE_CAMPAIGN, campaign))["campaign"]["id"])


async def launch_and_watch(
    api: Api, endpoints: Endpoints, *, workspace_id: str, campaign_id: str, view: View
) -> SendingResult:
    """Launches, and watches until every message is sent, refused, in doubt or deferred, or nothing moves any more."""
    watch = Watch(api, endpoints.graphql_ws, workspace_id=workspace_id, campaign_id=campaign_id)
    watch.saw((await api.mutate(documents.LAUNCH_CAMPAIGN, {"campaignId": campaign_id}))["campaign"])
    view.step("Launched the campaign")
    with view.watching():
        await watch.until_over(view)
    result = await watch.result()
    view.step(f"Watched it: {result.sent:,} sent in {result.seconds:.1f} seconds")
    for remark in result.remarks:
        view.warn(remark)
    return result
