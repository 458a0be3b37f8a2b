"""What the demo counts from an import's error report, and the object that it ends with."""

from collections import Counter

from app.demo.importing import reasons
from app.demo.report import ImportResult, SendingResult, as_object


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
