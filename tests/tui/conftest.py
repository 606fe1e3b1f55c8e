"""Tests that play the whole console are marked `console`, by the one thing they share: they call `play`."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "play") and "tests.tui" in item.module.__name__:
            item.add_marker(pytest.mark.console)
