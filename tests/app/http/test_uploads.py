"""Uploads and error reports over real HTTP on real sockets."""

import asyncio
import csv
import hashlib
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from app.core.clock import FixedClock
from app.core.resources import Resources
from app.http.uploads import upload_routes
from app.outreach.contact_reports import report_path
from app.outreach.uploads import complete_upload, create_upload, upload_chunk
from tests.app.outreach.contact_stage import Stage, new_stage
from tests.graph.core.client import serving
from tests.graph.outreach.test_content_down import away
from tests.servers import TestServers


@pytest.fixture
async def stage(resources: Resources) -> Stage:
    return await new_stage(resources)


@pytest.fixture(scope="module")
async def address(resources: Resources) -> AsyncIterator[str]:
    async with serving(Starlette(routes=upload_routes(resources, patience_seconds=1.0))) as where:
        yield where


async def new_token(stage: Stage) -> tuple[UUID, str]:
    made = await create_upload(stage.owner, stage.workspace_id, file_name="people.csv")
    return made.upload.id, str(made.token)


async def put(address: str, token: str, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.put(f"http://{address}/uploads/{token}", content=content, headers=headers)


async def whole(stage: Stage, upload_id: UUID) -> bytes:
    upload = await complete_upload(stage.owner, upload_id)
    data, number = b"", 0
    while piece := await upload_chunk(stage.owner, upload, number):
        data, number = data + piece, number + 1
    return data


async def test_what_is_put_is_what_is_kept(stage: Stage, address: str) -> None:
    upload_id, token = await new_token(stage)
    data = b"".join(b"user%d@mail.example,%d\n" % (n, n * n) for n in range(40_000))

    answer = await put(address, token, data)

    assert (answer.status_code, answer.json()) == (
        200,
        {"sizeBytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
    )
    assert await whole(stage, upload_id) == data
    assert await stage.count("upload_chunks", tier="content") == -(-len(data) // 262_144)


async def test_a_body_in_pieces_without_a_length_is_taken_too(stage: Stage, address: str) -> None:
    upload_id, token = await new_token(stage)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"a" * 200_001

    assert (await put(address, token, pieces())).status_code == 200
    assert await whole(stage, upload_id) == b"a" * 600_003


async def test_a_complete_upload_cannot_be_overwritten(stage: Stage, address: str) -> None:
    upload_id, token = await new_token(stage)
    await put(address, token, b"email\nann@mail.example\n")

    again = await put(address, token, b"email\neve@mail.example\n")

    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    assert await whole(stage, upload_id) == b"email\nann@mail.example\n"


async def test_a_wrong_foreign_or_malformed_token_is_not_found_and_stores_nothing(
    stage: Stage, address: str, resources: Resources
) -> None:
    upload_id, token = await new_token(stage)
    other = await new_stage(resources)
    moved = token.replace(stage.owner.tenant_id.hex, other.owner.tenant_id.hex)

    for wrong in (token[:-1] + ("a" if token[-1] != "a" else "b"), moved, "pm_upload_x_y_z", "x" * 400, "%00"):
        answer = await put(address, wrong, b"data")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")

    rows = await stage.rows("SELECT id, state FROM uploads WHERE tenant_id = $1", tier="content")
    assert rows == [{"id": upload_id, "state": "waiting"}]
    assert await other.count("upload_chunks", tier="content") == 0


async def test_a_file_over_the_limit_is_refused_by_its_length_and_by_its_bytes(
    stage: Stage, resources: Resources
) -> None:
    small = Resources(
        settings=resources.settings.model_copy(update={"upload_limit_bytes": 300_000}),
        clock=resources.clock,
        cipher=resources.cipher,
        redis=resources.redis,
    )
    upload_id, token = await new_token(stage)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"a" * 100_000

    async with serving(Starlette(routes=upload_routes(small))) as address:
        by_length = await put(address, token, b"a" * 300_001)
        by_bytes = await put(address, token, pieces())
        fits = await put(address, token, b"a" * 300_000)

    assert (by_length.status_code, by_length.json()["code"]) == (413, "TOO_LARGE")
    assert (by_bytes.status_code, by_bytes.json()["code"]) == (413, "TOO_LARGE")
    assert fits.status_code == 200
    assert await whole(stage, upload_id) == b"a" * 300_000


async def test_who_sends_far_too_much_reads_why_instead_of_a_reset(stage: Stage, resources: Resources) -> None:
    small = Resources(
        settings=resources.settings.model_copy(update={"upload_limit_bytes": 300_000}),
        clock=resources.clock,
        cipher=resources.cipher,
        redis=resources.redis,
    )
    _upload_id, token = await new_token(stage)
    size = 8_000_000

    async with serving(Starlette(routes=upload_routes(small))) as address:
        reader, writer = await raw_put(address, token, length=size, body=b"")
        for _ in range(80):
            writer.write(b"a" * (size // 80))
            await writer.drain()
            await asyncio.sleep(0.005)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        body = await asyncio.wait_for(reader.readuntil(b"}"), 10)
        writer.close()

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"TOO_LARGE" in body


async def raw_put(
    address: str, token: str, *, length: int, body: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"PUT /uploads/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + body)
    await writer.drain()
    return reader, writer


async def state_of(stage: Stage, upload_id: UUID) -> tuple[str, int]:
    rows = await stage.rows(
        "SELECT state, size_bytes FROM uploads WHERE tenant_id = $1 AND id = $2", upload_id, tier="content"
    )
    return rows[0]["state"], rows[0]["size_bytes"]


async def until_received(stage: Stage, upload_id: UUID, size: int) -> None:
    for _ in range(500):
        if (await state_of(stage, upload_id))[1] >= size:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server stored nothing")


async def test_a_broken_upload_leaves_its_state_and_can_be_sent_again(stage: Stage, address: str) -> None:
    upload_id, token = await new_token(stage)
    _reader, writer = await raw_put(address, token, length=1_000_000, body=b"b" * 600_000)
    await until_received(stage, upload_id, 524_288)
    writer.close()
    await writer.wait_closed()

    assert await state_of(stage, upload_id) == ("receiving", 524_288)
    assert (await put(address, token, b"c" * 10)).status_code == 200
    assert await whole(stage, upload_id) == b"c" * 10
    assert await stage.count("upload_chunks", tier="content") == 1


async def test_of_two_at_once_the_later_wins_whole(stage: Stage, address: str) -> None:
    upload_id, token = await new_token(stage)
    reader, writer = await raw_put(address, token, length=900_000, body=b"b" * 300_000)
    await until_received(stage, upload_id, 262_144)

    later = await put(address, token, b"c" * 300_000)
    writer.write(b"b" * 600_000)
    status_line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()

    assert later.status_code == 200
    assert b" 409 " in status_line
    assert await whole(stage, upload_id) == b"c" * 300_000


async def test_a_silent_client_is_told_so(stage: Stage, address: str) -> None:
    _upload_id, token = await new_token(stage)
    reader, writer = await raw_put(address, token, length=10, body=b"abc")

    status_line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()

    assert b" 408 " in status_line


async def test_empty_and_compressed_bodies_are_refused(stage: Stage, address: str) -> None:
    _upload_id, token = await new_token(stage)

    assert (await put(address, token, b"")).json()["code"] == "UPLOAD_INCOMPLETE"
    assert (await put(address, token, b"x", **{"Content-Encoding": "gzip"})).status_code == 415


async def test_while_the_content_tier_is_away_the_file_is_asked_for_later_and_then_taken(
    stage: Stage, address: str, servers: TestServers, databases: dict[str, str]
) -> None:
    _first_id, first = await new_token(stage)
    second_id, second = await new_token(stage)
    reader, writer = await raw_put(address, second, length=600_000, body=b"b" * 300_000)
    await until_received(stage, second_id, 262_144)

    async with away(servers, databases["content"]):
        at_once = await put(address, first, b"email\nann@mail.example\n")
        writer.write(b"b" * 300_000)
        in_the_middle = await asyncio.wait_for(reader.readline(), 10)
    writer.close()

    assert (at_once.status_code, at_once.headers["retry-after"]) == (503, "30")
    assert at_once.json() == {
        "status": 503,
        "code": "AWAY",
        "detail": "Files cannot be stored right now: send the file again from the start in a few minutes.",
    }
    assert b" 503 " in in_the_middle
    assert [(await put(address, token, b"email\n")).status_code for token in (first, second)] == [200, 200]
    assert await whole(stage, second_id) == b"email\n"


async def test_an_error_report_needs_no_content_tier_and_says_so_when_its_own_is_away(
    stage: Stage, address: str, resources: Resources, servers: TestServers, databases: dict[str, str]
) -> None:
    done = await stage.imported(b"email\nbad\n")
    url = f"http://{address}{report_path(resources, done)}"

    async with httpx.AsyncClient() as client:
        async with away(servers, databases["content"]):
            without_content = await client.get(url)
        async with away(servers, databases["oltp"]):
            without_oltp = await client.get(url)
        again = await client.get(url)

    assert (without_content.status_code, again.status_code) == (200, 200)
    assert without_content.text == again.text
    assert (without_oltp.status_code, without_oltp.json()["code"]) == (503, "AWAY")
    assert "try again" in without_oltp.json()["detail"]


async def test_an_url_expires_after_an_hour(stage: Stage, resources: Resources) -> None:
    _upload_id, token = await new_token(stage)
    later = FixedClock(resources.clock.now() + timedelta(hours=1, seconds=1))
    aged = Resources(settings=resources.settings, clock=later, cipher=resources.cipher, redis=resources.redis)

    async with serving(Starlette(routes=upload_routes(aged))) as address:
        answer = await put(address, token, b"email\n")

    assert (answer.status_code, answer.json()["code"]) == (410, "EXPIRED")


async def test_the_error_report_streams_every_refused_row_and_runs_no_formula(
    stage: Stage, address: str, resources: Resources
) -> None:
    rows = "".join(f"bad{number},Name {number}\n" for number in range(1_200))
    done = await stage.imported(("email,name\n=cmd|' /C calc'!A0,+1\n-x,@y\n" + rows + "ok@mail.example,Ok\n").encode())

    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{address}{report_path(resources, done)}")

    table = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert table[0] == ["row", "reason", "message", "email", "name"]
    assert len(table) == 1 + 1_202
    assert table[1][0:2] + table[1][3:] == ["2", "invalid value", "'=cmd|' /C calc'!A0", "'+1"]
    assert table[2][3:] == ["'-x", "'@y"]
    assert [int(line[0]) for line in table[1:]] == list(range(2, 1_204))
    assert not [cell for line in table for cell in line if re.match(r"[=+\-@\t\r]", cell)]


async def test_a_report_link_is_bound_to_its_tenant_and_import_and_expires(
    stage: Stage, address: str, resources: Resources
) -> None:
    done = await stage.imported(b"email\nbad\n")
    other = await stage.imported(b"email\nworse\n")
    path = report_path(resources, done)

    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        moved = await client.get(path.replace(done.id.hex, other.id.hex))
        forged = await client.get(path.replace("/errors.csv", "A/errors.csv"))
        longer = await client.get(re.sub(r"_([0-9a-f]{8})\.", "_ffffffff.", path))
    late = FixedClock(resources.clock.now() + timedelta(hours=1, seconds=1))
    aged = Resources(settings=resources.settings, clock=late, cipher=resources.cipher, redis=resources.redis)
    async with serving(Starlette(routes=upload_routes(aged))) as there, httpx.AsyncClient() as client:
        expired = await client.get(f"http://{there}{path}")

    assert [moved.status_code, forged.status_code, longer.status_code, expired.status_code] == [404, 404, 404, 410]
