"""For all tests."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

from tests.order import in_lanes
from tests.proofs import Prove, Recorder, prover

# A busy machine is slow without being wrong.
settings.register_profile("hsmpub", deadline=None)
settings.load_profile("hsmpub")


def pytest_configure(config: pytest.Config) -> None:
    """The controller of a run, or its only process, records what foreign verifiers said."""
    if not hasattr(config, "workerinput"):
        some = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword
        config.pluginmanager.register(Recorder(whole=not (some or config.option.markexpr)), "hsmpub-proofs")


@pytest.hookimpl(trylast=True)  # after -k and -m have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = in_lanes(items, workers)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Makes some hundred thousand objects that stay: nothing is looked for among them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def proof(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Prove:
    """Asserts a foreign verifier's verdicts and records them: tests.proofs says how."""
    return prover(record_property, request.node.nodeid)
