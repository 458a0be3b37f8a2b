"""The text of an HTML mail, for its text part. One pass in linear time: the HTML is a tenant's, so it may be hostile."""

import html
import re
from dataclasses import dataclass, field

_MARKUP = re.compile(r"<(?=[!?]|/?[a-zA-Z])")
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:-]*+)")
_TAG_END = re.compile(r"""[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_ATTRIBUTE = re.compile(r"""\b(href|alt)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_HIDDEN = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style", "title", "template")}
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr"})
_LINES = frozenset({"div", "tr", "li", "section", "article", "header", "footer", "address", "form", "dl", "dt", "dd"})
_LINKS = ("http://", "https://", "mailto:", "tel:")


def text_from_html(source: str) -> str:
    """Readable text: paragraphs by blank lines, `- ` and `1. ` for lists, links as `text (url)`, images as their alt.

    Scripts, styles, comments and broken ends of tags are left out. Lines are not wrapped and end with a line feed.
    """
    page = _Page()
    at = 0
    while (found := _MARKUP.search(source, at)) is not None:
        page.words(source[at : found.start()])
        at = _read_markup(source, found.start(), page)
    page.words(source[at:])
    return page.text()


def _read_markup(source: str, opens: int, page: "_Page") -> int:
    """Reads what starts with `<` at `opens`, and returns where reading goes on."""
    if source.startswith("<!--", opens):
        closes = source.find("-->", opens + 4)
        return len(source) if closes < 0 else closes + 3
    if source.startswith(("<!", "<?"), opens):
        closes = source.find(">", opens)
        return len(source) if closes < 0 else closes + 1
    named = _NAME.match(source, opens + 1)
    assert named is not None
    after = _after_tag(source, named.end())
    name = named.group(1).lower()
    if source[opens + 1] == "/":
        page.close(name)
        return after
    if name in _HIDDEN:
        hidden = _HIDDEN[name].search(source, after)
        return len(source) if hidden is None else hidden.start()
    page.open(name, source[named.end() : after])
    return after


def _after_tag(source: str, start: int) -> int:
    """Behind the tag's `>`, which quotes may hide. An unclosed quote ends at the next `>`, an unclosed tag at the end."""
    quoted = _TAG_END.match(source, start)
    if quoted is not None:
        return quoted.end()
    closes = source.find(">", start)
    return len(source) if closes < 0 else closes + 1


@dataclass(slots=True)
class _Page:
    """Words and line breaks, with white space collapsed as a browser does."""

    pieces: list[str] = field(default_factory=list)
    breaks: int = 0
    spaced: bool = True
    lists: list[int | None] = field(default_factory=list)
    preformatted: int = 0
    link: tuple[int, str] | None = None

    def words(self, markup: str) -> None:
        text = html.unescape(markup) if "&" in markup else markup
        if self.preformatted:
            self._add(text)
            return
        text = _SPACE.sub(" ", text)
        if self.spaced or self.breaks:
            text = text.removeprefix(" ")
        if text:
            self._add(text)
            self.spaced = text.endswith(" ")

    def open(self, name: str, attributes: str) -> None:
        if name in _PARAGRAPHS:
            self._break(2)
        elif name in _LINES:
            self._break(1)
        if name in ("ul", "ol"):
            self.lists.append(0 if name == "ol" else None)
        elif name == "li":
            self._bullet()
        elif name == "br":
            self._add("\n")
            self.spaced = True
        elif name == "hr":
            self._add("----")
            self._break(2)
        elif name == "pre":
            self.preformatted += 1
        elif name == "img":
            self.words(_attribute(attributes, "alt"))
        elif name == "a":
            self.link = (len(self.pieces), html.unescape(_attribute(attributes, "href")).strip())

    def close(self, name: str) -> None:
        if name in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif name == "pre" and self.preformatted:
            self.preformatted -= 1
        elif name in ("td", "th"):
            self.words(" ")
        elif name == "a" and self.link is not None:
            self._end_link(*self.link)
        if name in _PARAGRAPHS:
            self._break(2)
        elif name in _LINES:
            self._break(1)

    def text(self) -> str:
        lines = [line.rstrip() for line in "".join(self.pieces).split("\n")]
        kept = [line for number, line in enumerate(lines) if line or (number > 0 and lines[number - 1])]
        return "\n".join(kept).strip()

    def _add(self, text: str) -> None:
        if self.breaks and self.pieces:
            self.pieces.append("\n" * self.breaks)
        self.breaks = 0
        self.pieces.append(text)

    def _break(self, lines: int) -> None:
        self.breaks = max(self.breaks, lines)
        self.spaced = True

    def _bullet(self) -> None:
        number = self.lists[-1] if self.lists else None
        if number is None:
            self._add("- ")
        else:
            self.lists[-1] = number + 1
            self._add(f"{number + 1}. ")
        self.spaced = True

    def _end_link(self, start: int, url: str) -> None:
        self.link = None
        shown = "".join(self.pieces[start:]).strip()
        if not url.lower().startswith(_LINKS) or shown in (url, url.partition(":")[2]):
            return
        self.words(f" ({url})" if shown and not self.spaced else f"({url})")


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found.group(1).lower() == name:
            return found.group(2) or found.group(3) or found.group(4) or ""
    return ""
