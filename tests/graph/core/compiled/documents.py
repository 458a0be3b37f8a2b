"""Valid documents by chance for any schema: aliases, repeated fields, fragments, conditions, variables and arguments."""

import random
from collections.abc import Callable
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    GraphQLField,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    SelectionNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    parse,
    print_ast,
    specified_rules,
    validate,
    visit,
)

_DEPTH = 5
_RULES = [each for each in specified_rules if each not in (NoUnusedFragmentsRule, NoUnusedVariablesRule)]
_VARIABLES = {"$n": "Int = 3", "$t": "String", "$y": "Boolean! = true", "$z": "Boolean!"}


def make_document(schema: GraphQLSchema, seed: int) -> str:
    """A query or mutation. Fields that would conflict under one name get an alias each, so that it is valid."""
    writing = _Writing(schema, random.Random(seed))
    is_query = writing.chance.random() < 0.85
    root = schema.query_type if is_query else schema.mutation_type
    body = writing.selection(root, 0)
    text = f"{body} {' '.join(writing.fragments)}"
    used = ", ".join(f"{name}: {kind}" for name, kind in _VARIABLES.items() if name in text)
    return f"{'query' if is_query else 'mutation'} Q{f'({used})' if used else ''} {text}"


class _Writing:
    def __init__(self, schema: GraphQLSchema, chance: random.Random) -> None:
        self.schema = schema
        self.chance = chance
        self.fragments: list[str] = []
        self._aliases = 0

    def selection(self, kind: Any, depth: int) -> str:
        parts: list[str] = []
        fields = list(kind.fields.items()) if hasattr(kind, "fields") else []
        for name, field in self.chance.sample(fields, min(len(fields), self.chance.randint(1, 6 if depth else 3))):
            if depth < _DEPTH or is_leaf_type(get_named_type(field.type)):
                parts.append(self._decorated(self._field(name, field, depth), kind))
        if is_abstract_type(kind):
            parts += [
                f"... on {each.name} {self.selection(each, depth + 1)}"
                for each in self.schema.get_possible_types(kind)
                if self.chance.random() < 0.7 and depth < _DEPTH
            ]
        if not parts or self.chance.random() < 0.2:
            parts.append("__typename")
        return f"{{ {' '.join(parts)} }}"

    def _field(self, name: str, field: GraphQLField, depth: int) -> str:
        inner = get_named_type(field.type)
        below = "" if is_leaf_type(inner) else self.selection(inner, depth + 1)
        arguments = self._arguments() if field.args else ""
        self._aliases += 1
        alias = f"a{self._aliases}: " if arguments or self.chance.random() < 0.8 else ""
        text = f"{alias}{name}{arguments} {below}"
        if below and not arguments and alias and self.chance.random() < 0.15:
            text += f" {alias}{name} {self.selection(inner, depth + 1)}"  # merged with the first
        return text

    def _arguments(self) -> str:
        return self.chance.choice(["", "(n: 1)", "(n: $n)", '(text: "x", n: $n)', "(text: $t)"])

    def _decorated(self, text: str, kind: Any) -> str:
        roll = self.chance.random()
        if roll < 0.06:
            return f"... @include(if: ${self.chance.choice('yz')}) {{ {text} }}"
        if roll < 0.12:
            return f"... on {kind.name} @skip(if: ${self.chance.choice('yz')}) {{ {text} }}"
        if roll < 0.2:
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {kind.name} {{ {text} }}")
            return f"...{name}"
        return text


def is_valid(schema: GraphQLSchema, text: str) -> bool:
    """Whether it can run; what is declared need not be used."""
    try:
        return not validate(schema, parse(text), _RULES)
    except GraphQLSyntaxError:
        return False


def operation_of(document: DocumentNode) -> OperationDefinitionNode:
    return next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))


def smallest(text: str, is_failing: Callable[[str], bool]) -> str:
    """The document without every selection that the failure does not need."""
    number = 0
    while True:
        dropping = _Dropping(number)
        shorter = print_ast(visit(parse(text), dropping))
        if not dropping.has_dropped:
            return text
        if is_failing(shorter):
            text = shorter
        else:
            number += 1


class _Dropping(Visitor):
    """Takes one selection out: the one of this number, in the order of reading."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.has_dropped = False
        self._left = number

    def enter(self, node: Node, *_place: Any) -> Any:
        if not isinstance(node, SelectionNode) or self.has_dropped:
            return None
        if self._left == 0:
            self.has_dropped = True
            return REMOVE
        self._left -= 1
        return None
