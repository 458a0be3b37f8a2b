"""Jobs in the public schema: seen by those who may, started again when dead, invisible to all others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.core.caller import Caller, CallerKind
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.jobs.stage import Desk, change, rows_of
from tests.graph.core.client import run

JOBS = """query ($state: JobState, $queue: String, $first: Int, $after: String) {
  jobs(state: $state, queue: $queue, first: $first, after: $after) {
    edges { node { id kind queue state attempt maxAttempts error } } pageInfo { hasNextPage endCursor } } }"""
RETRY = """mutation ($id: ID!) { retryDeadJob(input: {jobId: $id}) {
  job { id state attempt } userErrors { code message path } } }"""
QUEUES = "{ jobQueues { name depth scheduled running dead oldestAgeSeconds } }"


def user(caller: Caller, role: TenantRole = TenantRole.OWNER) -> Caller:
    return replace(caller, kind=CallerKind.USER, user_id=new_id(), role=role)


async def kill_all(caller: Caller) -> None:
    await change(
        caller.tenant_id,
        "state = 'dead', due_at = NULL, attempt = 3, error = 'The disk is full.', finished_at = $2",
        caller.now(),
    )


async def test_dead_jobs_are_listed_with_their_reason_page_by_page(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 3)
    await kill_all(caller)
    await desk.put(caller)
    ids = [global_id("Job", row["id"]) for row in await rows_of(caller.tenant_id)]

    first = (await run(schema, user(caller), JOBS, {"state": "DEAD", "first": 2}))["data"]["jobs"]
    variables = {"state": "DEAD", "queue": desk.queue, "after": first["pageInfo"]["endCursor"]}
    second = (await run(schema, user(caller), JOBS, variables))["data"]["jobs"]

    assert [edge["node"]["id"] for edge in first["edges"] + second["edges"]] == [ids[2], ids[1], ids[0]]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["edges"][0]["node"] | {"id": ""} == {
        "id": "",
        "kind": f"{desk.queue}.normal",
        "queue": desk.queue,
        "state": "DEAD",
        "attempt": 3,
        "maxAttempts": 3,
        "error": "The disk is full.",
    }


async def test_a_dead_job_waits_again_and_a_living_one_is_refused(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller)
    await kill_all(caller)
    [row] = await rows_of(caller.tenant_id)
    variables = {"id": global_id("Job", row["id"])}

    done = (await run(schema, user(caller), RETRY, variables))["data"]["retryDeadJob"]
    refused = (await run(schema, user(caller), RETRY, variables))["data"]["retryDeadJob"]

    assert done == {"job": {"id": variables["id"], "state": "QUEUED", "attempt": 0}, "userErrors": []}
    assert refused["job"] is None
    assert refused["userErrors"] == [
        {
            "code": "WRONG_STATE",
            "message": "Only a dead job can be retried; this one is queued.",
            "path": ["input", "jobId"],
        }
    ]


async def test_a_foreign_an_unknown_and_a_malformed_id_read_the_same(resources: Resources) -> None:
    desk = Desk(resources)
    owner, stranger = desk.caller(), desk.caller()
    await desk.put(owner)
    await kill_all(owner)
    [row] = await rows_of(owner.tenant_id)
    query = "query ($id: ID!) { node(id: $id) { id } }"

    answers: list[Any] = []
    for each in (global_id("Job", row["id"]), global_id("Job", new_id()), "nonsense", global_id("User", row["id"])):
        retried = await run(schema, user(stranger), RETRY, {"id": each})
        shown = await run(schema, user(stranger), query, {"id": each})
        answers.append((retried["data"], shown["data"]))

    assert answers == [answers[0]] * 4
    assert answers[0][0]["retryDeadJob"]["userErrors"][0]["code"] == "NOT_FOUND"
    assert answers[0][1] == {"node": None}
    assert await rows_of(owner.tenant_id) == [row]


async def test_queues_show_depth_and_age(resources: Resources) -> None:
    desk = Desk(resources)
    caller = desk.caller()
    await desk.put(caller, 2, due_at=caller.now() - timedelta(seconds=60))
    await desk.put(caller, due_at=caller.now() + timedelta(hours=1))

    [queue] = (await run(schema, user(caller), QUEUES))["data"]["jobQueues"]

    assert queue | {"oldestAgeSeconds": 0} == {
        "name": desk.queue,
        "depth": 2,
        "scheduled": 1,
        "running": 0,
        "dead": 0,
        "oldestAgeSeconds": 0,
    }
    assert 60 <= queue["oldestAgeSeconds"] < 70


async def test_a_member_is_told_which_permission_is_missing(resources: Resources) -> None:
    member = user(Desk(resources).caller(), TenantRole.MEMBER)

    answers = [await run(schema, member, QUEUES), await run(schema, member, JOBS)]

    assert [answer["errors"][0]["extensions"]["code"] for answer in answers] == ["FORBIDDEN"] * 2
    assert "jobs.read" in answers[0]["errors"][0]["message"]
