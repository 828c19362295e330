"""Averages of the weights over training, validated along with the live weights and stored where they are better.

average <- average + share * (weights - average) at every observation. Rows of parameters with sparse gradients are
brought up to date only when they are about to change (or be used): while a row does not change, k observations together
are one step with share 1 - (1 - share_1) ... (1 - share_k).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ...base.contents.forms import take_over
from ...config import TrainingConfig
from .optimizers import Optimizer

SNAPSHOTS = 100
"""Weights that SWA would collect over a whole training; it begins somewhere on the way."""


class Average:
    """No average, and what all averages share. `count` is the number of observations so far, the start included."""

    def __init__(self, optimizer: Optimizer, config: TrainingConfig):
        self.optimizer, self.config = optimizer, config
        self.count = 0
        self.retained = 0.0
        """log of the product of (1 - share) over all observations."""
        self.values: dict[str, Tensor] = {}
        sparse = {id(p) for p in optimizer.sparse_params}
        self.dense = [name for name, p in optimizer.parameters.items() if id(p) not in sparse]
        self.names = {id(p): name for name, p in optimizer.parameters.items() if id(p) in sparse}
        self.row_retained: dict[str, Tensor] = {}
        """`retained` as of each row's last update, float64."""

    def wants(self, used: float) -> bool:
        """Whether the weights after a step are to be observed, at a share `used` of training."""
        return False

    def after_validation(self, loss: float) -> None:
        """Take note of a validation of the live weights."""

    def share(self) -> float:
        """Weight of the next observation."""
        return 1.0 / (self.count + 1)

    @property
    def started(self) -> bool:
        """Whether there is an average."""
        return self.count > 0

    @torch.no_grad()
    def before_step(self) -> None:
        """Bring the rows that are about to change up to date."""
        if self.started:
            for parameter, rows, _ in self.optimizer.rows():
                self._settle(parameter, rows)

    @torch.no_grad()
    def after_step(self, used: float) -> None:
        """Observe the weights, if it is time to."""
        if not self.wants(used):
            return
        if not self.started:
            self.values = {name: p.detach().clone() for name, p in self.optimizer.parameters.items()}
            self.row_retained = {
                name: torch.zeros(len(self.values[name]), dtype=torch.float64, device=self.values[name].device)
                for name in self.names.values()
            }
        else:
            share = self.share()
            self.retained += math.log1p(-share)
            live: list[Tensor] = [self.optimizer.parameters[name] for name in self.dense]
            if live:
                torch._foreach_lerp_([self.values[name] for name in self.dense], live, share)
        self.count += 1

    def _settle(self, parameter: Parameter, rows: Tensor) -> None:
        """Make up for the observations that `rows` (r,) of a sparse parameter missed while they did not change."""
        name = self.names[id(parameter)]
        average, then = self.values[name], self.row_retained[name]
        keep = (self.retained - then.index_select(0, rows)).exp_().to(average.dtype)[:, None]
        live = parameter.index_select(0, rows)
        average.index_copy_(0, rows, live + keep * (average.index_select(0, rows) - live))
        then.index_fill_(0, rows, self.retained)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring all rows up to date."""
        if self.started:
            for parameter in self.optimizer.sparse_params:
                self._settle(parameter, torch.arange(len(parameter), device=parameter.device))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The average in the model's place; the live weights come back afterwards, bit for bit."""
        parameters = self.optimizer.parameters
        self.settle()
        with torch.no_grad():
            live = {name: p.detach().clone() for name, p in parameters.items()}
            for name, parameter in parameters.items():
                parameter.copy_(self.values[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(live[name])

    def arrays(self) -> dict[str, Tensor]:
        """The averages, for exact resume."""
        rows = {f"retained.{name}": tensor for name, tensor in self.row_retained.items()}
        return {f"value.{name}": tensor for name, tensor in self.values.items()} | rows

    def numbers(self) -> dict[str, Any]:
        """What else is needed to resume."""
        return {"count": self.count, "retained": self.retained}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""

        def under(prefix: str) -> dict[str, Tensor]:
            named = {key.removeprefix(prefix): t for key, t in arrays.items() if key.startswith(prefix)}
            return {name: t.to(self.optimizer.parameters[name].device) for name, t in named.items()}

        self.values, self.row_retained = under("value."), under("retained.")

    def load_numbers(self, numbers: dict[str, Any]) -> None:
        """Resume from `numbers()`."""
        take_over(self, numbers, self.numbers())


class ExponentialAverage(Average):
    """Exponential moving average of every step; it forgets faster in its first steps, so that it never lags behind by
    more than it has seen: decay = min(average_decay, (1 + n) / (10 + n)) at step n."""

    def wants(self, used: float) -> bool:
        return True

    def share(self) -> float:
        return 1.0 - min(self.config.average_decay, (1 + self.count) / (10 + self.count))


class UniformAverage(Average):
    """Averaged SGD (Polyak & Juditsky 1992, https://doi.org/10.1137/0330046): the mean of every step's weights from
    a share of training on."""

    usual_start = 0.5

    def start(self) -> float:
        given = self.config.average_start
        return self.usual_start if given is None else given

    def wants(self, used: float) -> bool:
        return used > self.start()


class StochasticWeightAverage(UniformAverage):
    """SWA (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407): the mean of weights collected now and then, at
    every hundredth of training, from a share of it on. Meant for a rate that stays high: `schedule`, `final_lr`."""

    usual_start = 0.75
    reached = 0
    """Hundredths of training passed by."""

    def wants(self, used: float) -> bool:
        return used > self.start() and int(used * SNAPSHOTS) > self.reached

    def after_step(self, used: float) -> None:
        super().after_step(used)
        self.reached = int(used * SNAPSHOTS)

    def numbers(self) -> dict[str, Any]:
        return {**super().numbers(), "reached": self.reached}


class TriggeredAverage(Average):
    """NT-ASGD (Merity et al. 2018, https://arxiv.org/abs/1708.02182): averaged SGD that begins when a validation is
    worse than the best of all but the last `average_patience` ones."""

    triggered = False

    def __init__(self, optimizer: Optimizer, config: TrainingConfig):
        super().__init__(optimizer, config)
        self.history: list[float] = []

    def wants(self, used: float) -> bool:
        return self.triggered

    def after_validation(self, loss: float) -> None:
        earlier = self.history[: -self.config.average_patience]
        if earlier and loss > min(earlier):
            self.triggered = True
        self.history.append(loss)

    def numbers(self) -> dict[str, Any]:
        return {**super().numbers(), "triggered": self.triggered, "history": self.history}


AVERAGES: dict[str, Callable[[Optimizer, TrainingConfig], Average]] = {
    "none": Average,
    "ema": ExponentialAverage,
    "swa": StochasticWeightAverage,
    "asgd": UniformAverage,
    "nt-asgd": TriggeredAverage,
}
