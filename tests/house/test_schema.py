"""The public schema as a contract: committed as it is, with all that was promised, every name and list by the conventions."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_specified_scalar_type,
)

from graph.core.connections import is_bounded
from graph.schema import schema
from tests.house.schema_walk import SCHEMA, node_types, operations

ROOT = Path(__file__).resolve().parents[2]


def words(text: str) -> list[str]:
    return text.split()


MUTATIONS = words("""
signUp verifyEmail signIn switchTenant refreshSession signOut revokeSession changePassword requestPasswordReset resetPassword
updateTenantSettings createWorkspace updateWorkspace inviteMember acceptInvitation revokeInvitation changeMemberRole
removeMember createUpload importContacts cancelContactImport createContact updateContact deleteContact createContactList
deleteContactList addContactsToList removeContactsFromList connectMailbox testMailbox updateMailbox disconnectMailbox
createTemplate updateTemplate deleteTemplate previewTemplate createCampaign updateCampaign launchCampaign pauseCampaign
enrollTotp confirmTotp disableTotp regenerateRecoveryCodes resumeCampaign cancelCampaign archiveCampaign resolveInDoubtMessage suppressContact unsuppressContact retryDeadJob
""")
QUERIES = words("""
viewer node nodes tenantSettings workspaces members invitations sessions contacts contactLists contactImports mailboxes
templates campaigns enrollments messages suppressions jobs jobQueues sandboxMessages
""")
SUBSCRIPTIONS = words("campaignStatus campaignEvents contactImportStatus tenantEvents")
# Mutations that may be repeated without harm, or that answer secrets, which no stored answer may hold.
WITHOUT_KEY = words("""
signUp verifyEmail signIn switchTenant refreshSession signOut revokeSession revokeOtherSessions changePassword
requestPasswordReset resetPassword acceptInvitation enrollTotp confirmTotp disableTotp regenerateRecoveryCodes createUpload previewContactImport previewTemplate
""")


def own_types() -> Iterator[GraphQLNamedType]:
    for name, kind in SCHEMA.type_map.items():
        if not name.startswith("__") and not is_specified_scalar_type(kind):
            yield kind


def members() -> Iterator[tuple[str, str | None]]:
    """(place, description) of every type, field, argument and enum value."""
    for kind in own_types():
        yield kind.name, kind.description
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{kind.name}.{name}", value.description) for name, value in kind.values.items())
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{kind.name}.{name}", field.description) for name, field in kind.fields.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                yield f"{kind.name}.{name}", field.description
                yield from ((f"{kind.name}.{name}({arg})", each.description) for arg, each in field.args.items())


def names(kind: str) -> set[str]:
    return {each.name for each in operations(kind) if each.parent is None}


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    committed = (ROOT / "schema.graphql").read_text("utf-8")

    assert committed == schema.as_str().rstrip() + "\n", "run `./penguinmails schema` and commit schema.graphql"


@pytest.mark.parametrize(
    ("kind", "promised"), [("mutation", MUTATIONS), ("query", QUERIES), ("subscription", SUBSCRIPTIONS)]
)
def test_every_operation_that_was_promised_is_there(kind: str, promised: list[str]) -> None:
    assert sorted(set(promised) - names(kind)) == []


def test_signing_up_and_in_take_and_answer_what_was_promised() -> None:
    def fields(name: str) -> set[str]:
        kind = SCHEMA.type_map[name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
        return set(kind.fields)

    assert fields("SignUpInput") >= {"email", "password", "name", "tenantName"}
    assert fields("SignInInput") >= {"email", "password", "tenantId"}
    assert fields("SessionTokens") >= {"accessToken", "refreshToken", "expiresAt"}
    assert fields("UserError") == {"code", "message", "path"}
    for payload in ("SignUpPayload", "SignInPayload"):
        assert fields(payload) >= {"session", "tenant", "workspace", "userErrors"}


def test_everything_is_described_in_a_sentence() -> None:
    assert [place for place, text in members() if not re.search(r"[.!?]$", (text or "").strip())] == []


def test_every_list_of_objects_is_a_connection_or_says_why_it_is_short() -> None:
    bare = [
        f"{kind.name}.{name}"
        for kind in own_types()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not kind.name.endswith("Connection")
        for name, field in kind.fields.items()
        if is_list_type(get_nullable_type(field.type)) and not is_leaf_type(get_named_type(field.type))
        if not is_bounded(field.extensions.get("strawberry-definition")) and name not in ("userErrors", "nodes")
    ]

    assert bare == []


def test_every_connection_takes_first_and_after_and_has_edges_and_page_info() -> None:
    wrong = []

    for kind in own_types():
        for name, field in kind.fields.items() if isinstance(kind, GraphQLObjectType) else ():
            named = get_named_type(field.type)
            if named.name.endswith("Connection"):
                taken = {arg: (str(each.type), each.default_value) for arg, each in field.args.items()}
                given = {inner: str(each.type) for inner, each in named.fields.items()}
                stem = named.name.removesuffix("Connection")
                if taken.get("first") != ("Int!", 25) or taken.get("after", ("",))[0] != "String":
                    wrong.append(f"{kind.name}.{name} takes {taken}")
                if given != {"edges": f"[{stem}Edge!]!", "pageInfo": "PageInfo!"} or not is_non_null_type(field.type):
                    wrong.append(f"{kind.name}.{name} answers {given}")

    assert wrong == []


def test_mutations_are_a_verb_and_a_noun_with_one_input_and_one_payload() -> None:
    wrong = []

    for each in operations("mutation"):
        word = each.name[0].upper() + each.name[1:]
        payload = SCHEMA.type_map[f"{word}Payload"]
        assert isinstance(payload, GraphQLObjectType)
        takes = {name: str(argument.type) for name, argument in each.field.args.items()}
        if takes != {"input": f"{word}Input!"} or str(each.field.type) != f"{word}Payload!":
            wrong.append(f"{each.name}{takes}: {each.field.type}")
        firm = [n for n, field in payload.fields.items() if is_non_null_type(field.type) and n != "userErrors"]
        if firm or str(payload.fields["userErrors"].type) != "[UserError!]!":
            wrong.append(f"{payload.name}: {firm}")

    assert wrong == []


def test_what_has_an_effect_can_be_repeated_under_a_key() -> None:
    inputs = {
        each.name: SCHEMA.type_map[f"{each.name[0].upper()}{each.name[1:]}Input"] for each in operations("mutation")
    }
    keyed = {
        name
        for name, kind in inputs.items()
        if isinstance(kind, GraphQLInputObjectType) and "idempotencyKey" in kind.fields
    }

    assert sorted(names("mutation") - keyed - set(WITHOUT_KEY)) == []


def test_names_are_written_as_everywhere() -> None:
    wrong = []

    for place, _ in members():
        last = re.split(r"[.(]", place.rstrip(")"))[-1]
        kind = SCHEMA.type_map.get(place.partition(".")[0])
        pattern = r"[A-Z][A-Za-z0-9]*" if "." not in place else r"[a-z][A-Za-z0-9]*"
        if isinstance(kind, GraphQLEnumType) and "." in place:
            pattern = r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*"
        if not re.fullmatch(pattern, last):
            wrong.append(place)
    assert wrong == []


def test_moments_end_in_at_and_days_in_on() -> None:
    """STYLE: moments end in `At`, days in `On`; the two short words stand where the whole object is one moment."""
    wrong = [
        f"{kind.name}.{name}"
        for kind in own_types()
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
        for name, field in kind.fields.items()
        if (get_named_type(field.type).name == "DateTime" and not re.search(r"(At|^at|^asOf)$", name))
        or (get_named_type(field.type).name == "Date" and not re.search(r"(On|^on)$", name))
    ]

    assert wrong == []


def test_every_object_that_is_found_by_id_is_a_node() -> None:
    """A field `<noun>(id:)` of Query gives a node."""
    found = {get_named_type(each.field.type).name for each in operations("query") if set(each.field.args) == {"id"}}

    assert found - {"Node"} <= set(node_types())
