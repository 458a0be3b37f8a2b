"""The templates' language: Liquid without files, clocks and arithmetic, in which every node and character is counted.

Templates are written by tenants. What one may cost is decided by counting, never by a clock, so that the same template
with the same fields always gives the same mail, or the same error.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from liquid import BoundTemplate, Environment, RenderContext, Undefined
from liquid.exceptions import LiquidError, LocalNamespaceLimitError, ResourceLimitError, UndefinedError
from liquid.filter import with_context
from liquid.output import LimitedStringIO
from liquid.token import TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT
from liquid.undefined import FalsyStrictUndefined
from liquid.utils import ReadOnlyChainMap


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MOST_NODES = 2_000
MOST_CHARACTERS = 1_000_000
LONGEST_OUTPUT_BYTES = 200_000
LONGEST_SOURCE = 100_000  # mail programs cut off at 102 kB
LONGEST_MARKUP = 500
MOST_MARKUPS = 1_000
LONGEST_VALUE = 16_384
MOST_ITEMS = 1_000
MOST_VARIABLES = 100
MOST_JOINTS = 20
LOOKUP_COST = 20

TAGS = frozenset(_listed("if unless case for break continue capture assign comment #"))
INNER_TAGS = frozenset(_listed("elsif else endif endunless when endcase endfor endcapture endcomment"))
FILTERS = frozenset(
    _listed(
        "append capitalize default downcase escape first join last lstrip newline_to_br prepend remove remove_first replace "
        "replace_first rstrip size slice split squish strip strip_newlines truncate truncatewords upcase url_encode"
    )
)

BLOCKS = frozenset({"if", "unless", "case", "for", "capture", "comment"})

_OPENING = re.compile(r"\{[{%]")
_TAG_NAME = re.compile(r"-?\s*(#|\w*)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_BLANKS = re.compile(r"\s{30}")
_JOINTS = re.compile(r"\b(?:and|or)\b|,")


class LanguageError(Exception):
    """The template is not written in the language. `line` counts from 1; 0 where none is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class FieldMissing(Exception):
    """The template prints a field that this contact does not have, and allows no gap."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class TooExpensive(Exception):
    """Rendering went over a limit; the message says which."""


@dataclass(slots=True)
class Budget:
    """What one mail may still cost, over all its parts: nodes rendered, and characters looked up or made."""

    nodes: int = MOST_NODES
    characters: int = MOST_CHARACTERS

    def node(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise ResourceLimitError(f"it takes more than {MOST_NODES:,} steps: shorten its loops", token=None)

    def value(self, value: object) -> None:
        self.characters -= LOOKUP_COST + _measured(value)
        if self.characters < 0:
            raise ResourceLimitError(f"it handles more than {MOST_CHARACTERS:,} characters", token=None)


def _measured(value: object) -> int:
    """The size of a value in characters. Raises ResourceLimitError when it alone is too big."""
    if isinstance(value, str):
        size = len(value)
    elif isinstance(value, list):
        if len(value) > MOST_ITEMS:
            raise ResourceLimitError(f"a list has more than {MOST_ITEMS:,} items", token=None)
        size = sum(len(item) if isinstance(item, str) else 1 for item in value)
    else:
        return 1
    if size > LONGEST_VALUE:
        raise ResourceLimitError(f"a value grew over {LONGEST_VALUE:,} characters", token=None)
    return size


class _Context(RenderContext):
    """Looks names up in the fields and the template's own variables only: Liquid's `now` and `today` do not exist."""

    __slots__ = ("budget",)

    def __init__(self, template: BoundTemplate, *, fields: Mapping[str, object], budget: Budget) -> None:
        self.budget = budget
        super().__init__(template, globals=fields)
        self.scope = ReadOnlyChainMap(self.locals, self.globals)

    @property
    def disabled_tags(self) -> list[str]:
        """Every node asks for this before it renders, so here each is counted."""
        self.budget.node()
        return []

    @disabled_tags.setter
    def disabled_tags(self, value: list[str]) -> None:
        assert not value

    def get(self, path: list[object], **named: Any) -> object:
        value = super().get(path, **named)
        self.budget.value(value)
        return value

    def assign(self, key: str, val: Any) -> None:
        self.budget.value(val)
        super().assign(key, val)
        if len(self.locals) > MOST_VARIABLES:
            raise LocalNamespaceLimitError(f"it assigns more than {MOST_VARIABLES} variables", token=None)


class _Template(BoundTemplate):
    context_class = _Context


class MissingField(FalsyStrictUndefined):
    """A field that is not there: false in conditions, replaced by `default`, and an error where it is printed."""

    force_liquid_default = True

    def __init__(self, name: str, **named: Any) -> None:
        super().__init__(name, **named)
        self.msg = name


class Language(Environment):
    """The one dialect, with every limit that the library has. HTML escapes what it prints; text and subject do not."""

    block_nesting_limit: ClassVar[int] = 20
    context_depth_limit: ClassVar[int] = 20
    loop_iteration_limit: ClassVar[int | None] = MOST_NODES
    local_namespace_limit: ClassVar[int | None] = 4 * LONGEST_VALUE
    output_stream_limit: ClassVar[int | None] = LONGEST_OUTPUT_BYTES
    template_class = _Template

    def __init__(self, *, strict: bool, markup: bool) -> None:
        super().__init__(undefined=MissingField if strict else Undefined, autoescape=markup)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: self.tags[name] for name in (TOKEN_CONTENT, TOKEN_OUTPUT, TOKEN_ILLEGAL, *TAGS)}
        self.filters = {name: _counted(name, self.filters[name]) for name in FILTERS}


def _counted(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    @with_context
    @functools.wraps(apply, assigned=("__name__", "__doc__"), updated=())
    def limited(value: object, *args: Any, context: _Context, **named: Any) -> object:
        if name == "replace":
            _check_replaced(value, *args)
        elif name == "join" and isinstance(value, list):
            _measured(value)
            _measured("x" * min(LONGEST_VALUE + 1, len(value) * len(str(args[0] if args else " "))))
        if getattr(apply, "with_environment", False):
            named["environment"] = context.env
        result = apply(value, *args, **named)
        context.budget.value(result)
        return result

    return limited


def _check_replaced(value: object, wanted: object = "", put: object = "", *_more: object) -> None:
    """Replacing can multiply, so its result is measured before it is made."""
    text, sought, substitute = str(value), str(wanted), str(put)
    if len(text) + text.count(sought) * len(substitute) > LONGEST_VALUE:
        raise ResourceLimitError(f"a value grew over {LONGEST_VALUE:,} characters", token=None)


def parse(language: Language, source: str) -> BoundTemplate:
    """Raises LanguageError, with the line."""
    markups = _scan(source)
    _check_blocks(markups)
    try:
        template = language.from_string(source)
        unknown = [(spans[0].index, name) for name, spans in template.analyze().filters.items() if name not in FILTERS]
    except LiquidError as error:
        raise LanguageError(_words(error), _line_of(error, source) or _broken_line(language, markups)) from error
    except RecursionError as error:
        raise LanguageError("it is nested too deeply") from error
    for index, name in sorted(unknown):
        known = ", ".join(sorted(FILTERS))
        raise LanguageError(f"there is no filter “{name[:40]}”; there are: {known}", _line(source, index))
    return template


def run(template: BoundTemplate, fields: Mapping[str, object], budget: Budget) -> str:
    """Raises FieldMissing, TooExpensive, or LanguageError for a filter with wrong arguments."""
    buffer = LimitedStringIO(limit=LONGEST_OUTPUT_BYTES)
    try:
        context = _Context(template, fields=template.make_globals(fields), budget=budget)
        template.render_with_context(context, buffer)
    except UndefinedError as error:
        raise FieldMissing(str(error.message)) from error
    except ResourceLimitError as error:
        raise TooExpensive(_words(error)) from error
    except LiquidError as error:
        source = "" if error.token is None else error.token.source
        raise LanguageError(_words(error), _line_of(error, source)) from error
    except RecursionError as error:
        raise TooExpensive("it is nested too deeply") from error
    return buffer.getvalue()


def names(template: BoundTemplate) -> set[str]:
    """The fields that the template reads, whether or not a contact has them."""
    return {name for name in template.analyze().globals if name != "forloop"}


@dataclass(frozen=True, slots=True)
class _Markup:
    """What stands between braces: `{{ text }}` with no name, or `{% name text %}`."""

    line: int
    name: str
    text: str


def _scan(source: str) -> list[_Markup]:
    """Refuses in one pass what would make the library's own scanner slow, and what the dialect leaves out."""
    if len(source) > LONGEST_SOURCE:
        raise LanguageError(f"it is longer than {LONGEST_SOURCE:,} characters")
    found: list[_Markup] = []
    at, line = 0, 1
    while (opening := _OPENING.search(source, at)) is not None:
        mark = opening.group()
        closing = "}}" if mark == "{{" else "%}"
        line += source.count("\n", at, opening.start())
        end = source.find(closing, opening.end())
        if end < 0:
            raise LanguageError(f"“{mark}” is never closed by “{closing}”", line)
        found.append(_checked(mark, source[opening.end() : end], line))
        if len(found) > MOST_MARKUPS:
            raise LanguageError(f"it has more than {MOST_MARKUPS:,} merge fields and tags", line)
        line += source.count("\n", opening.start(), end)
        at = end + 2
    return found


def _checked(mark: str, markup: str, line: int) -> _Markup:
    if len(markup) > LONGEST_MARKUP:
        raise LanguageError(f"what stands between the braces is longer than {LONGEST_MARKUP} characters", line)
    if _BLANKS.search(markup) is not None:
        raise LanguageError("there is a run of 30 spaces between the braces", line)
    bare = _QUOTED.sub("", markup)
    if ".." in bare:
        raise LanguageError("ranges such as (1..5) are not available", line)
    if len(_JOINTS.findall(bare)) > MOST_JOINTS:
        raise LanguageError(f"there are more than {MOST_JOINTS} of “and”, “or” and commas in one tag", line)
    if mark == "{{":
        return _Markup(line, "", markup)
    named = _TAG_NAME.match(markup)
    assert named is not None
    name = named.group(1)
    if name not in TAGS and name not in INNER_TAGS:
        raise LanguageError(f"there is no tag “{name[:40]}”; there are: {', '.join(sorted(TAGS))}", line)
    return _Markup(line, name, markup[named.end() :])


def _check_blocks(markups: list[_Markup]) -> None:
    """Every block is closed, by its own end. Inside a comment only its end counts."""
    opened: list[_Markup] = []
    for markup in markups:
        inside = opened[-1].name if opened else ""
        if inside == "comment" and markup.name != "endcomment":
            continue
        if markup.name in BLOCKS:
            opened.append(markup)
        elif markup.name.startswith("end"):
            if markup.name != f"end{inside}":
                raise LanguageError(f"“{{% {markup.name} %}}” closes nothing that is open here", markup.line)
            opened.pop()
    if opened:
        last = opened[-1]
        raise LanguageError(f"“{{% {last.name} %}}” is never closed by “{{% end{last.name} %}}”", last.line)


def _broken_line(language: Language, markups: list[_Markup]) -> int:
    """The library does not say where an expression ends too early: the first markup that fails alone is to blame."""
    for markup in markups:
        try:
            language.from_string(_ALONE.get(markup.name, "").replace("…", markup.text))
        except LiquidError:
            return markup.line
    return 0


_ALONE = {
    "": "{{…}}",
    "if": "{% if…%}{% endif %}",
    "elsif": "{% if true %}{% elsif…%}{% endif %}",
    "unless": "{% unless…%}{% endunless %}",
    "case": "{% case…%}{% when 1 %}{% endcase %}",
    "when": "{% case 1 %}{% when…%}{% endcase %}",
    "for": "{% for…%}{% endfor %}",
    "assign": "{% assign…%}",
    "capture": "{% capture…%}{% endcapture %}",
}


def _line_of(error: LiquidError, source: str) -> int:
    """0 where the library does not say."""
    known = error.token is not None and error.token.start_index >= 0
    return _line(source, error.token.start_index) if known else 0  # type: ignore[union-attr]


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, max(index, 0)) + 1


def _words(error: LiquidError) -> str:
    """The library's message without its drawing of the source, and with what a limit's own name does not say."""
    text = str(error.message)
    limits = {
        "loop iteration limit reached": f"its loops run more than {MOST_NODES:,} times",
        "output stream limit reached": f"the result is longer than {LONGEST_OUTPUT_BYTES:,} bytes",
        "local namespace limit reached": f"its variables hold more than {4 * LONGEST_VALUE:,} bytes",
        "block nesting limit reached": "its blocks are nested more than 20 deep",
    }
    return limits.get(text, text)
