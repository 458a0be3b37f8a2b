"""From template and contact to the mail that is sent: the only such function, for preview and for sending alike."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from liquid import BoundTemplate

from app.core.errors import DomainError, ErrorCode, Problems, Required
from app.outreach.rules.html_text import text_from_html
from app.outreach.rules.template_language import (
    Budget,
    FieldMissing,
    Language,
    LanguageError,
    TooExpensive,
    names,
    parse,
    run,
)

LONGEST_SUBJECT = 998  # RFC 5322, 2.1.1
_LINE_BREAKS = re.compile(r"[ \t]*[\r\n\v\f\x85\u2028\u2029]+[ \t\r\n\v\f\x85\u2028\u2029]*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_BODY_END = re.compile(r"</body\s*>|</html\s*>", re.IGNORECASE)


class MissingFieldRule(StrEnum):
    """What a template does where a contact lacks a field that has no `default`."""

    ERROR = "error"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """What a person wrote. At least one of the bodies is there."""

    subject: str
    text_body: str | None
    html_body: str | None
    on_missing_field: MissingFieldRule


@dataclass(frozen=True, slots=True)
class MailFooter:
    """What every campaign mail must show. Whichever part a template does not print itself is added at its end."""

    postal_address: str
    unsubscribe_url: str


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """Subject: one line, safe in a header. Text: never empty, lines end with a line feed."""

    subject: str
    text: str
    html: str | None


class TemplateInvalid(DomainError):
    """The template is not written correctly, or makes no mail; the message names part and line."""

    code = ErrorCode.TEMPLATE_INVALID


class TemplateTooExpensive(DomainError):
    code = ErrorCode.TEMPLATE_TOO_EXPENSIVE


class MergeFieldMissing(DomainError):
    """The contact lacks a field that the template prints without a fall-back."""

    code = ErrorCode.TEMPLATE_FIELD_MISSING

    def __init__(self, part: str, field: str) -> None:
        super().__init__(
            f"The {part} prints {{{{ {field} }}}}, which this contact does not have. "
            f'Fill the field, or give a fall-back: {{{{ {field} | default: "…" }}}}.'
        )
        self.field = field


_PATHS = {"subject": ("input", "subject"), "text": ("input", "textBody"), "HTML": ("input", "htmlBody")}


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template parsed once, to be rendered for many contacts."""

    source: TemplateSource
    subject: BoundTemplate
    text: BoundTemplate | None
    html: BoundTemplate | None

    def render(self, fields: Mapping[str, object], *, footer: MailFooter | None = None) -> RenderedMail:
        """The mail for one contact. Deterministic: no clock, no chance.

        Fields that are None or blank count as missing. Raises MergeFieldMissing, TemplateTooExpensive, TemplateInvalid.
        """
        known = {name: value for name, value in fields.items() if value is not None and str(value).strip()}
        if footer is not None:
            known |= {"postal_address": footer.postal_address, "unsubscribe_url": footer.unsubscribe_url}
        budget = Budget()
        subject = _one_line(_run("subject", self.subject, known, budget))
        page = None if self.html is None else _run("HTML", self.html, known, budget)
        text = "" if self.text is None else _run("text", self.text, known, budget)
        written = text.strip()
        if not written and (page is None or not text_from_html(page)):
            raise TemplateInvalid("The mail has no text: every part of the template came out empty for this contact.")
        if footer is not None:
            page = None if page is None else _html_with(page, footer)
            text = _text_with(text, footer) if written else text
        return RenderedMail(subject, text if written or page is None else text_from_html(page), page)


def compile_template(source: TemplateSource) -> CompiledTemplate:
    """Parses all parts. Raises Problems of TemplateInvalid, each with its part and line."""
    problems: list[DomainError] = []
    if source.text_body is None and source.html_body is None:
        problems.append(Required("A template needs a text body, an HTML body, or both.", ("input", "textBody")))
    if problem := _subject_problem(source.subject):
        problems.append(TemplateInvalid(problem, _PATHS["subject"]))
    strict = source.on_missing_field is MissingFieldRule.ERROR
    plain, markup = Language(strict=strict, markup=False), Language(strict=strict, markup=True)
    parsed = [
        _parsed("subject", plain, source.subject, problems),
        _parsed("text", plain, source.text_body, problems),
        _parsed("HTML", markup, source.html_body, problems),
    ]
    if problems:
        raise Problems(problems)
    assert parsed[0] is not None
    return CompiledTemplate(source, parsed[0], parsed[1], parsed[2])


def check_template(source: TemplateSource) -> None:
    """At save. Raises Problems of TemplateInvalid."""
    compile_template(source)


def render_template(
    source: TemplateSource, fields: Mapping[str, object], *, footer: MailFooter | None = None
) -> RenderedMail:
    """compile_template(source).render(fields, footer=footer)."""
    return compile_template(source).render(fields, footer=footer)


def used_fields(source: TemplateSource) -> Sequence[str]:
    """Names of the merge fields that a template reads, sorted."""
    compiled = compile_template(source)
    parts = (compiled.subject, compiled.text, compiled.html)
    return sorted({name for part in parts if part is not None for name in names(part)})


def _parsed(part: str, language: Language, source: str | None, problems: list[DomainError]) -> BoundTemplate | None:
    if source is None:
        return None
    try:
        return parse(language, source)
    except LanguageError as error:
        problems.append(TemplateInvalid(_sentence(part, error), _PATHS[part]))
        return None


def _run(part: str, template: BoundTemplate, fields: Mapping[str, object], budget: Budget) -> str:
    try:
        return run(template, fields, budget)
    except FieldMissing as error:
        raise MergeFieldMissing(part, error.field) from error
    except TooExpensive as error:
        raise TemplateTooExpensive(f"The {part} costs too much to render: {error}.", _PATHS[part]) from error
    except LanguageError as error:
        raise TemplateInvalid(_sentence(part, error), _PATHS[part]) from error


def _sentence(part: str, error: LanguageError) -> str:
    where = f"The {part}, line {error.line}" if error.line else f"The {part}"
    return f"{where}: {error.message}."


def _subject_problem(subject: str) -> str | None:
    if not subject.strip():
        return "A template needs a subject."
    if len(subject) > LONGEST_SUBJECT:
        return f"The subject is longer than {LONGEST_SUBJECT} characters."
    if _LINE_BREAKS.search(subject):
        return "The subject is one line: remove its line breaks."
    return _unsafe(subject)


def _unsafe(subject: str) -> str | None:
    if _CONTROLS.search(subject):
        return "The subject has control characters."
    if "=?" in subject:
        return "The subject contains “=?”, which mail programs read as the start of an encoded word (RFC 2047)."
    return None


def _one_line(subject: str) -> str:
    """Line breaks become spaces: a contact's field may hold them, a header never."""
    line = _LINE_BREAKS.sub(" ", subject).replace("\t", " ").strip()
    if not line:
        raise TemplateInvalid("The subject came out empty for this contact.", _PATHS["subject"])
    if len(line) > LONGEST_SUBJECT:
        raise TemplateInvalid(f"The subject came out longer than {LONGEST_SUBJECT} characters.", _PATHS["subject"])
    if problem := _unsafe(line):
        raise TemplateInvalid(problem, _PATHS["subject"])
    return line


def _text_with(text: str, footer: MailFooter) -> str:
    missing = []
    if not _shows(text, footer.postal_address):
        missing.append(footer.postal_address)
    if footer.unsubscribe_url not in text:
        missing.append(f"Unsubscribe: {footer.unsubscribe_url}")
    return text if not missing else text.rstrip() + "\n\n-- \n" + "\n\n".join(missing) + "\n"


def _html_with(page: str, footer: MailFooter) -> str:
    missing = []
    if not _shows(page, html.escape(footer.postal_address)) and not _shows(page, _quoted(footer.postal_address)):
        missing.append(f"<p>{'<br>'.join(html.escape(line) for line in footer.postal_address.splitlines())}</p>")
    url = html.escape(footer.unsubscribe_url)
    if url not in page and _quoted(footer.unsubscribe_url) not in page:
        missing.append(f'<p><a href="{url}">Unsubscribe</a></p>')
    if not missing:
        return page
    ends = list(_BODY_END.finditer(page))
    at = ends[0].start() if len(ends) in (1, 2) else len(page)
    return page[:at] + "<hr>" + "".join(missing) + page[at:]


def _quoted(text: str) -> str:
    """As the templates' own escaping writes it: &#39; and &#34; where html.escape writes &#x27; and &quot;."""
    return html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")


def _shows(page: str, address: str) -> bool:
    return all(line.strip() in page for line in address.splitlines() if line.strip())
