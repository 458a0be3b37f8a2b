"""Authentication meets the document: who may run what, decided before validation."""

from dataclasses import replace

from app.core.caller import Caller, CallerKind, Purse
from app.core.door import ConnectionFacts, Door
from app.core.errors import Unauthenticated
from graph.core.engine import Engine, Ready, Stopped
from graph.core.request import Request


async def admitted(
    engine: Engine, door: Door, request: Request, *, authorization: str | None, facts: ConnectionFacts
) -> Ready:
    """The operation, ready to run for the caller behind the token. Raises Stopped.

    A stale token does not keep anybody from signing in: sign-in operations then run as for a caller without one. Nor do
    the documents that others send from the same address: a sign-in document that is known has a budget of its own.
    """
    try:
        caller = await door.admit(authorization, facts)
    except Unauthenticated as error:
        nobody = _paying(engine, request, await door.admit(None, facts))
        ready = engine.prepare(request, nobody, denial=error)
        if not ready.operation.is_sign_in:
            raise Stopped(engine.denied(nobody, error)) from None
        return ready
    return engine.prepare(request, _paying(engine, request, caller))


def _paying(engine: Engine, request: Request, caller: Caller) -> Caller:
    if caller.kind is CallerKind.ANONYMOUS and engine.documents.knows_sign_in(request.query, request.operation_name):
        return replace(caller, purse=Purse.SIGN_IN)
    return caller
