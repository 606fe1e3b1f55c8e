"""One zygote for all tests that start many servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import forking


@pytest.fixture(scope="session")
def one_zygote() -> Iterator[forking.Zygote]:
    with forking.zygote() as made:
        yield made


@pytest.fixture
def zygote(one_zygote: forking.Zygote) -> Iterator[forking.Zygote]:
    """The zygote, which runs no server before and after the test."""
    yield one_zygote
    one_zygote.clear()
