"""The text of HTML mails: readable, and in linear time whatever the HTML."""

import time

import pytest

from app.outreach.rules.html_text import text_from_html


def test_a_page_reads_as_text() -> None:
    page = """<html><head><title>x</title><style>p {color: red}</style></head><body><!-- note -->
    <h1>Hello   Ann</h1><p>We are <b>glad</b>.<br>See <a href="https://x.example/?a=1&amp;b=2">this page</a>
    or <a href='https://y.example'>https://y.example</a>.</p>
    <ul><li>one<li>two</ul><ol><li>first</li><li>second</li></ol>
    <table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table><img src=x alt="Our logo">
    <p>1 &lt; 2 &amp; 3 < 4</p><script>alert("no")</script></body></html>"""

    assert text_from_html(page) == (
        "Hello Ann\n\nWe are glad.\nSee this page (https://x.example/?a=1&b=2) or https://y.example.\n\n"
        "- one\n- two\n\n1. first\n2. second\n\na b\nc\n\nOur logo\n\n1 < 2 & 3 < 4"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>", ""),
        ("a<br>b", "a\nb"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<a href='javascript:x()'>click</a>", "click"),
        ("<a href='mailto:a@b.example'>a@b.example</a>", "a@b.example"),
        ("<a title='>' href=https://x.example>x</a>", "x (https://x.example)"),
        ("text <b unclosed", "text"),
        ("text <!-- unclosed", "text"),
        ("a</style>b", "ab"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("&nbsp;&eacute;&#128039;", "\xa0é🐧".strip()),
    ],
)
def test_small_pages(page: str, text: str) -> None:
    assert text_from_html(page) == text


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<![CDATA[",
        "<a ",
        "</a",
        "<a href=\"'>",
        "<a '",
        '<a "',
        "<style>",
        "<script></script",
        "<",
        "&#",
        "<a href=",
        "<a href  ",
        "<div>",
        "<ul><li>",
        "<a href='x'>",
        "<br>",
        "<pre>",
    ],
)
def test_hostile_html_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def seconds(length: int) -> float:
        page = piece * (length // len(piece))
        started = time.process_time()
        text_from_html(page)
        return time.process_time() - started

    short, long = min(seconds(25_000) for _ in range(3)), min(seconds(200_000) for _ in range(3))

    assert long < 0.02 + 24 * short, "eight times the length may not take much more than eight times the time"
