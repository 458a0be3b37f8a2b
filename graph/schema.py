"""The public schema: every noun's classes, on one page. Adding a noun is one import and one entry per list."""

from graph.core.build import build_schema, root
from graph.core.node import NodeQueries

QUERIES: list[type] = [NodeQueries]
MUTATIONS: list[type] = []
SUBSCRIPTIONS: list[type] = []

schema = build_schema(
    query=root("Query", "Everything that can be read.", QUERIES),
    mutation=root("Mutation", "Everything that can be changed.", MUTATIONS) if MUTATIONS else None,
    subscription=root("Subscription", "Everything that can be watched live.", SUBSCRIPTIONS) if SUBSCRIPTIONS else None,
)
