"""Which merge fields a template cannot do without: known from what is written, without a contact."""

from collections.abc import Iterator, Sequence

from liquid import BoundTemplate
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode

from app.outreach.rules.contact_fields import ALWAYS_THERE
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource, compile_template


def needed_fields(source: TemplateSource) -> Sequence[str]:
    """The contact's fields without which every mail of the template fails, in the order of their first use.

    Only those printed outside of every tag: what a condition, a loop or a capture prints may never be printed. Left out
    as well is a name that the template gives a value itself. Raises Problems where the template is not in the language.
    """
    if source.on_missing_field is not MissingFieldRule.ERROR:
        return []
    compiled = compile_template(source)
    parts = (compiled.subject, compiled.text, compiled.html)
    found = dict.fromkeys(name for part in parts if part is not None for name in _printed(part))
    return [name for name in found if name not in ALWAYS_THERE]


def _printed(template: BoundTemplate) -> Iterator[str]:
    own = template.analyze().locals
    for node in template.nodes:
        if isinstance(node, OutputNode) and (name := _without_fall_back(node.expression)) and name not in own:
            yield name


def _without_fall_back(expression: object) -> str:
    """A fall-back helps as the first filter only: every other filter fails for a field that is not there."""
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return ""
    if expression.filters and expression.filters[0].name == "default":
        return ""
    name = expression.left.path[0]
    return name if isinstance(name, str) else ""
