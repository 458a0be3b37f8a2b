"""Headers are matched to fields by meaning, and a person's mapping is obeyed or refused."""

import pytest

from app.core.errors import DomainError
from app.outreach.rules.contact_columns import columns_as_mapped, columns_by_content, columns_by_meaning


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["E-mail", "First name", "Last name", "Company"], ("email", "first_name", "last_name", "company")),
        (["EMAIL ADDRESS", "Given_Name", "Surname", "Organisation"], ("email", "first_name", "last_name", "company")),
        (["Firma", "Vorname", "Nachname", "E-Mail-Adresse"], ("company", "first_name", "last_name", "email")),
        (["Prénom", "Nom", "Société", "Courriel"], ("first_name", "last_name", "company", "email")),
        (["Nombre", "Apellidos", "Empresa", "Correo electrónico"], ("first_name", "last_name", "company", "email")),
        (["email", "Job Title", "2nd line", "Größe"], ("email", "job_title", "field_2nd_line", "größe")),
        (["email", "email 2", "E-Mail work"], ("email", "email_2", "e_mail_work")),
        (["Work email", "Email"], ("work_email", "email")),
        (["email", "", "  ", "Notes", "notes"], ("email", "column_2", "column_3", "notes", "notes_2")),
        (["email", "unsubscribe_url", "for", "Empty"], ("email", "field_unsubscribe_url", "field_for", "field_empty")),
        (["email", "x" * 80], ("email", "x" * 50)),
    ],
)
def test_meaning(header: list[str], columns: tuple[str, ...]) -> None:
    assert columns_by_meaning(header) == columns


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["name", "city"], "No column reads as the e-mail address"),
        (["Email", "E-Mail"], "“Email” and “E-Mail” both fill the field email"),
        (["email", "First Name", "first_name"], "both fill the field first_name"),
        (["email", *(f"c{number}" for number in range(60))], "at most 50"),
    ],
)
def test_headers_that_cannot_be_matched(header: list[str], words: str) -> None:
    with pytest.raises(DomainError) as refused:
        columns_by_meaning(header)

    assert words in refused.value.message


def test_a_mapping_is_obeyed_and_the_rest_keeps_its_meaning() -> None:
    header = ["Mail", "Private mail", "Vorname", "X", "Y"]

    columns = columns_as_mapped(header, [("Private mail", "email"), ("X", None), ("Mail", "work_mail")])

    assert columns == ("work_mail", "email", "first_name", None, "y")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ([("X", "email"), ("Y", "email")], "both fill the field email"),
        ([("X", "email"), ("X", "first_name")], "mapped twice"),
        ([("Z", "email")], "no such column “Z”"),
        ([("X", "Bad Name"), ("Mail", "email")], "cannot name a field"),
        ([("X", "postal_address")], "a meaning of its own"),
        ([("Mail", None)], "Map one column to email"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: list[tuple[str, str | None]], words: str) -> None:
    with pytest.raises(DomainError) as refused:
        columns_as_mapped(["Mail", "X", "Y"], mapping)

    assert words in refused.value.message


def test_without_a_header_columns_are_numbered() -> None:
    assert columns_by_content(3, 1) == ("column_1", "email", "column_3")
