"""classify_reply: real servers' words, and what each does to the message and to its sender."""

import pytest

from app.outreach.rules.smtp_replies import (
    GIVE_UP_SECONDS,
    MessageFate,
    Phase,
    Reaction,
    SmtpReply,
    classify_reply,
    retry_delay_seconds,
)

DELIVERED, DEFERRED, BOUNCED, FAILED = MessageFate
NONE, SLOW, MAILBOX, DOMAIN = Reaction
CONNECT, TLS, AUTH, MAIL, RCPT, DATA, AFTER = Phase

TABLE = [
    # Taken.
    (AFTER, 250, "2.0.0 Ok: queued as D15ED252036", DELIVERED, NONE),
    (AFTER, 250, "2.0.0 OK  1764000000 d2e1a72fcca58-7c3f0b - gsmtp", DELIVERED, NONE),
    (
        AFTER,
        250,
        "2.6.0 <a@b> [InternalId=1, Hostname=x] 8123 bytes in 0.104 Queued mail for delivery",
        DELIVERED,
        NONE,
    ),
    # The address is bad.
    (
        RCPT,
        550,
        "5.1.1 <x@remote.example>: Recipient address rejected: User unknown in virtual mailbox table",
        BOUNCED,
        NONE,
    ),
    (
        AFTER,
        550,
        "5.1.1 The email account that you tried to reach does not exist. Please try\n5.1.1 double-checking the"
        " recipient's email address for typos or\n5.1.1 unnecessary spaces. - gsmtp",
        BOUNCED,
        NONE,
    ),
    (RCPT, 550, "5.2.1 The email account that you tried to reach is disabled. - gsmtp", BOUNCED, NONE),
    (RCPT, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", BOUNCED, NONE),
    (RCPT, 550, "5.4.1 Recipient address rejected: Access denied. [BN8NAM11FT012.eop-nam11]", BOUNCED, NONE),
    (RCPT, 550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", BOUNCED, NONE),
    (AFTER, 554, "delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [0]", BOUNCED, NONE),
    (
        AFTER,
        554,
        "delivery error: dd Sorry, your message to x@yahoo.com cannot be delivered. This mailbox is disabled",
        BOUNCED,
        NONE,
    ),
    (RCPT, 550, "No such user here", BOUNCED, NONE),
    (RCPT, 550, "Unknown user", BOUNCED, NONE),
    (RCPT, 553, "sorry, no mailbox here by that name. (#5.1.1)", BOUNCED, NONE),
    (RCPT, 550, "5.1.2 Bad destination host 'DNS Hard Error looking up nowhere.example'", BOUNCED, NONE),
    (RCPT, 556, "5.1.10 Recipient address has null MX", BOUNCED, NONE),
    (RCPT, 550, "5.1.0 Address rejected.", BOUNCED, NONE),
    # The domain is not authenticated.
    (
        AFTER,
        550,
        "5.7.26 Your email has been blocked because the sender is unauthenticated.\n5.7.26 Gmail requires all senders"
        " to authenticate with either SPF or DKIM.",
        FAILED,
        DOMAIN,
    ),
    (
        AFTER,
        550,
        "5.7.26 Unauthenticated email from acme.example is not accepted due to domain's DMARC policy.",
        FAILED,
        DOMAIN,
    ),
    (AFTER, 421, "4.7.26 Your email has been rate limited because it is unauthenticated.", DEFERRED, DOMAIN),
    (AFTER, 421, "4.7.32 Your email has been rate limited because the From: header isn't aligned", DEFERRED, DOMAIN),
    (AFTER, 550, "5.7.25 The IP address sending this message does not have a PTR record setup", FAILED, DOMAIN),
    (AFTER, 421, "4.7.23 The IP address sending this message does not have a PTR record", DEFERRED, DOMAIN),
    (AFTER, 550, "5.7.29 The connection didn't use TLS", FAILED, DOMAIN),
    (
        AFTER,
        550,
        "5.7.515 Access denied, sending domain ACME.EXAMPLE does not meet the required authentication level.",
        FAILED,
        DOMAIN,
    ),
    (AFTER, 550, "5.7.509 Access denied, sending domain acme.example does not pass DMARC verification", FAILED, DOMAIN),
    (
        AFTER,
        554,
        "5.7.9 Message not accepted for policy reasons. See https://senders.yahooinc.com/error-codes",
        FAILED,
        DOMAIN,
    ),
    # The provider wants less.
    (
        AFTER,
        421,
        "4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address.",
        DEFERRED,
        SLOW,
    ),
    (AFTER, 421, "4.7.0 Try again later, closing connection. (EHLO) - gsmtp", DEFERRED, SLOW),
    (AFTER, 550, "5.7.28 There is an unusual rate of unsolicited mail originating from your IP address.", FAILED, SLOW),
    (
        AFTER,
        550,
        "5.7.1 [192.0.2.1] Our system has detected that this message is\n5.7.1 likely unsolicited mail.",
        FAILED,
        SLOW,
    ),
    (
        RCPT,
        451,
        "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
        DEFERRED,
        SLOW,
    ),
    (RCPT, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", DEFERRED, SLOW),
    (
        MAIL,
        421,
        "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
        DEFERRED,
        SLOW,
    ),
    (MAIL, 421, "4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred", DEFERRED, SLOW),
    (RCPT, 432, "4.3.2 Concurrent connections limit exceeded", DEFERRED, SLOW),
    (RCPT, 452, "4.5.3 Too many recipients", DEFERRED, SLOW),
    # The mailbox cannot go on.
    (AUTH, 535, "5.7.8 Username and Password not accepted. For more information, go to - gsmtp", DEFERRED, MAILBOX),
    (
        AUTH,
        535,
        "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
        DEFERRED,
        MAILBOX,
    ),
    (AUTH, 534, "5.7.9 Application-specific password required", DEFERRED, MAILBOX),
    (AUTH, 454, "4.7.0 Temporary authentication failure: Connection lost to authentication server", DEFERRED, NONE),
    (
        CONNECT,
        554,
        "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        DEFERRED,
        MAILBOX,
    ),
    (CONNECT, 421, "4.3.2 All server ports are busy", DEFERRED, NONE),
    (TLS, 454, "4.7.0 TLS not available due to local problem", DEFERRED, NONE),
    (MAIL, 530, "5.7.0 Must issue a STARTTLS command first", DEFERRED, MAILBOX),
    (MAIL, 530, "5.7.0 Authentication Required.", DEFERRED, MAILBOX),
    (
        RCPT,
        553,
        "5.7.1 <eve@acme.example>: Sender address rejected: not owned by user alice@acme.example",
        DEFERRED,
        MAILBOX,
    ),
    (AFTER, 554, "5.2.252 SendAsDenied; alice@x.example not allowed to send as bob@x.example", DEFERRED, MAILBOX),
    (AFTER, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", DEFERRED, MAILBOX),
    (MAIL, 550, "5.1.7 Invalid sender", DEFERRED, MAILBOX),
    (RCPT, 554, "5.7.1 <x@remote.example>: Relay access denied", DEFERRED, MAILBOX),
    (
        AFTER,
        550,
        "5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to",
        DEFERRED,
        MAILBOX,
    ),
    (AFTER, 550, "5.1.8 Access denied, bad outbound sender AS(42003)", FAILED, MAILBOX),
    (AFTER, 550, "5.7.705 Access denied, tenant has exceeded threshold.", DEFERRED, MAILBOX),
    (AFTER, 550, "5.7.501 Access denied, spam abuse detected from IP range", FAILED, MAILBOX),
    (
        MAIL,
        550,
        "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. part of their network is on our block list (S3140).",
        FAILED,
        MAILBOX,
    ),
    (AFTER, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]", FAILED, MAILBOX),
    (
        MAIL,
        553,
        "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
        FAILED,
        MAILBOX,
    ),
    # Policy and content: this mail fails, the address is fine.
    (RCPT, 550, "5.7.1 Recipient not authorized, your IP has been found on a list", FAILED, NONE),
    (RCPT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", FAILED, NONE),
    (AFTER, 552, "5.3.4 Message size exceeds fixed limit", FAILED, NONE),
    (AFTER, 554, "5.6.0 Message content rejected", FAILED, NONE),
    (RCPT, 550, "Rejected", FAILED, NONE),
    (DATA, 554, "5.5.1 Error: no valid recipients", FAILED, NONE),
    (RCPT, 552, "5.2.2 The email account that you tried to reach is over quota", FAILED, NONE),
    # Later.
    (RCPT, 452, "4.2.2 The email account that you tried to reach is over quota", DEFERRED, NONE),
    (RCPT, 450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents", DEFERRED, NONE),
    (RCPT, 451, "4.7.1 Greylisting in action, please come back later", DEFERRED, NONE),
    (RCPT, 450, "4.2.0 <x@remote.example>: Recipient address rejected: Greylisted", DEFERRED, NONE),
    (RCPT, 450, "4.1.1 <x@remote.example>: Recipient address rejected: User unknown (unverified)", DEFERRED, NONE),
    (AFTER, 451, "Temporary local problem - please try later", DEFERRED, NONE),
    (AFTER, 421, "Service closing transmission channel", DEFERRED, NONE),
    # Out of the protocol.
    (DATA, 250, "Ok", DEFERRED, NONE),
    (AFTER, 354, "go on", DEFERRED, NONE),
]


@pytest.mark.parametrize(("phase", "code", "text", "fate", "reaction"), TABLE)
def test_the_words_of_real_servers(phase: Phase, code: int, text: str, fate: MessageFate, reaction: Reaction) -> None:
    verdict = classify_reply(SmtpReply(code, text), phase=phase)

    assert (verdict.fate, verdict.reaction) == (fate, reaction), verdict.reason
    assert verdict.suppress is (fate is BOUNCED)
    assert verdict.reason.endswith(".")


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("text", [row[2] for row in TABLE])
def test_a_4xx_never_bounces_whatever_its_words(phase: Phase, text: str) -> None:
    for code in (421, 432, 450, 451, 452, 454, 499):
        assert classify_reply(SmtpReply(code, text), phase=phase).fate is DEFERRED


@pytest.mark.parametrize("detail", range(100))
def test_a_refusal_for_policy_never_blames_the_address(detail: int) -> None:
    reply = SmtpReply(550, f"5.7.{detail} Recipient address rejected: user unknown, no such mailbox")

    assert not classify_reply(reply, phase=Phase.RCPT).suppress


def test_a_reply_reads_as_one_line_with_its_enhanced_code_once() -> None:
    reply = SmtpReply(550, "5.1.1 The account does not\n5.1.1 exist. - gsmtp")

    assert reply.enhanced == "5.1.1"
    assert str(reply) == "550 5.1.1 The account does not exist. - gsmtp"
    assert str(SmtpReply(250, "")) == "250"
    assert SmtpReply(550, "5.1.1234 x").enhanced is None
    assert SmtpReply(550, "version 5.1.1").enhanced is None


def test_retries_wait_longer_each_time_and_end_after_four_days() -> None:
    delays: list[float] = []
    while (delay := retry_delay_seconds(len(delays) + 1, jitter=0)) is not None:
        delays.append(delay)

    assert delays[:7] == [900, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800]
    assert GIVE_UP_SECONDS <= sum(delays) < GIVE_UP_SECONDS + 28_800
    assert retry_delay_seconds(1, jitter=1) == 1_080
    assert retry_delay_seconds(1, jitter=0, first_seconds=2) == 2
