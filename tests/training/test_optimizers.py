"""Optimisers, clipping, penalties and averages: against torch's own, and lazy rows against their dense selves."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
import textwrap

import pytest
import torch
from costs import usual

from seqlab import api
from seqlab.config import ModelConfig, TrainingConfig
from seqlab.models import LanguageModel
from seqlab.training import AVERAGES, OPTIMIZERS, Optimizer
from seqlab.training.optimize.dense import DenseOptimizer
from seqlab.training.optimize.penalties import Penalty
from seqlab.training.optimize.rows import STALE
from seqlab.training.watch.validation import Validator


def rows_of(gradient: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return torch.sparse_coo_tensor(rows[None], gradient[rows], gradient.shape).coalesce()


def of_torch(name: str, params: list[torch.nn.Parameter], decay: float, **options) -> torch.optim.Optimizer:
    """torch's own class for the optimiser of that name, with the default settings."""
    config = TrainingConfig(optimizer=name)
    betas = {"betas": (config.beta1, config.beta2)}
    kinds = {
        "sgd": (torch.optim.SGD, {}),
        "momentum": (torch.optim.SGD, {"momentum": config.momentum}),
        "nesterov": (torch.optim.SGD, {"momentum": config.momentum, "nesterov": True}),
        "adagrad": (torch.optim.Adagrad, {}),
        "rmsprop": (torch.optim.RMSprop, {}),
        "adam": (torch.optim.Adam, betas),
        "adamw": (torch.optim.AdamW, betas),
    }
    kind, own = kinds[name]
    return kind(params, lr=0.05, weight_decay=decay, **own, **options)


def dense_and_lazy(name: str, decay: float, start: torch.Tensor):
    """A parameter under torch's plain optimiser and its copy under the row rule."""
    dense, lazy = (torch.nn.Parameter(start.clone()) for _ in range(2))
    reference = of_torch(name, [dense], decay, foreach=False)
    return dense, reference, lazy, OPTIMIZERS[name](TrainingConfig(optimizer=name)).rows([lazy], 0.05, decay)


@pytest.mark.parametrize("decay", [0.0, 0.02])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_dense_updates_are_those_of_torch_to_the_bit_and_go_on_from_their_state(name, decay):
    """Also where a parameter gets its first gradient later than others, which torch cannot do under momentum."""
    rng, several = torch.Generator().manual_seed(4), {"foreach" if name in ("adagrad", "rmsprop") else "fused": True}
    ours = [torch.nn.Parameter(torch.randn(shape, generator=rng)) for shape in ((5, 3), (4,), (2, 2))]
    theirs = [torch.nn.Parameter(one.detach().clone()) for one in ours]
    update = OPTIMIZERS[name](TrainingConfig(optimizer=name)).dense
    optimizer, reference = DenseOptimizer(ours, 0.05, update, decay), of_torch(name, theirs, decay, **several)
    for step in range(9):
        if step == 5:
            state = copy.deepcopy(optimizer.numbered_state())
            optimizer = DenseOptimizer(ours, 0.01, update, decay)
            optimizer.load_numbered_state(state)
        optimizer.lr = reference.param_groups[0]["lr"] = 0.05 / (step + 1)
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            late = number == 1 and step < 3 and name not in ("momentum", "nesterov")
            one.grad = None if late else torch.randn(one.shape, generator=rng)
            other.grad = one.grad
        optimizer.step()
        reference.step()
        for one, other in zip(ours, theirs, strict=True):
            assert torch.equal(one, other)
    theirs_kept = {number: set(kept) for number, kept in reference.state_dict()["state"].items() if name != "sgd"}
    assert {number: set(kept) for number, kept in optimizer.numbered_state().items() if kept} == theirs_kept


def test_no_optimiser_loads_the_compiler_of_torch():
    """Which takes more than a second of every start."""
    code = """
        import sys, torch
        from seqlab.config import ModelConfig, TrainingConfig
        from seqlab.models import LanguageModel
        from seqlab.training import OPTIMIZERS, Optimizer
        model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4, softmax="sampled"), 30)
        for name in OPTIMIZERS:
            optimizer = Optimizer(model, TrainingConfig(optimizer=name))
            loss, _ = model.loss(*torch.zeros(2, 2, 5, dtype=torch.int64), model.init_state(2))
            loss.backward()
            optimizer.clip(1.0)
            optimizer.step(0.1)
            optimizer.zero_grad()
        assert "torch._dynamo" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [0.0, 0.02])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lazy_rows_equal_torch_when_every_row_has_a_gradient(name, decay, dtype):
    """The compiled rules in float32, those of torch operations in float64."""
    generator = torch.Generator().manual_seed(1)
    dense, reference, lazy, rows = dense_and_lazy(name, decay, torch.randn(7, 3, generator=generator, dtype=dtype))
    for _ in range(20):
        gradient = torch.randn(7, 3, generator=generator, dtype=dtype)
        dense.grad, lazy.grad = gradient.clone(), rows_of(gradient, torch.arange(7))
        reference.step()
        rows.step()
        torch.testing.assert_close(dense, lazy)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_rows_touched_move_and_they_move_as_torch_moves_them(name):
    """Rows touched in every step equal torch's; rows never touched stay as they are, moments included."""
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(9, 4, generator=generator)
    dense, reference, lazy, rows = dense_and_lazy(name, 0.1, start)
    touched, others = torch.tensor([1, 4, 8]), torch.tensor([0, 2, 3, 5, 6, 7])
    for _ in range(10):
        gradient = torch.randn(9, 4, generator=generator)
        dense.grad, lazy.grad = gradient.clone(), rows_of(gradient, touched)
        reference.step()
        rows.step()
    torch.testing.assert_close(dense[touched], lazy[touched])
    assert torch.equal(lazy[others], start[others])
    for value in rows.state[lazy].values():
        if isinstance(value, torch.Tensor):
            assert not value[others].any()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_every_optimizer_lowers_the_loss_of_a_model_and_its_state_goes_on(name, softmax):
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=8, hidden_dim=8, layers=1, softmax=softmax, samples=30), 40)
    lr = {"adagrad": 0.1, "sgd": 1.0, "momentum": 0.3, "nesterov": 0.3}.get(name, 0.02)
    config = TrainingConfig(optimizer=name, lr=lr, weight_decay=1e-4)
    tokens = torch.randint(0, 40, (4, 13))

    def steps(model, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:], model.init_state(4))
            loss.backward()
            optimizer.clip(1.0)
            optimizer.step(lr)
        return float(loss.detach())

    optimizer = Optimizer(model, config)
    first = steps(model, optimizer, 1)
    steps(model, optimizer, 30)
    twin = copy.deepcopy(model)
    again = Optimizer(twin, config)
    again.load_arrays({key: tensor.clone() for key, tensor in optimizer.arrays().items()})
    noise = model.output.get_state()
    assert steps(model, optimizer, 20) < first - 0.5
    twin.output.set_state(noise)
    steps(twin, again, 20)
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other)


def idle_steps(name: str, dtype: torch.dtype, lrs, each: int, decay: float = 0.5):
    """50 rows after steps with zero gradients, `each` touched in a step: (start, dense, lazy, lazy optimiser)."""
    rng = torch.Generator().manual_seed(3)
    dense, reference, lazy, rows = dense_and_lazy(name, decay, torch.randn(50, 4, generator=rng, dtype=dtype))
    start = lazy.detach().clone()
    for lr in lrs:
        rows.lr = reference.param_groups[0]["lr"] = lr
        dense.grad = torch.zeros_like(dense)
        lazy.grad = rows_of(dense.grad, torch.randperm(50, generator=rng)[:each])
        reference.step()
        rows.step()
    return start, dense.detach(), lazy.detach(), rows


CHANGING = [1e-2 * (1 + math.sin(step)) for step in range(400)]
"""Learning rates, 0 among them nearly."""


@pytest.mark.parametrize("lrs", [[1e-2] * 400, CHANGING])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_rows_decay_as_dense_weights_do_whenever_they_are_touched(name, dtype, lrs):
    start, dense, lazy, rows = idle_steps(name, dtype, lrs, 5)
    assert rows.pending == pytest.approx(-sum(math.log1p(-0.5 * lr) for lr in lrs))
    rows.settle()
    assert rows.pending == 0
    torch.testing.assert_close(lazy, dense, atol=0, rtol=1e-5 if dtype is torch.float32 else 1e-12)
    assert float(lazy.norm() / start.norm()) == pytest.approx(math.prod(1 - 0.5 * lr for lr in lrs), rel=1e-5)
    again = lazy.clone()
    rows.settle()
    assert torch.equal(lazy, again)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_rows_under_momentum_decay_as_dense_weights_do_in_the_long_run(name):
    start, dense, lazy, rows = idle_steps(name, torch.float64, [1e-3] * 400, 5)
    rows.settle()
    assert float(dense.norm()) < 0.2 * float(start.norm())
    assert float(lazy.norm()) == pytest.approx(float(dense.norm()), rel=0.05)


@pytest.mark.parametrize("name", ["adam", "adagrad", "rmsprop"])
def test_adaptive_rules_shrink_rows_plainly_for_the_steps_they_miss(name):
    start, _, lazy, rows = idle_steps(name, torch.float32, CHANGING, 0)
    assert torch.equal(lazy, start)
    rows.settle()
    torch.testing.assert_close(lazy, start * math.prod(1 - 0.5 * lr for lr in CHANGING))
    assert not any(rows.state[key][slot].any() for key in rows.state for slot in rows.state[key] if "moment" in slot)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_catching_up_in_a_step_equals_settling_before_it(name):
    """Compiled or not: a row that missed steps is decayed first, then moved."""
    results = []
    for settled in (False, True):
        _, _, lazy, rows = idle_steps(name, torch.float32, CHANGING[:30], 5)
        if settled:
            rows.settle()
        lazy = next(iter(rows.state))
        lazy.grad = rows_of(torch.ones(50, 4), torch.arange(50))
        rows.step()
        results.append(lazy.detach().clone())
    torch.testing.assert_close(*results)


def test_without_decay_nothing_is_kept_for_rows_and_more_than_all_leaves_nothing():
    _, _, _, rows = idle_steps("adamw", torch.float32, [0.1] * 3, 5, decay=0.0)
    assert rows.pending == 0
    assert {key for state in rows.state.values() for key in state} == {"step", "moment0", "moment1"}
    _, _, lazy, rows = idle_steps("adamw", torch.float32, [1.0] * 3, 5, decay=2.0)
    rows.settle()
    assert lazy.isfinite().all()
    assert float(lazy.abs().max()) < 1e-20


@pytest.mark.parametrize("name", ["sgd", "adamw", "adam"])
def test_a_model_with_rows_decays_as_a_dense_one_and_goes_on_exactly(name):
    """Saved and loaded in the middle, with rows in arrears: the same bits; settled: the norm of plain shrinkage."""

    def fresh():
        torch.manual_seed(0)
        sizes = {"embed_dim": 4, "hidden_dim": 4, "softmax": "sampled", "samples": 3}
        model = LanguageModel(ModelConfig(**sizes), 50)
        return model, Optimizer(model, TrainingConfig(optimizer=name, weight_decay=0.5))

    def steps(model, optimizer, which):
        for step in which:
            rows = torch.randperm(50, generator=torch.Generator().manual_seed(step))[:5]
            model.embedding.grad = rows_of(torch.full((50, 4), 0.0 if name != "adam" else 0.1), rows)
            optimizer.step(CHANGING[step])

    model, optimizer = fresh()
    start = model.embedding.detach().clone()
    steps(model, optimizer, range(200))
    twin, again = fresh()
    twin.load_state_dict(model.state_dict())
    again.load_arrays({key: tensor.clone() for key, tensor in optimizer.arrays().items()})
    assert again.pending == optimizer.pending > 0
    for one, other in ((model, optimizer), (twin, again)):
        steps(one, other, range(200, 400))
        other.settle()
    assert torch.equal(model.embedding, twin.embedding)
    if name != "adam":
        expected = start * math.prod(1 - 0.5 * lr for lr in CHANGING)
        torch.testing.assert_close(model.embedding.detach(), expected, atol=0, rtol=1e-5)


@pytest.mark.parametrize("softmax", ["full", "sampled"])
@pytest.mark.parametrize(("name", "kept"), [("adamw", 1.0), ("sgd", 1.0 - 0.1 * 0.5)])
def test_decoupled_decay_leaves_biases_as_they_are(name, kept, softmax):
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4, layers=1, softmax=softmax, samples=3), 50)
    optimizer = Optimizer(model, TrainingConfig(optimizer=name, weight_decay=0.5))
    before = {key: tensor.detach().fill_(2.0).clone() for key, tensor in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for parameter in optimizer.sparse_params:
        parameter.grad = rows_of(torch.zeros_like(parameter), torch.arange(50))
    optimizer.step(0.1)
    optimizer.settle()
    for key, parameter in model.named_parameters():
        expected = before[key] * (1.0 - 0.1 * 0.5 if parameter.numel() > max(parameter.shape) else kept)
        torch.testing.assert_close(parameter.detach(), expected, msg=key)


def test_training_lets_no_row_fall_behind_and_validates_settled_rows(tmp_path, monkeypatch):
    """Before every step a row may owe at most 1%; the weights that are validated and kept owe nothing."""
    (tmp_path / "text.txt").write_text("".join(f"the noun{i % 37} sees noun{i % 23} .\n" for i in range(900)))
    corpus = api.prepare(tmp_path / "text.txt", tmp_path / "corpus", tokenizer="whitespace")
    before, validated = [], []
    zero_grad, validate = Optimizer.zero_grad, Validator.validate
    monkeypatch.setattr(Optimizer, "zero_grad", lambda self: before.append(self.pending) or zero_grad(self))
    monkeypatch.setattr(
        Validator, "validate", lambda *a: validated.append(a[0].average.optimizer.pending) or validate(*a)
    )
    sizes = {
        "embed_dim": 6,
        "hidden_dim": 6,
        "layers": 1,
        "batch_size": 2,
        "bptt": 4,
        "softmax": "sampled",
        "samples": 3,
    }
    options = {"steps": 60, "weight_decay": 0.2, "lr": 0.02, "schedule": "constant", "warmup": 0.0, "average": "ema"}
    api.train_language_model(corpus, tmp_path / "run", **sizes, **options, evaluations=5, quiet=True)
    assert 0.005 < max(before) <= STALE
    assert validated == [0.0] * 5


def model_with_gradients(softmax: str, **options):
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=8, hidden_dim=8, softmax=softmax, samples=20), 60)
    optimizer = Optimizer(model, TrainingConfig(**options))
    tokens = torch.randint(0, 60, (3, 11))
    loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:], model.init_state(3))
    loss.backward()
    optimizer.coalesce()
    return model, optimizer


def dense_gradients(model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: (p.grad.to_dense() if p.grad.is_sparse else p.grad).double() for name, p in model.named_parameters()}


def joint_norm(model: LanguageModel) -> float:
    return math.sqrt(sum(float(g.square().sum()) for g in dense_gradients(model).values()))


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_clipping_shrinks_the_joint_norm(softmax):
    model, optimizer = model_with_gradients(softmax)
    before = joint_norm(model)
    clipping = optimizer.clip(before / 3)
    assert bool(clipping.clipped)
    assert float(clipping.norm) == pytest.approx(before, rel=1e-5)
    assert float(clipping.norms.double().square().sum().sqrt()) == pytest.approx(before, rel=1e-5)
    assert len(clipping.norms) == len(optimizer.parameters)
    assert joint_norm(model) == pytest.approx(before / 3, rel=1e-5)
    assert not optimizer.clip(0).clipped
    assert not optimizer.clip(10 * before).clipped
    assert joint_norm(model) == pytest.approx(before / 3, rel=1e-5)


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_clipping_by_value_cuts_every_element_and_says_how_many(softmax):
    model, optimizer = model_with_gradients(softmax)
    before = {name: gradient.clone() for name, gradient in dense_gradients(model).items()}
    limit = 1e-3
    entries = torch.cat([gradient.flatten() for gradient in optimizer.gradients()])
    clipping = optimizer.clip(0.0, limit)
    assert float(clipping.clipped_values) == pytest.approx(float((entries.abs() > limit).float().mean()))
    assert 0 < float(clipping.clipped_values) < 1
    for name, gradient in dense_gradients(model).items():
        torch.testing.assert_close(gradient, before[name].clamp(-limit, limit))
    joint = joint_norm(model)
    both = optimizer.clip(joint / 2, limit)
    assert bool(both.clipped)
    assert joint_norm(model) == pytest.approx(joint / 2, rel=1e-5)


def test_penalties_add_the_gradient_of_what_they_report():
    model, optimizer = model_with_gradients("full")
    before = dense_gradients(model)
    penalty = Penalty(optimizer, l1=0.3, l2=0.02)
    assert penalty
    assert not Penalty(optimizer, 0, 0)
    penalty.add_gradients(0)
    added = {name: gradient - before[name] for name, gradient in dense_gradients(model).items()}
    weights = {name: p for name, p in model.named_parameters() if "bias" not in name}
    value = sum(0.3 * p.abs().sum() + 0.02 * p.square().sum() for p in weights.values())
    assert penalty.value() == pytest.approx(float(value.detach()), rel=1e-5)
    expected = dict(zip(weights, torch.autograd.grad(value, list(weights.values())), strict=True))
    for name, gradient in added.items():
        if name in expected:
            torch.testing.assert_close(gradient, expected[name].double(), atol=1e-6, rtol=1e-4)
        else:
            assert not gradient.any(), name


def test_a_sparse_row_is_charged_for_every_step_since_it_was_touched():
    """Under plain gradient descent with a small rate, a row touched now and then shrinks as under a dense penalty."""
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4, softmax="sampled", samples=3), 50)
    optimizer = Optimizer(model, TrainingConfig(optimizer="sgd"))
    penalty = Penalty(optimizer, l1=0.0, l2=0.5)
    embedding, start = model.embedding, model.embedding.detach().clone()
    rng = torch.Generator().manual_seed(3)
    for step in range(400):
        rows = torch.randperm(50, generator=rng)[:5] if step < 399 else torch.arange(50)
        embedding.grad = torch.sparse_coo_tensor(rows[None], torch.zeros(len(rows), 4), (50, 4)).coalesce()
        penalty.add_gradients(step)
        optimizer.step(1e-3)
    torch.testing.assert_close(embedding.detach(), start * (1 - 1e-3) ** 400, atol=0, rtol=1e-2)


def shares(name: str, config: TrainingConfig, steps: int):
    """Reference: the average after every step by the plain recursion over all weights at once."""
    if name == "ema":
        return lambda count: 1 - min(config.average_decay, (1 + count) / (10 + count))
    return lambda count: 1 / (count + 1)


@pytest.mark.parametrize("name", [name for name in AVERAGES if name != "none"])
@pytest.mark.parametrize("softmax", usual(["full", "sampled"], "sampled"))
def test_averages_equal_the_plain_recursion(name, softmax):
    """Rows are settled lazily; the average must be that of keeping all rows up to date in every step."""
    torch.manual_seed(0)
    vocab, steps = 60, 200
    model = LanguageModel(ModelConfig(embed_dim=6, hidden_dim=6, layers=1, softmax=softmax, samples=4), vocab)
    config = TrainingConfig(optimizer="sgd", lr=0.5, average=name, average_decay=0.97)
    optimizer = Optimizer(model, config)
    average = AVERAGES[name](optimizer, config)
    share, count, expected = shares(name, config, steps), 0, {}
    for step in range(steps):
        tokens = torch.randint(0, 8, (2, 5))
        optimizer.zero_grad()
        loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:], model.init_state(2))
        loss.backward()
        optimizer.coalesce()
        average.before_step()
        optimizer.step(0.5)
        used = (step + 1) / steps
        if average.wants(used):
            live = {n: p.detach().clone() for n, p in optimizer.parameters.items()}
            expected = {n: expected[n] + share(count) * (live[n] - expected[n]) for n in live} if count else live
            count += 1
        average.after_step(used)
        if step in (10, 60, 110):
            average.after_validation(1.0 if step == 10 else 2.0)
        if step == 150:  # looking at it in between must not change it
            for _ in range(config.average_patience + 1):
                average.after_validation(3.0)
            if average.started:
                with average.swapped():
                    pass
    assert count > 10
    live = {n: p.detach().clone() for n, p in optimizer.parameters.items()}
    with average.swapped():
        for n, p in optimizer.parameters.items():
            torch.testing.assert_close(p.detach(), expected[n], atol=1e-5, rtol=1e-4)
    for n, p in optimizer.parameters.items():
        assert torch.equal(p, live[n]), n


def test_the_non_monotonic_trigger_waits_for_a_loss_above_all_but_the_last_few():
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4), 10)
    config = TrainingConfig(average="nt-asgd", average_patience=2)
    average = AVERAGES["nt-asgd"](Optimizer(model, config), config)
    for loss, triggered in [(5, False), (4, False), (4.5, False), (4.2, False), (4.1, True)]:
        average.after_validation(loss)
        assert average.wants(0.1) == triggered, loss


def test_uniform_averages_begin_where_told():
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4), 10)
    for name, start in (("swa", 0.75), ("asgd", 0.5)):
        for given in (None, 0.2):
            config = TrainingConfig(average=name, average_start=given)
            average = AVERAGES[name](Optimizer(model, config), config)
            begin = start if given is None else given
            assert not average.wants(begin)
            assert average.wants(begin + 0.02)
