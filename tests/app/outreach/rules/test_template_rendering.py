"""Rendering: what is written is what is sent, values cannot break out, and gaps are errors or blanks by choice."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import DomainError, ErrorCode, Problems
from app.outreach.rules.template_rendering import (
    MailFooter,
    MergeFieldMissing,
    MissingFieldRule,
    RenderedMail,
    TemplateInvalid,
    TemplateSource,
    check_template,
    render_template,
    used_fields,
)

ANN: Mapping[str, object] = {"first_name": "Ann", "company": "Ice & <Sons>", "email": "ann@mail.example"}
FOOTER = MailFooter("Example Ltd\n1 Ice Road", "https://mail.example/u/abc?x=1&y='2'")


def source(
    subject: str = "Hello",
    text: str | None = None,
    html: str | None = None,
    rule: MissingFieldRule = MissingFieldRule.ERROR,
) -> TemplateSource:
    return TemplateSource(subject, text, html, rule)


def test_values_are_escaped_in_html_and_raw_in_subject_and_text() -> None:
    template = source("For {{ company }}", "At {{ company }}", '<p title="{{ company }}">{{ company }}</p>')

    assert render_template(template, ANN) == RenderedMail(
        "For Ice & <Sons>",
        "At Ice & <Sons>",
        '<p title="Ice &amp; &lt;Sons&gt;">Ice &amp; &lt;Sons&gt;</p>',
    )


@pytest.mark.parametrize(
    "printed",
    [
        "{{ x }}",
        "{{ x | upcase }}",
        "{{ x | append: x }}",
        "{{ x | default: 'y' }}",
        "{{ x | replace: 'q', 'r' }}",
        "{% assign y = x %}{{ y }}",
        "{% capture y %}{{ x }}{% endcapture %}{{ y }}",
        "{{ x | split: ',' | join: ' ' }}",
        "{{ x | newline_to_br }}",
        "{{ x | strip_newlines }}",
        "{{ x | truncate: 30 }}",
        "{{ 'a' | append: x }}",
    ],
)
def test_no_filter_lets_a_value_break_out_of_html(printed: str) -> None:
    rendered = render_template(source(html=f"<p>{printed}</p>"), {"x": "<script>alert('1')</script>"})

    assert rendered.html is not None
    assert "<script" not in rendered.html.lower()


def test_a_missing_field_is_an_error_that_names_it_and_the_part() -> None:
    for fields in ({}, {"first_name": None}, {"first_name": "  "}):
        with pytest.raises(MergeFieldMissing) as refused:
            render_template(source(text="Dear {{ first_name }}"), fields)
        assert refused.value.field == "first_name"
        assert refused.value.code is ErrorCode.TEMPLATE_FIELD_MISSING
        assert "The text prints {{ first_name }}" in refused.value.message


def test_a_missing_field_is_blank_where_the_template_says_so() -> None:
    assert render_template(source(text="Dear {{ name }}!", rule=MissingFieldRule.EMPTY), {}).text == "Dear !"


@pytest.mark.parametrize("rule", list(MissingFieldRule))
def test_fall_backs_and_conditions_need_no_field(rule: MissingFieldRule) -> None:
    text = (
        "Dear {{ first_name | default: 'friend' }}"
        "{% if company %} at {{ company }}{% else %} wherever you are{% endif %}"
        "{% unless city %}, no city{% endunless %}{% if city == nil %}!{% endif %}"
        "{% case job %}{% when 'CEO' %} boss{% else %} colleague{% endcase %}"
    )

    assert render_template(source(text=text, rule=rule), {}).text == (
        "Dear friend wherever you are, no city! colleague"
    )
    assert render_template(source(text=text, rule=rule), {"company": "Ice", "city": "Oslo", "job": "CEO"}).text == (
        "Dear friend at Ice boss"
    )


def test_the_text_part_comes_from_the_html_where_it_is_absent() -> None:
    rendered = render_template(
        source(html="<p>Dear {{ first_name }},</p><p>see <a href='https://x.example'>us</a></p>"), ANN
    )

    assert rendered.text == "Dear Ann,\n\nsee us (https://x.example)"


def test_the_footer_is_added_to_both_parts_unless_the_template_prints_it() -> None:
    added = render_template(source(text="Hi", html="<html><body><p>Hi</p></body></html>"), ANN, footer=FOOTER)
    printed = render_template(
        source(
            text="Hi\n{{ postal_address }}\n{{ unsubscribe_url }}",
            html='<p>{{ postal_address | newline_to_br }} <a href="{{ unsubscribe_url }}">no more</a></p>',
        ),
        ANN,
        footer=FOOTER,
    )

    assert added.text == ("Hi\n\n-- \nExample Ltd\n1 Ice Road\n\nUnsubscribe: https://mail.example/u/abc?x=1&y='2'\n")
    assert added.html == (
        "<html><body><p>Hi</p><hr><p>Example Ltd<br>1 Ice Road</p>"
        '<p><a href="https://mail.example/u/abc?x=1&amp;y=&#x27;2&#x27;">Unsubscribe</a></p></body></html>'
    )
    assert printed.text == "Hi\nExample Ltd\n1 Ice Road\nhttps://mail.example/u/abc?x=1&y='2'"
    assert printed.html is not None
    assert printed.html.count("Example Ltd") == printed.html.count("abc?x=1") == 1


def test_the_footer_cannot_be_left_out_by_reading_its_fields_without_printing_them() -> None:
    sly = source(text="{% if postal_address %}Hi{% endif %}{% assign u = unsubscribe_url %}")

    rendered = render_template(sly, ANN, footer=FOOTER)

    assert "1 Ice Road" in rendered.text
    assert FOOTER.unsubscribe_url in rendered.text


def test_a_contact_cannot_replace_the_footer() -> None:
    rendered = render_template(
        source(text="{{ unsubscribe_url }}"), {"unsubscribe_url": "https://evil.example"}, footer=FOOTER
    )

    assert "evil" not in rendered.text


@pytest.mark.parametrize("value", ["a\r\nBcc: eve@mail.example", "a\nb", "a\rb", "a\u2028b", "a\x0bb", "a\x85b"])
def test_line_breaks_in_a_field_stay_on_the_subjects_one_line(value: str) -> None:
    subject = render_template(source("To {{ x }}!", "text"), {"x": value}).subject

    assert subject.splitlines() == [subject]
    assert subject.startswith("To a ")


@pytest.mark.parametrize("value", ["=?utf-8?q?a=0d=0aBcc:_x?=", "a\x00b", "a\x1bb", "\x7f"])
def test_a_subject_that_mail_programs_would_decode_or_choke_on_is_refused(value: str) -> None:
    with pytest.raises(TemplateInvalid):
        render_template(source("To {{ x }}", "text"), {"x": f"a{value}"})


@given(st.text(max_size=40))
def test_no_value_whatever_puts_a_second_line_or_an_encoded_word_into_the_subject(value: str) -> None:
    try:
        subject = render_template(source("To {{ x }}", "text", rule=MissingFieldRule.EMPTY), {"x": value}).subject
    except TemplateInvalid:
        return

    assert subject.splitlines() == [subject]
    assert "=?" not in subject
    assert not any(ord(character) < 32 for character in subject)


def test_mistakes_are_told_at_save_with_part_and_line_all_at_once() -> None:
    with pytest.raises(Problems) as refused:
        check_template(source("{{ a", "one\ntwo {% if x %}\n", "<p>\n\n{{ y | shout }}</p>"))

    assert [(part.path[-1], part.message[:23]) for part in refused.value.parts()] == [
        ("subject", "The subject, line 1: “{"),
        ("textBody", "The text, line 2: “{% i"),
        ("htmlBody", "The HTML, line 3: there"),
    ]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (source(), "needs a text body"),
        (source(" ", "x"), "needs a subject"),
        (source("a\nb", "x"), "one line"),
        (source("=?utf-8?q?x?=", "x"), "encoded word"),
        (source("a" * 999, "x"), "longer than 998"),
        (source(text="{% include 'x' %}"), "no tag “include”"),
        (source(text="{% render 'x' %}"), "no tag “render”"),
        (source(text="{% raw %}{{ x }}{% endraw %}"), "no tag “raw”"),
        (source(text="{{ 'x' | date: '%s' }}"), "no filter “date”"),
        (source(html="{{ x | safe }}"), "no filter “safe”"),
        (source(text="{% for i in (1..9) %}{% endfor %}"), "ranges"),
        (source(text="a\n{{ x | }}"), "The text, line 2: expected word"),
        (source(text="{{ x }}\n{% if %}{% endif %}"), "The text, line 2: missing expression"),
        (source(text="\n{% if a %}{% elsif b and %}{% endif %}"), "The text, line 2: "),
        (source(text="\n\n{% for %}{% endfor %}"), "The text, line 3: "),
        (source(text="\n{% endif %}"), "line 2: “{% endif %}” closes nothing"),
        (source(text="{% if a %}\n{% for b in c %}{% endif %}{% endfor %}"), "line 2: “{% endif %}” closes nothing"),
        (source(text="\n{% else %}"), "The text, line 2: unexpected tag 'else'"),
        (source(text="a" * 100_001), "longer than 100,000"),
        (source(text="{{ " + "x" * 501 + " }}"), "longer than 500"),
    ],
)
def test_what_is_no_template_is_refused_at_save(template: TemplateSource, words: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_template(template)

    assert words in refused.value.message


def test_a_mail_that_comes_out_empty_is_refused() -> None:
    for template in (source(text="{% if x %}a{% endif %} "), source(html="<p>{% if x %}a{% endif %}</p>")):
        with pytest.raises(TemplateInvalid, match="no text"):
            render_template(template, {}, footer=FOOTER)


def test_the_fields_that_a_template_reads_are_known() -> None:
    template = source(
        "{{ a }}", "{% assign z = b %}{% for i in c %}{{ i }}{{ forloop.index }}{% endfor %}{{ z }}", "{{ d }}"
    )

    assert used_fields(template) == ["a", "b", "c", "d"]


def test_the_clock_is_not_a_field() -> None:
    assert render_template(source(text="{{ now }}{{ today }}.", rule=MissingFieldRule.EMPTY), {}).text == "."
