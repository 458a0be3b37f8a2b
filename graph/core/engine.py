"""Runs operations for every transport: chooses, charges, executes, and words the answer. Knows nothing of HTTP or sockets.

Each operation's plan makes the executor for a request: graphql-core's own, or one with compiled selections.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from strawberry.execution import optimized_is_awaitable

from app.core.caller import Caller, CallerKind
from app.core.errors import RequestError, Throttled, Unauthenticated
from graph.context import Context
from graph.core.buckets import Buckets, Budget
from graph.core.build import PublicSchema
from graph.core.documents import Closed, Documents, Operation, Refused
from graph.core.errors import TopLevelCode, internal, present, refusal
from graph.core.limits import check_cost
from graph.core.request import Request
from graph.core.scalars import unfit_text

# What reading and refusing a document takes from the budget. Without a token, that is the budget of the address.
REFUSAL_COST = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """One GraphQL response. `is_denied`: refused before the document counted, by authentication or budget."""

    body: dict[str, Any]
    is_denied: bool = False

    @property
    def code(self) -> TopLevelCode | None:
        """The code that decides a status: the first error's, when there is no data. None: all, or some, went well."""
        if self.body.get("data") is not None or not self.body.get("errors"):
            return None
        return TopLevelCode(self.body["errors"][0]["extensions"]["code"])

    @property
    def retry_after_seconds(self) -> int | None:
        errors = self.body.get("errors")
        return errors[0]["extensions"].get("retryAfter") if errors else None


@dataclass(frozen=True, slots=True)
class Ready:
    """An operation that was chosen and paid for."""

    operation: Operation
    variables: Mapping[str, Any]
    context: Context
    budget: Budget


class Stopped(Exception):
    """The operation does not run; `answer` is what the client gets instead."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Engine:
    """The schema in operation. One per process, shared by all transports."""

    def __init__(self, schema: PublicSchema, documents: Documents, buckets: Buckets) -> None:
        self.schema = schema
        self.documents = documents
        self.buckets = buckets

    def prepare(self, request: Request, caller: Caller, *, denial: Unauthenticated | None = None) -> Ready:
        """Chooses the operation and takes its cost from the caller's budget. Raises Stopped.

        `denial` words the refusal of an anonymous caller: why its token does not count.
        """
        signed_in = caller.kind is not CallerKind.ANONYMOUS
        try:
            if not self.documents.knows(request.query, request.operation_name):
                self.buckets.need(caller, REFUSAL_COST)  # else a refused document would be read for nothing
            operation = self.documents.operation(request.query, request.operation_name, signed_in=signed_in)
            cost = operation.cost(request.variables)
            check_cost(cost, self.documents.limits)
            _check_text(request.variables)
        except Throttled as error:
            raise Stopped(self.denied(caller, error, requested=REFUSAL_COST)) from None
        except Closed:
            raise Stopped(self._closed(caller, denial or Unauthenticated())) from None
        except Refused as error:
            raise Stopped(self._refused(caller, error.errors)) from None
        except GraphQLError as error:
            raise Stopped(self._refused(caller, [error])) from None
        try:
            budget = self.buckets.take(caller, cost)
        except Throttled as error:
            raise Stopped(self.denied(caller, error, requested=cost)) from None
        return Ready(operation, request.variables, Context(caller), budget)

    async def run(self, ready: Ready) -> Answer:
        """Executes a query or mutation. Never raises for what resolvers raise."""
        if ready.operation.kind is OperationType.SUBSCRIPTION:
            sentence = (
                "Subscriptions run over WebSocket (graphql-transport-ws) here, or as event stream on its own path."
            )
            return Answer(_body(ready, {"errors": present([GraphQLError(sentence)], ready.context.request_id)}))
        try:
            result = await self._execute(ready)
        except Stopped as stopped:
            return stopped.answer
        except Exception as error:  # noqa: BLE001 - masked and logged; the client gets INTERNAL
            return Answer(_body(ready, {"errors": [internal(error, ready.context.request_id)]}))
        return Answer(_body(ready, _shown(result, ready.context.request_id)))

    async def stream(self, ready: Ready) -> AsyncGenerator[Answer, None]:
        """The answers of any operation: each event of a subscription, or the one answer of a query or mutation.

        Close the iterator, and the subscription's source generator is closed.
        """
        if ready.operation.kind is not OperationType.SUBSCRIPTION:
            yield await self.run(ready)
            return
        request_id = ready.context.request_id
        try:
            executor = self._executor(ready)
            source: Any = create_source_event_stream(executor)
            values = await source if optimized_is_awaitable(source) else source
            if isinstance(values, ExecutionResult):
                yield Answer(_body(ready, _shown(values, request_id)))
                return
            async with aclosing(cast("AsyncGenerator[Any, None]", values)) as events:
                async for value in events:
                    yield Answer(_body(ready, await _event(ready, executor, value)))
        except Stopped as stopped:
            yield stopped.answer
        except Exception as error:  # noqa: BLE001 - worded or masked, and the subscription ends
            wrapped = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            yield Answer(_body(ready, {"errors": present([wrapped], request_id)}))

    def denied(self, caller: Caller, error: RequestError, *, requested: int = 0) -> Answer:
        """An answer that says no before the document counts. Takes nothing from the budget."""
        budget = self.buckets.look(caller, requested)
        return Answer({"errors": [refusal(error)], "extensions": {"cost": budget.shown()}}, is_denied=True)

    def _closed(self, caller: Caller, denial: Unauthenticated) -> Answer:
        """The denial of a document that was read to see that it is none of this caller's: charged like a refusal."""
        try:
            self.buckets.take(caller, REFUSAL_COST)
        except Throttled as error:
            return self.denied(caller, error, requested=REFUSAL_COST)
        return self.denied(caller, denial, requested=REFUSAL_COST)

    def _refused(self, caller: Caller, errors: list[GraphQLError]) -> Answer:
        try:
            budget = self.buckets.take(caller, REFUSAL_COST)
        except Throttled as error:
            return self.denied(caller, error, requested=REFUSAL_COST)
        return Answer({"errors": present(errors, caller.request_id), "extensions": {"cost": budget.shown()}})

    def _executor(self, ready: Ready) -> Executor[Any]:
        """For a query or mutation, or a subscription's source and its events. Raises Stopped when the variables do not fit."""
        built = ready.operation.plan.executor(ready.variables, ready.context)
        if isinstance(built, list):
            raise Stopped(Answer(_body(ready, {"errors": present(built, ready.context.request_id)})))
        return built

    async def _execute(self, ready: Ready) -> ExecutionResult:
        result: Any = self._executor(ready).execute_operation()
        return cast("ExecutionResult", await result if optimized_is_awaitable(result) else result)


async def _event(ready: Ready, executor: Executor[Any], value: object) -> dict[str, Any]:
    """What a subscriber gets for one event; written once for all, where the value alone decides it."""
    recent = ready.operation.recent
    if recent is not None and (data := recent.find(value)) is not None:
        return {"data": data}
    done: Any = execute_subscription_event(executor.build_per_event_executor(value))
    result = cast("ExecutionResult", await done if optimized_is_awaitable(done) else done)
    if recent is None or result.errors or result.data is None:
        return _shown(result, ready.context.request_id)
    return {"data": recent.keep(value, result.data)}


def _shown(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """Data and errors. Errors without data and without a path stopped the request: then there is no `data` entry."""
    if not result.errors:
        return {"data": result.data}
    errors = present(result.errors, request_id)
    if result.data is None and all(error.path is None for error in result.errors):
        return {"errors": errors}
    return {"errors": errors, "data": result.data}


def _body(ready: Ready, shown: dict[str, Any]) -> dict[str, Any]:
    shown["extensions"] = {"cost": ready.budget.shown()}
    return shown


def _check_text(variables: Mapping[str, Any]) -> None:
    where = unfit_text(variables) if variables else None
    if where is not None:
        raise GraphQLError(f"Variable `${where}` cannot hold the character NUL or a lone surrogate.")
