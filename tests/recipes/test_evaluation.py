"""A new evaluation is one file and one line: the contract then reads it at its own smallest size."""

from __future__ import annotations

from typing import Any

EVALUATION = '''"""Weights: the mean square of a model's weights, which decay pulls down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ablate.data.text import Text
from ablate.evaluation.reading import Reading
from ablate.records import Row


@dataclass(frozen=True, kw_only=True)
class Weights:
    name: ClassVar[str] = "weights"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = object
    smoke: ClassVar[dict[str, Any]] = {"matrices": 2}
    on_curve: ClassVar[bool] = True

    matrices: int = 100
    """How many of the first parameters are read."""

    def check(self, model: Any, text: Text) -> None:
        """Any model has weights."""

    def measure(self, model: Any, text: Text) -> Reading:
        squares = [float(p.detach().square().mean()) for p in list(model.parameters())[: self.matrices]]
        value = sum(squares) / len(squares)
        return Reading((Row(evaluation=self.name, metric="mean_square", value=value, unit="norm", items=len(squares)),))
'''


def test_the_contract_enrols_it(house: Any) -> None:
    house.write("ablate/evaluation/weights.py", EVALUATION)
    house.add(
        "ablate/evaluation/__init__.py",
        "EVALUATIONS: dict[str, str] = {",
        '    "weights": "ablate.evaluation.weights:Weights",',
    )
    house.test("tests/evaluation/test_every_evaluation.py", "tests/test_floors.py", "-k", "weights")
