"""Compiled execution: selections of plain attributes become generated functions; all else stays with graphql-core."""
