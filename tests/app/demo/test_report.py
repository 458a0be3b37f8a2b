"""What the demo counts from an import's error report, and the object that it ends with."""

import io
from collections import Counter

from rich.console import Console

from app.demo.importing import reasons
from app.demo.report import ImportResult, SendingResult, as_object, as_table


def test_reasons_are_counted_without_what_they_quote_and_without_duplicates() -> None:
    report = (
        "row,reason,message,row,reason\r\n"
        "2,invalid value,“a b” is not an e-mail address: it has no @-sign.,a b,x\r\n"
        "3,duplicate,An earlier row of the file has this address.,a@b.example,x\r\n"
        '4,invalid value,"“c, d” is not an e-mail address: it has no @-sign.","c, d",x\r\n'
        "5,no e-mail address,The contact has no e-mail address.,,x\r\n"
    )

    assert reasons(report) == Counter(
        {"… is not an e-mail address: it has no @-sign.": 2, "The contact has no e-mail address.": 1}
    )


def test_the_object_begins_with_the_agreed_keys() -> None:
    imported = ImportResult(rows_read=10, rows_imported=7, rows_rejected=2, rows_duplicate=1)
    sending = SendingResult(sent=4, bounced=1, suppressed=1, in_doubt=1, per_second=2.345)

    found = as_object(imported, sending, {"campaignId": "C"})

    assert list(found.items())[:9] == [
        ("rowsRead", 10),
        ("rowsImported", 7),
        ("rowsRejected", 2),
        ("rowsDuplicate", 1),
        ("messagesSent", 4),
        ("messagesBounced", 1),
        ("messagesSuppressed", 1),
        ("messagesInDoubt", 1),
        ("messagesPerSecond", 2.3),
    ]
    assert found["campaignId"] == "C"


def test_the_table_names_reasons_and_what_is_still_open() -> None:
    imported = ImportResult(rows_read=1_234, rows_imported=1_200, rows_rejected=34)
    imported.reasons.update({f"Reason {number}.": 1 for number in range(12)})
    sending = SendingResult(sent=1_100, cancelled=2, open=3, per_second=250.04)
    written = io.StringIO()

    Console(file=written, width=80).print(as_table(imported, sending))

    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in written.getvalue().splitlines()]
    assert ["Contacts read", "1,234"] in rows
    assert ["Reason 0.", "1"] in rows
    assert ["for 2 other reasons", "2"] in rows
    assert ["cancelled", "2"] in rows
    assert ["still waiting", "3"] in rows
    assert ["Messages per second", "250.0"] in rows
