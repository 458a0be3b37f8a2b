"""Which column of a CSV file fills which field of a contact: by the meaning of its header, or as a person chose."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from app.core.errors import DomainError, Invalid, NotFound, Problems, Required
from app.outreach.rules.contact_fields import (
    MOST_CUSTOM_FIELDS,
    STANDARD_FIELDS,
    check_custom_names,
    custom_field_name,
)

Columns = tuple[str | None, ...]
"""One entry per column: the field's name, or None for a column that is not imported."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ColumnMapping = Sequence[tuple[str, str | None]]
"""Pairs of a column's header and the field it fills; None leaves the column out."""

_MEANINGS: dict[str, tuple[str, ...]] = {
    "email": _words(
        "email emailaddress mail mailaddress emails emailid primaryemail workemail businessemail contactemail personemail"
        " emailadresse mailadresse epost epostadresse courriel adresseemail adressemail correo correoelectronico"
        " direccionecorreo indirizzoemail emailadres enderecodeemail"
    ),
    "first_name": _words(
        "firstname fname givenname forename first vorname rufname prenom nombre nome primeironome voornaam etunimi fornavn"
    ),
    "last_name": _words(
        "lastname lname surname familyname last nachname familienname zuname nom nomdefamille apellido apellidos cognome"
        " sobrenome ultimonome achternaam sukunimi etternavn efternamn"
    ),
    "company": _words(
        "company companyname organization organisation organizationname organisationname employer account accountname business"
        " firma unternehmen firmenname societe entreprise empresa azienda societa bedrijf bedrijfsnaam yritys"
    ),
}
_NOT_A_LETTER = re.compile(r"[\W_]+")


def columns_by_meaning(header: Sequence[str]) -> Columns:
    """Matches headers such as `E-Mail`, `First name` or `Vorname`; what has no meaning becomes a custom field.

    Raises Problems: no column holds the address, two columns mean the same field, or there are too many.
    """
    problems: list[DomainError] = []
    chosen: dict[int, str] = {}
    bare = [_bare(cell) for cell in header]
    for field, words in _MEANINGS.items():
        ranked = sorted((words.index(word), at) for at, word in enumerate(bare) if word in words)
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            problems.append(_twice(field, [header[at] for _rank, at in ranked[:2]]))
        elif ranked:
            chosen[ranked[0][1]] = field
    if "email" not in chosen.values() and not problems:
        shown = ", ".join(f"“{cell[:40]}”" for cell in header[:10])
        problems.append(Required(f"No column reads as the e-mail address: map one of {shown}.", ("input", "mapping")))
    if problems:
        raise Problems(problems)
    return _with_custom(header, chosen)


def columns_by_content(width: int, email_column: int) -> Columns:
    """For a file without a header: the address, and `column_1` and so on."""
    return tuple("email" if at == email_column else f"column_{at + 1}" for at in range(width))


def columns_as_mapped(header: Sequence[str], mapping: ColumnMapping) -> Columns:
    """From header to field, as a person chose; None leaves a column out. Columns not named keep their meaning.

    Raises Problems: an unknown column, a column or a field that is mapped twice, no address, a name that cannot be.
    """
    problems: list[DomainError] = []
    found = {cell.strip(): at for at, cell in reversed(list(enumerate(header)))}
    chosen: dict[int, str | None] = {}
    for column, field in mapping:
        at = found.get(column.strip())
        if at is None:
            problems.append(NotFound(f"column “{column[:40]}” in this file", ("input", "mapping")))
        elif at in chosen:
            problems.append(Invalid(f"The column “{column[:40]}” is mapped twice.", ("input", "mapping")))
        else:
            chosen[at] = field
    _fill_meanings(header, chosen)
    filled = [field for field in chosen.values() if field is not None]
    for field in sorted({field for field in filled if filled.count(field) > 1}):
        problems.append(_twice(field, [header[at] for at, name in chosen.items() if name == field]))
    if "email" not in filled:
        problems.append(Required("Map one column to email.", ("input", "mapping")))
    try:
        check_custom_names(field for field in filled if field not in STANDARD_FIELDS)
    except Problems as error:
        problems.extend(Invalid(part.message, ("input", "mapping")) for part in error.parts())
    if problems:
        raise Problems(problems)
    return _with_custom(header, chosen)


def _fill_meanings(header: Sequence[str], chosen: dict[int, str | None]) -> None:
    """Standard fields that nobody mapped go to the best column that nobody mapped."""
    for field, words in _MEANINGS.items():
        if field in chosen.values():
            continue
        free = sorted(
            (words.index(_bare(cell)), at)
            for at, cell in enumerate(header)
            if at not in chosen and _bare(cell) in words
        )
        if free:
            chosen[free[0][1]] = field


def _with_custom(header: Sequence[str], chosen: Mapping[int, str | None]) -> Columns:
    """Every other column becomes a custom field; equal names are told apart by a number."""
    taken = {field for field in chosen.values() if field is not None}
    columns: list[str | None] = []
    for at, cell in enumerate(header):
        if at in chosen:
            columns.append(chosen[at])
            continue
        name = wanted = custom_field_name(cell) if cell.strip() else f"column_{at + 1}"
        number = 2
        while name in taken:
            name, number = f"{wanted[:45]}_{number}", number + 1
        taken.add(name)
        columns.append(name)
    custom = sum(1 for name in columns if name is not None and name not in STANDARD_FIELDS)
    if custom > MOST_CUSTOM_FIELDS:
        raise Problems(
            [
                Invalid(
                    f"The file has {custom} columns for custom fields, and a contact has at most {MOST_CUSTOM_FIELDS}: "
                    "map some of them to nothing.",
                    ("input", "mapping"),
                )
            ]
        )
    return tuple(columns)


def _bare(cell: str) -> str:
    """`E-Mail Adresse` -> `emailadresse`: no case, accents, spaces or signs."""
    plain = unicodedata.normalize("NFKD", cell).encode("ascii", "ignore").decode() if not cell.isascii() else cell
    return _NOT_A_LETTER.sub("", plain.casefold())


def _twice(field: str, columns: Sequence[str]) -> DomainError:
    named = " and ".join(f"“{cell[:40]}”" for cell in columns)
    return Invalid(f"The columns {named} both fill the field {field}: map only one of them.", ("input", "mapping"))
