"""A real archive under fire: it lives, costs no more than before, serves others meanwhile, and says why it refused."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.faults import wire
from tests.hostile import associations, commands, datasets, identifiers, mutations
from tests.hostile.bombing import Outcome, bombard
from tests.hostile.traffic import Seed
from tests.hostile.victim import Victim

pytestmark = pytest.mark.interop
_NOISE = 2000


def named(outcomes: Sequence[Outcome], name: str) -> Outcome:
    return next(outcome for outcome in outcomes if outcome.case.name == name)


def test_recorded_streams_changed_at_random(target: Victim, seeds: list[Seed], rng: random.Random) -> None:
    outcomes = bombard(target, [*mutations.noise(seeds, rng, _NOISE)], 1)
    assert any(outcome.refused for outcome in outcomes)


def test_ended_and_reset_at_every_byte(target: Victim, seeds: list[Seed]) -> None:
    echo = next(seed for seed in seeds if seed.name == "echo")
    outcomes = bombard(target, [*mutations.cut(echo)], 2)
    for slowly in ("byte by byte", "seven by seven"):
        assert not named(outcomes, f"echo {slowly}").refused


def test_every_field_of_every_pdu(target: Victim, seeds: list[Seed]) -> None:
    used = [seed for seed in seeds if seed.name in ("echo", "study", "store", "get")]
    outcomes = bombard(target, [case for seed in used for case in mutations.fields(seed)], 3)
    for seed in used:
        assert not named(outcomes, f"{seed.name} PDU 4 odd fragments").refused
        assert named(outcomes, f"{seed.name} PDU 4 length 4294967295").kinds[-1] == wire.ABORT
        assert named(outcomes, f"{seed.name} PDU 4 no PDV").kinds[-1] == wire.ABORT
        assert named(outcomes, f"{seed.name} PDU 4 context 0").kinds[-1] == wire.ABORT


def test_pdus_in_every_order(target: Victim, seeds: list[Seed]) -> None:
    bombard(target, [case for seed in seeds for case in mutations.orders(seed)], 4)


def test_association_requests_against_the_rules(target: Victim) -> None:
    outcomes = bombard(target, [*associations.cases()], 5)
    for name, kind in (
        ("called b'NOBODY'", wire.ASSOCIATE_RJ), ("version 2", wire.ASSOCIATE_RJ), ("context 129", wire.ASSOCIATE_AC),
        ("200 contexts", wire.ABORT), ("128 contexts of one number", wire.ABORT), ("no syntaxes", wire.ABORT),
    ):  # fmt: skip
        assert named(outcomes, f"A-ASSOCIATE-RQ: {name}").kinds[0] == kind, name


def test_commands_against_the_rules(target: Victim) -> None:
    outcomes = bombard(target, [*commands.cases()], 6)
    assert named(outcomes, "field 0150, 0").statuses[0] == 0x0211
    assert named(outcomes, "0001: (1000) a path").statuses[0] == 0x0117


def test_identifiers_made_to_hurt(target: Victim, seeds: list[Seed]) -> None:
    assert seeds
    outcomes = bombard(target, [*identifiers.cases()], 7)
    for name, status in (
        ("nested 10000 deep", 0xA900), ("a length over the end", 0xA900), ("UIDs as paths", 0), ("6,000 UIDs", 0),
        ("a tag twice", 0), ("5,000 patterns", 0xA900),
    ):  # fmt: skip
        assert named(outcomes, f"C-FIND: {name}").statuses[-2] == status, name


def test_data_sets_that_are_none(target: Victim, rng: random.Random) -> None:
    outcomes = bombard(target, [*datasets.cases(rng)], 8)
    assert named(outcomes, "C-STORE announced as a path").statuses[0] == 0x0117
    assert named(outcomes, "C-STORE of another class").statuses[0] == 0xA900
