"""Which fields a template cannot do without, held against the rendering itself."""

import pytest

from app.outreach.rules.needed_fields import needed_fields
from app.outreach.rules.template_language import FILTERS
from app.outreach.rules.template_rendering import MergeFieldMissing, MissingFieldRule, TemplateSource, render_template

ARGUMENTS = {"append": ': "x"', "prepend": ': "x"', "remove": ': "x"', "remove_first": ': "x"', "slice": ": 1"}
ARGUMENTS |= {"replace": ': "x", "y"', "replace_first": ': "x", "y"', "split": ': "x"', "join": ': "x"'}


def source(text: str, rule: MissingFieldRule = MissingFieldRule.ERROR) -> TemplateSource:
    return TemplateSource("Hi", f"Hello {text}", None, rule)


def test_every_part_counts_and_each_field_once_in_the_order_of_use() -> None:
    parts = TemplateSource("Hi {{ city }}", "{{ company }} {{ city }}", "<p>{{ role }}</p>", MissingFieldRule.ERROR)

    assert needed_fields(parts) == ["city", "company", "role"]


@pytest.mark.parametrize("name", sorted(FILTERS - {"default"}))
def test_a_field_that_is_not_there_fails_in_every_other_filter_also_before_a_fall_back(name: str) -> None:
    text = f'{{{{ city | {name}{ARGUMENTS.get(name, "")} | default: "x" }}}}'

    assert needed_fields(source(text)) == ["city"]
    with pytest.raises(MergeFieldMissing):
        render_template(source(text), {})


@pytest.mark.parametrize(
    "text",
    [
        '{{ city | default: "town" }}',
        "{{ city | default: company }}",
        "{% if city %}{{ city }}{% endif %}",
        '{% unless city %}{% assign city = "town" %}{% endunless %}{{ city }}',
        "{% for each in cities %}{{ each }}{% endfor %}",
        "{% comment %}{{ city }}{% endcomment %}",
        '{{ "city" }}',
        "{{ email }} {{ sender_name }} {{ sender_email }} {{ postal_address }} {{ unsubscribe_url }}",
        "{{ [email] }}",
    ],
)
def test_what_has_a_fall_back_or_may_never_be_printed_is_not_needed(text: str) -> None:
    assert needed_fields(source(text)) == []


def test_nothing_is_needed_where_gaps_are_allowed() -> None:
    assert needed_fields(source("{{ city }}", MissingFieldRule.EMPTY)) == []
