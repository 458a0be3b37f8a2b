"""The sample CSV that ships with the package: a thousand rows, of which it is known what becomes of each."""

from collections import Counter
from importlib.resources import files

from app.core.resources import Resources
from app.sandbox.behaviours import Receiver, receiver_of
from tests.app.outreach.contact_stage import new_stage


async def test_the_sample_has_a_thousand_rows_of_every_kind(resources: Resources) -> None:
    stage = await new_stage(resources)

    done = await stage.imported((files("app.demo") / "contacts.csv").read_bytes())

    assert (done.rows_read, done.rows_created, done.rows_duplicate, done.rows_rejected) == (1_000, 930, 30, 40)
    problems = await stage.rows("SELECT problem, message FROM contact_import_errors WHERE tenant_id = $1")
    assert Counter(row["problem"] for row in problems) == {
        "invalid_value": 27,
        "no_address": 6,
        "too_many_cells": 4,
        "too_long": 3,
        "duplicate": 30,
    }
    assert Counter(receiver_of(email) for email in await stage.emails()) == {
        Receiver.ACCEPT: 885,
        Receiver.UNKNOWN_USER: 12,
        Receiver.REPLY: 10,
        Receiver.DSN: 5,
        Receiver.OUT_OF_OFFICE: 5,
        Receiver.SLOW: 3,
        Receiver.COMPLAINT: 3,
        Receiver.GREYLIST: 2,
        Receiver.TEMPFAIL: 2,
        Receiver.DROP_AFTER_DATA: 2,
        Receiver.THROTTLE: 1,
    }
