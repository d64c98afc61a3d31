"""The objectives by name. The table is a literal, readable without torch; a class is imported on first use.

Another package adds an objective through the entry-point group `ablate.objectives`, e.g. in its pyproject.toml:

    [project.entry-points."ablate.objectives"]
    electra = "my_package.electra:Electra"
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from ablate.config import ConfigError, choose

if TYPE_CHECKING:
    from ablate.objectives.base import Objective

GROUP = "ablate.objectives"

OBJECTIVES: dict[str, str] = {
    "bert": "ablate.objectives.bert:Bert",
    "gpt": "ablate.objectives.gpt:Gpt",
    "xlnet": "ablate.objectives.xlnet:Xlnet",
    "t5": "ablate.objectives.t5:T5",
    "vae": "ablate.objectives.vae:Vae",
    "gan": "ablate.objectives.gan:Gan",
    "lstm": "ablate.objectives.lstm:Lstm",
    "ngram": "ablate.objectives.ngram:Ngram",
}


def objective(name: str) -> type[Objective]:
    """Return the objective's class; `ConfigError` with the nearest names for an unknown one."""
    plugins = {point.name: point.value for point in entry_points(group=GROUP)}
    known = {**plugins, **OBJECTIVES}
    module, _, attribute = known[choose(name, known, "objective")].partition(":")
    try:
        found: type[Objective] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        if name in OBJECTIVES:
            raise
        raise ConfigError(f"objective {name!r} ({known[name]}) cannot be imported: {error}") from error
    return found


def objective_of(config: Any) -> type[Objective]:
    """Return the class that takes this `Config`: a listed one, or one defined in the same module as the config.

    The second case lets a study file define its objective without installing it.
    """
    name = getattr(type(config), "name", None)
    beside = vars(sys.modules[type(config).__module__]).values()
    own = [kind for kind in beside if isinstance(kind, type) and vars(kind).get("Config") is type(config)]
    if own:
        return own[0]
    if not isinstance(name, str):
        raise ConfigError(f"objective = {config!r}, but must be the Config of one of {', '.join(OBJECTIVES)}")
    return objective(name)
