"""A stage that sends, for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.resources import Resources
from tests.app.outreach.sending_stage import SendingStage, sending_stage


@pytest.fixture
async def sending(resources: Resources, tmp_path: Path) -> AsyncIterator[SendingStage]:
    async with sending_stage(resources, tmp_path) as made:
        yield made
