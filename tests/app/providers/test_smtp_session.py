"""submit: every way in which a server or a network can end it, and exactly when doubt begins."""

import asyncio

import pytest

from app.outreach.ports import Accepted, ConnectionProblem, InDoubt, NotSubmitted, Refused, SubmitOutcome
from app.outreach.rules.smtp_replies import Phase, SmtpReply
from tests.app.providers.scripted_server import Conversation, Script, ScriptedServer, scripted

RAW = b"From: a@acme.example\r\nSubject: x\r\n\r\nHello\r\n.\r\n..two\r\n.MAIL FROM:<x@y>\r\n"
STUFFED = b"From: a@acme.example\r\nSubject: x\r\n\r\nHello\r\n..\r\n...two\r\n..MAIL FROM:<x@y>\r\n.\r\n"


async def submitted(told: ScriptedServer, *, raw: bytes = RAW, **timeouts: float) -> tuple[SubmitOutcome, bool]:
    async with told.submitter(**timeouts).session(told.server()) as session:
        outcome = await session.submit(return_path="a+b1@acme.example", recipient="bob@lead.example", raw=raw)
        return outcome, session.usable


async def outcome_of(script: Script, *, raw: bytes = RAW, **timeouts: float) -> tuple[SubmitOutcome, bool]:
    async with scripted(script) as told:
        return await submitted(told, raw=raw, **timeouts)


async def test_a_taken_mail_arrives_byte_for_byte_and_the_server_is_quoted() -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        await talk.greet("SIZE 1000000")
        assert await talk.hear("MAIL") == f"MAIL FROM:<a+b1@acme.example> SIZE={len(RAW)}"
        await talk.say("250 Ok")
        assert await talk.hear("RCPT") == "RCPT TO:<bob@lead.example>"
        await talk.say("250 Ok")
        await talk.hear("DATA")
        await talk.say("354 Go")
        seen.append(await talk.hear_mail())
        await talk.say("250-2.0.0 Ok:", "250 2.0.0 queued as 42")
        await talk.hear("QUIT")
        await talk.say("221 Bye")

    outcome, usable = await outcome_of(script)

    assert outcome == Accepted(SmtpReply(250, "2.0.0 Ok:\n2.0.0 queued as 42"))
    assert usable
    assert seen == [STUFFED]


async def test_with_pipelining_the_envelope_is_one_packet_and_replies_may_come_in_pieces() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("PIPELINING")
        envelope = await talk.reader.readuntil(b"DATA\r\n")
        assert envelope == b"MAIL FROM:<a+b1@acme.example>\r\nRCPT TO:<bob@lead.example>\r\nDATA\r\n"
        for piece in (b"250 2.1", b".0 Ok\r\n250-two\r", b"\n250 2.1.5 Ok\r\n3", b"54 Go\r\n"):
            talk.writer.write(piece)
            await talk.writer.drain()
            await asyncio.sleep(0.01)
        await talk.hear_mail()
        await talk.say("250 Ok")

    outcome, _ = await outcome_of(script)

    assert outcome == Accepted(SmtpReply(250, "Ok"))


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("phase", "at"), [(Phase.MAIL, 0), (Phase.RCPT, 1), (Phase.DATA, 2), (Phase.AFTER_DATA, 3)])
async def test_a_refusal_names_its_phase_and_the_next_mail_goes_through(
    phase: Phase, at: int, pipelining: bool
) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet(*(["PIPELINING"] if pipelining else ["HELP"]))
        refused = False
        state = 0
        while True:
            line = await talk.hear("")
            verb = line[:4]
            if verb == "RSET":
                state = 0
                await talk.say("250 Ok")
                continue
            if verb == "QUIT":
                return
            position = ["MAIL", "RCPT", "DATA"].index(verb)
            if position != state:
                await talk.say("503 5.5.1 Out of order")
            elif position == at and not refused:
                refused = True
                await talk.say("550 5.7.1 No")
            elif position == 2:
                await talk.say("354 Go")
                await talk.hear_mail()
                state = 0
                say = "550 5.7.1 No" if at == 3 and not refused else "250 Ok"
                refused = True
                await talk.say(say)
            else:
                state += 1
                await talk.say("250 Ok")

    async with scripted(script) as told, told.submitter().session(told.server()) as session:
        first = await session.submit(return_path="a@acme.example", recipient="bob@lead.example", raw=RAW)
        second = await session.submit(return_path="a@acme.example", recipient="bob@lead.example", raw=RAW)

    assert first == Refused(phase, SmtpReply(550, "5.7.1 No"))
    assert second == Accepted(SmtpReply(250, "Ok"))
    assert len(told.conversations) == 1


async def test_a_server_that_waits_for_a_mail_without_recipients_gets_a_lone_dot() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("PIPELINING")
        await talk.reader.readuntil(b"DATA\r\n")
        await talk.say("250 Ok", "550 5.1.1 No such user", "354 Go")
        assert await talk.reader.readexactly(3) == b".\r\n"
        await talk.say("554 5.5.1 No valid recipients")
        await talk.reader.readuntil(b"DATA\r\n")
        await talk.say("250 Ok", "250 Ok", "354 Go")
        await talk.hear_mail()
        await talk.say("250 Ok")

    async with scripted(script) as told, told.submitter().session(told.server()) as session:
        first = await session.submit(return_path="a@acme.example", recipient="bob@lead.example", raw=RAW)
        second = await session.submit(return_path="a@acme.example", recipient="bob@lead.example", raw=RAW)

    assert first == Refused(Phase.RCPT, SmtpReply(550, "5.1.1 No such user"))
    assert second == Accepted(SmtpReply(250, "Ok"))


@pytest.mark.parametrize("last", ["drop", "silence"])
async def test_a_refusal_stands_also_when_the_connection_then_fails(last: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("PIPELINING")
        await talk.reader.readuntil(b"DATA\r\n")
        await talk.say("250 Ok", "550 5.1.1 No such user")
        if last == "silence":
            await talk.silence()

    outcome, usable = await outcome_of(script, command=0.3)

    assert outcome == Refused(Phase.RCPT, SmtpReply(550, "5.1.1 No such user"))
    assert not usable


async def test_a_421_refuses_and_ends_the_session() -> None:
    async def at_recipient(talk: Conversation) -> None:
        await talk.greet("PIPELINING")
        await talk.reader.readuntil(b"DATA\r\n")
        await talk.say("250 Ok", "421 4.7.0 Try later")

    async def at_end(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.hear_mail()
        await talk.say("421 4.7.28 Slow down")

    assert await outcome_of(at_recipient) == (Refused(Phase.RCPT, SmtpReply(421, "4.7.0 Try later")), False)
    assert await outcome_of(at_end) == (Refused(Phase.AFTER_DATA, SmtpReply(421, "4.7.28 Slow down")), False)


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
@pytest.mark.parametrize("problem", [ConnectionProblem.LOST, ConnectionProblem.TIMEOUT])
async def test_a_connection_that_fails_before_the_mail_is_no_doubt(phase: Phase, problem: ConnectionProblem) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        for each in (Phase.MAIL, Phase.RCPT, Phase.DATA):
            await talk.hear(each.value)
            if each is phase:
                break
            await talk.say("250 Ok")
        if problem is ConnectionProblem.TIMEOUT:
            await talk.silence()

    outcome, usable = await outcome_of(script, command=0.3)

    assert isinstance(outcome, NotSubmitted)
    assert (outcome.phase, outcome.problem, usable) == (phase, problem, False)


async def test_a_connection_closed_after_354_is_no_doubt() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()

    for _ in range(5):
        outcome, _ = await outcome_of(script)
        assert isinstance(outcome, NotSubmitted), outcome


async def test_a_connection_lost_in_the_middle_of_a_long_mail_is_no_doubt() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.reader.readexactly(100_000)

    outcome, _ = await outcome_of(script, raw=b"Subject: x\r\n\r\n" + b"line of text\r\n" * 800_000)

    assert isinstance(outcome, NotSubmitted)
    assert outcome.phase is Phase.DATA


async def test_a_server_that_stops_reading_a_long_mail_is_no_doubt() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await asyncio.sleep(5)

    outcome, _ = await outcome_of(script, raw=b"Subject: x\r\n\r\n" + b"line of text\r\n" * 1_500_000, command=0.5)

    assert isinstance(outcome, NotSubmitted)
    assert outcome.problem is ConnectionProblem.TIMEOUT


async def test_a_pause_before_the_final_dot_hears_of_a_server_that_drops_while_reading() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.reader.readuntil(b"Subject: x\r\n")

    outcome, _ = await outcome_of(script, before_final_dot=0.3)

    assert isinstance(outcome, NotSubmitted)


async def test_a_server_that_answers_before_the_final_dot_has_not_taken_the_mail() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.say("552 5.3.4 Too large")

    outcome, usable = await outcome_of(script, before_final_dot=0.3)

    assert outcome == NotSubmitted(
        Phase.DATA,
        ConnectionProblem.LOST,
        "Before the mail was handed over, the server said: 552 5.3.4 Too large.",
    )
    assert not usable


@pytest.mark.parametrize("ending", ["drop", "silence", "nonsense", "354 Go on"])
async def test_after_the_final_dot_only_the_servers_word_ends_the_doubt(ending: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.hear_mail()
        if ending == "silence":
            await talk.silence()
        elif ending != "drop":
            await talk.say(ending)

    outcome, usable = await outcome_of(script, final_dot=0.3)

    assert isinstance(outcome, InDoubt)
    assert outcome.reason.endswith(".")
    assert not usable


async def test_a_server_that_said_goodbye_between_two_mails_has_taken_nothing() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await asyncio.sleep(0.1)
        await talk.say("421 4.4.2 Idle too long")

    async with scripted(script) as told, told.submitter().session(told.server()) as session:
        await asyncio.sleep(0.3)
        assert not session.usable
        outcome = await session.submit(return_path="", recipient="bob@lead.example", raw=RAW)

    assert isinstance(outcome, NotSubmitted)
    assert "421 4.4.2 Idle too long" in outcome.reason


async def test_an_answer_without_end_is_cut_off() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.hear("MAIL")
        for _ in range(10):
            await talk.say(*["250-x" * 200] * 20)

    outcome, _ = await outcome_of(script)

    assert isinstance(outcome, NotSubmitted)
    assert outcome.problem is ConnectionProblem.LOST


async def test_a_cancelled_submit_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.take_envelope()
        await talk.hear_mail()
        try:
            await talk.silence()
        finally:
            talk.heard.append(b"gone")
            gone.set()

    async with scripted(script) as told:
        async with told.submitter().session(told.server()) as session:
            task = asyncio.create_task(session.submit(return_path="a@x.example", recipient="b@x.example", raw=RAW))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not session.usable
        await asyncio.wait_for(gone.wait(), 3)
        assert told.conversations[0].heard[-2:] == [STUFFED, b"gone"]


@pytest.mark.parametrize(
    "address", ["a b@x.example", "a@x.example>\r\nRCPT TO:<c@x.example", "ä@x.example", "", "<a@x.example>", "a" * 300]
)
async def test_an_address_that_cannot_stand_in_a_command_is_never_sent(address: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        await talk.hear("QUIT")

    async with scripted(script) as told, told.submitter().session(told.server()) as session:
        with pytest.raises(ValueError, match="cannot stand"):
            await session.submit(return_path="a@x.example", recipient=address, raw=RAW)
        assert session.usable


async def test_the_null_return_path_is_sent_as_such() -> None:
    async def script(talk: Conversation) -> None:
        await talk.greet("HELP")
        assert await talk.hear("MAIL") == "MAIL FROM:<>"
        await talk.say("550 No")

    async with scripted(script) as told, told.submitter().session(told.server()) as session:
        outcome = await session.submit(return_path="", recipient="b@x.example", raw=RAW)

    assert outcome == Refused(Phase.MAIL, SmtpReply(550, "No"))
