"""Contacts, lists, imports, uploads and templates as a client of the public schema meets them."""

from typing import Any

import pytest

from app.core.permissions import WorkspaceRole
from app.core.resources import Resources
from app.outreach.contact_import_runs import run_contact_import
from app.outreach.uploads import receive_upload
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.outreach.contact_stage import Stage, new_stage, pieces_of
from tests.graph.core.client import run


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


def workspace_of(stage: Stage) -> str:
    return str(global_id("Workspace", stage.workspace_id))


async def ask(stage: Stage, query: str, **variables: Any) -> dict[str, Any]:
    """The answer's data. Fails the test on any top-level error."""
    answer = await run(schema, stage.owner, query, variables)
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


async def change(stage: Stage, name: str, selection: str, /, **given: Any) -> dict[str, Any]:
    kind = name[0].upper() + name[1:] + "Input!"
    query = (
        f"mutation M($input: {kind}) {{ {name}(input: $input) {{ {selection} userErrors {{ code path message }} }} }}"
    )
    payload: dict[str, Any] = (await ask(stage, query, input=given))[name]
    return payload


CONTACT = "contact { id email firstName fields status version }"


async def test_a_contact_is_created_changed_found_and_erased(stage: Stage) -> None:
    made = await change(
        stage,
        "createContact",
        CONTACT,
        workspaceId=workspace_of(stage),
        email="Ann@mail.example",
        firstName="Ann",
        fields={"city": "Oslo"},
    )
    contact_id = made["contact"]["id"]
    changed = await change(stage, "updateContact", CONTACT, contactId=contact_id, firstName=None, fields={"city": None})
    read = await ask(
        stage,
        """query Q($id: ID!, $workspace: ID!) {
          node(id: $id) { ... on Contact { email } } contact(id: $id) { email }
          contacts(workspaceId: $workspace, search: "ANN") { edges { node { id } } pageInfo { hasNextPage } } }""",
        id=contact_id,
        workspace=workspace_of(stage),
    )
    gone = await change(stage, "deleteContact", "deletedContactId", contactId=contact_id)

    assert made["userErrors"] == []
    assert made["contact"] == {
        "id": contact_id,
        "email": "Ann@mail.example",
        "firstName": "Ann",
        "fields": {"city": "Oslo"},
        "status": "ACTIVE",
        "version": 1,
    }
    assert (changed["contact"]["firstName"], changed["contact"]["fields"], changed["contact"]["version"]) == ("", {}, 2)
    assert read == {
        "node": {"email": "Ann@mail.example"},
        "contact": {"email": "Ann@mail.example"},
        "contacts": {"edges": [{"node": {"id": contact_id}}], "pageInfo": {"hasNextPage": False}},
    }
    assert gone == {"deletedContactId": contact_id, "userErrors": []}
    assert (await ask(stage, "query Q($id: ID!) { contact(id: $id) { id } }", id=contact_id)) == {"contact": None}


async def test_refusals_name_the_input_fields(stage: Stage) -> None:
    payload = await change(
        stage,
        "createContact",
        CONTACT,
        workspaceId=workspace_of(stage),
        email="nobody",
        fields={"city": 5},
    )
    second = await change(
        stage, "createContact", CONTACT, workspaceId=workspace_of(stage), email="nobody", company="x" * 201
    )

    assert payload["contact"] is None
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [
        ("INVALID", ["input", "fields", "city"])
    ]
    assert sorted((error["code"], error["path"]) for error in second["userErrors"]) == [
        ("INVALID", ["input", "email"]),
        ("TOO_LONG", ["input", "company"]),
    ]


async def test_the_same_idempotency_key_creates_one_contact(stage: Stage) -> None:
    given = {"workspaceId": workspace_of(stage), "email": "ann@mail.example", "idempotencyKey": "once"}

    first = await change(stage, "createContact", CONTACT, **given)
    again = await change(stage, "createContact", CONTACT, **given)
    other = await change(stage, "createContact", CONTACT, **given | {"email": "eve@mail.example"})

    assert first == again
    assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    assert await stage.count("contacts") == 1


async def test_contacts_page_by_id_and_by_address(stage: Stage) -> None:
    for number in range(5):
        await change(stage, "createContact", CONTACT, workspaceId=workspace_of(stage), email=f"u{number}@mail.example")
    query = """query Q($workspace: ID!, $search: String, $after: String) {
      contacts(workspaceId: $workspace, search: $search, first: 2, after: $after) {
        edges { node { email } } pageInfo { hasNextPage endCursor } } }"""

    async def all_pages(search: str | None) -> list[list[str]]:
        pages, after = [], None
        while True:
            answer = await ask(stage, query, workspace=workspace_of(stage), search=search, after=after)
            pages.append([edge["node"]["email"][:2] for edge in answer["contacts"]["edges"]])
            if not answer["contacts"]["pageInfo"]["hasNextPage"]:
                return pages
            after = answer["contacts"]["pageInfo"]["endCursor"]

    assert await all_pages(None) == [["u4", "u3"], ["u2", "u1"], ["u0"]]
    assert await all_pages("U") == [["u0", "u1"], ["u2", "u3"], ["u4"]]


async def test_a_list_shows_its_contacts_and_its_count(stage: Stage) -> None:
    contact = await change(stage, "createContact", CONTACT, workspaceId=workspace_of(stage), email="ann@mail.example")
    made = await change(stage, "createContactList", "contactList { id }", workspaceId=workspace_of(stage), name="Leads")
    both = {"listId": made["contactList"]["id"], "contactIds": [contact["contact"]["id"]]}
    shown = "contactList { contactCount contacts { edges { node { email } } } }"

    added = await change(stage, "addContactsToList", f"addedCount {shown}", **both)
    removed = await change(stage, "removeContactsFromList", f"removedCount {shown}", **both)
    gone = await change(stage, "deleteContactList", "deletedContactListId", listId=both["listId"])

    assert added == {
        "addedCount": 1,
        "contactList": {"contactCount": 1, "contacts": {"edges": [{"node": {"email": "ann@mail.example"}}]}},
        "userErrors": [],
    }
    assert (removed["removedCount"], removed["contactList"]["contactCount"]) == (1, 0)
    assert gone["deletedContactListId"] == both["listId"]


IMPORT = """contactImport { id state fileName rowsRead rowsImported rowsUpdated rowsDuplicate rowsRejected progress problem
  encoding delimiter columns { header field } errorReportUrl errors { edges { node { rowNumber problem message cells } } } }"""


async def test_from_upload_to_imported_contacts(stage: Stage) -> None:
    made = await change(
        stage,
        "createUpload",
        "upload { id state } url method headers { name value } limitBytes",
        workspaceId=workspace_of(stage),
        fileName="people.csv",
    )
    token = made["url"].rpartition("/")[2]
    await receive_upload(stage.owner, token, pieces_of(b"E-Mail;Vorname\nann@mail.example;Ann\nbad;Bob\n"))
    upload_id = made["upload"]["id"]
    preview = await change(
        stage,
        "previewContactImport",
        "preview { encoding delimiter hasHeader columns { header field } rows sizeBytes }",
        uploadId=upload_id,
    )
    started = await change(stage, "importContacts", IMPORT, workspaceId=workspace_of(stage), uploadId=upload_id)
    row = (await stage.rows("SELECT id, part FROM contact_imports WHERE tenant_id = $1"))[0]
    await run_contact_import(stage.worker(), row["id"], row["part"])
    done = await ask(
        stage,
        f"query Q($id: ID!) {{ contactImport(id: $id) {{ {IMPORT[IMPORT.index('{') + 1 : IMPORT.rindex('}')]} }} }}",
        id=started["contactImport"]["id"],
    )

    assert (made["url"].startswith("http://127.0.0.1:8000/uploads/pm_upload_"), made["method"]) == (True, "PUT")
    assert made["headers"] == [{"name": "Content-Type", "value": "text/csv"}]
    assert preview["preview"] == {
        "encoding": "utf-8",
        "delimiter": ";",
        "hasHeader": True,
        "columns": [{"header": "E-Mail", "field": "email"}, {"header": "Vorname", "field": "first_name"}],
        "rows": [["ann@mail.example", "Ann"], ["bad", "Bob"]],
        "sizeBytes": 44,
    }
    assert (started["contactImport"]["state"], started["contactImport"]["errorReportUrl"]) == ("QUEUED", None)
    result = done["contactImport"]
    assert (result["state"], result["progress"], result["problem"]) == ("COMPLETED", 1.0, None)
    assert [result[name] for name in ("rowsRead", "rowsImported", "rowsUpdated", "rowsDuplicate", "rowsRejected")] == [
        2, 1, 0, 0, 1,
    ]  # fmt: skip
    assert result["errorReportUrl"].startswith("http://127.0.0.1:8000/contact-imports/pm_report_")
    assert [edge["node"] for edge in result["errors"]["edges"]] == [
        {
            "rowNumber": 3,
            "problem": "INVALID_VALUE",
            "message": "“bad” is not an e-mail address: it has no @-sign.",
            "cells": ["bad", "Bob"],
        }
    ]


async def test_what_cannot_be_imported_is_a_user_error(stage: Stage) -> None:
    upload_id = str(global_id("Upload", await stage.uploaded(b"PK\x03\x04 a workbook")))

    refused = await change(
        stage, "importContacts", "contactImport { id }", workspaceId=workspace_of(stage), uploadId=upload_id
    )
    twice = await change(
        stage,
        "previewContactImport",
        "preview { encoding }",
        uploadId=str(global_id("Upload", await stage.uploaded(b"a,b\nx@y.example,z\n"))),
        mapping=[{"column": "a", "field": "email"}, {"column": "b", "field": "email"}],
    )

    assert [(error["code"], error["path"]) for error in refused["userErrors"]] == [
        ("FILE_UNREADABLE", ["input", "uploadId"])
    ]
    assert [(error["code"], error["path"]) for error in twice["userErrors"]] == [("INVALID", ["input", "mapping"])]


TEMPLATE = "template { id name versionNumber current { number subject textBody usedFields onMissingField } }"


async def test_a_template_is_written_changed_previewed_and_deleted(stage: Stage) -> None:
    made = await change(
        stage,
        "createTemplate",
        TEMPLATE,
        workspaceId=workspace_of(stage),
        name="Hello",
        subject="Hello {{ first_name }}",
        textBody="Dear {{ first_name }}",
    )
    template_id = made["template"]["id"]
    changed = await change(
        stage, "updateTemplate", TEMPLATE, templateId=template_id, textBody="Hi {{ city }}", onMissingField="EMPTY"
    )
    shown = await change(
        stage, "previewTemplate", "preview { subject text html }", templateId=template_id, fields={"city": "Oslo"}
    )
    gone = await change(stage, "deleteTemplate", "deletedTemplateId", templateId=template_id)
    listed = await ask(
        stage, "query Q($w: ID!) { templates(workspaceId: $w) { edges { node { id } } } }", w=workspace_of(stage)
    )

    assert made["template"]["current"] == {
        "number": 1,
        "subject": "Hello {{ first_name }}",
        "textBody": "Dear {{ first_name }}",
        "usedFields": ["first_name"],
        "onMissingField": "ERROR",
    }
    assert (changed["template"]["versionNumber"], changed["template"]["current"]["usedFields"]) == (
        2,
        ["city", "first_name"],
    )
    assert shown["preview"] == {
        "subject": "Hello Pat",
        "text": "Hi Oslo\n\n-- \nExample Ltd\n1 Ice Road\n\nUnsubscribe: http://127.0.0.1:8000/u/preview\n",
        "html": None,
    }
    assert gone["deletedTemplateId"] == template_id
    assert listed["templates"]["edges"] == []


async def test_mistakes_in_a_template_come_with_their_lines(stage: Stage) -> None:
    payload = await change(
        stage,
        "createTemplate",
        "template { id }",
        workspaceId=workspace_of(stage),
        name="Wrong",
        subject="Hi",
        textBody="one\n{% if x %}",
        htmlBody="{{ y | shout }}",
    )

    assert payload["template"] is None
    assert [(error["code"], error["path"], error["message"][:20]) for error in payload["userErrors"]] == [
        ("TEMPLATE_INVALID", ["input", "textBody"], "The text, line 2: “{"),
        ("TEMPLATE_INVALID", ["input", "htmlBody"], "The HTML, line 1: th"),
    ]


async def test_a_viewers_change_is_forbidden_and_changes_nothing(stage: Stage) -> None:
    answer = await run(
        schema,
        stage.member(WorkspaceRole.VIEWER),
        "mutation M($input: CreateContactInput!) { createContact(input: $input) { contact { id } } }",
        {"input": {"workspaceId": workspace_of(stage), "email": "ann@mail.example"}},
    )

    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await stage.count("contacts") == 0
