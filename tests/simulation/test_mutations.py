"""The mutations fit the code as it is: each in exactly one place."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import report_service
from tests.simulation.mutate import mutated
from tests.simulation.mutations import MUTATIONS

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_fits_and_is_still_python(mutation: Mutation) -> None:
    file = Path(report_service.__file__).parent / mutation.file
    ast.parse(mutated(file.read_text(), mutation))
