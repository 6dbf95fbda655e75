"""One file names everything: dataset, first stage, rankers, measures, reasons to check. Run it, kill it, run it again.

settings = config.load(ExperimentSettings, "exp.yaml")
outcome = run(settings)
"""

from whyrank.experiment.outcome import Outcome
from whyrank.experiment.running import run
from whyrank.experiment.settings import ExperimentSettings

__all__ = ["ExperimentSettings", "Outcome", "run"]
