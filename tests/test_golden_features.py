"""Methods on frozen features against their public code: start values, logits, losses, gradients."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from golden_cases import DTYPES, cases, check, clip_of, method_of, read, template_of

from cptlab.clip import Prompts, fill_template, stacked
from cptlab.methods import BatchOutputs, Context, TipAdapter
from cptlab.methods.base import Support
from cptlab.methods.schedule import Schedule
from cptlab.methods.tip_adapter import ALPHAS, BETAS, grid, leave_one_out
from cptlab.training.model import PromptedCLIP, frozen_prototypes
from cptlab.training.optimisation import optimiser_for, set_rate

in_both_precisions = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def of(*kinds: str):
    return pytest.mark.parametrize("path", cases(*kinds), ids=lambda path: path.stem)


def begun(path, dtype, tmp_path, **changes):
    """A case's model, context and support, with what its method starts from; and its arrays."""
    meta, arrays = read(path)
    method = dataclasses.replace(method_of(meta, arrays, tmp_path), **changes)
    backbone = dataclasses.replace(clip_of(path, dtype))
    scale = meta.get("logit_scale", backbone.logit_scale)
    vars(backbone)["logit_scale"] = scale  # as a constant in the public code
    names = arrays["class_names"].tolist()
    template = method.prompt_template(0, template_of(arrays["sentences"], arrays["class_names"]))
    sentences = fill_template(template, names)
    assert sentences == arrays["sentences"].tolist()
    assert (backbone.tokenize(sentences).numpy() == arrays["token_ids"]).all()

    assert method.anchor_templates is None  # then the data set's own
    texts = frozen_prototypes(backbone, names, (template,))
    context = Context(tuple(names), texts, torch.ones(1, len(names)), None, scale)
    model = PromptedCLIP(backbone, Prompts([], []), method, names, template)
    images = torch.from_numpy(arrays["support_images"]).to(dtype)
    features = model.frozen_features(images[None].flatten(1, 2))[0].unflatten(0, images.shape[:2])
    support = Support(features, torch.from_numpy(arrays["support_labels"]).long())
    start = stacked([method.start(context, support)], backbone.device)
    model.prompts.extra.update(start)
    assert model.prompts.count() == (meta["n_trainable"] if method.learns() else 0)
    return model, context, support, meta, arrays


def stepped(model, context, arrays, dtype, images):
    """Logits, loss terms and loss of a training step."""
    labels = torch.from_numpy(arrays["labels"]).long()[None, : images.shape[1]]
    features = model.image_features(images, "training")
    prototypes = model.prototypes(model.bind(context.class_names, "training"))
    logits = model.logits(features, prototypes, "training")
    extra = dict(model.prompts.extra)
    outputs = BatchOutputs(features, prototypes, logits, labels, None, extra=extra)
    terms = model.method.losses(outputs, context, {})
    weights = model.method.weights()
    return outputs, terms, sum(weights[name] * terms[name] for name in weights)[0]


def pixels(arrays, dtype):
    return torch.from_numpy(arrays["images"]).to(dtype)[None]


@in_both_precisions
@of("Linear probe", "CLAP")
def test_linear_probe(path, dtype, tmp_path):
    model, context, support, meta, arrays = begun(path, dtype, tmp_path)
    extra = model.prompts.extra
    check("features", context.frozen_prototypes, arrays["frozen_text_features_raw"])
    check("features", extra["class_weights"][0], arrays["frozen_text_features_raw"])
    check("features", support.features, arrays["support_features"])
    assert not extra["multipliers"].requires_grad
    if meta["class_adaptive"]:
        check("features", extra["multipliers"][0], arrays["multipliers"])
    with torch.no_grad():
        extra["class_weights"].copy_(torch.from_numpy(arrays["class_weights"]))

    outputs, terms, loss = stepped(model, context, arrays, dtype, pixels(arrays, dtype))
    optimiser = optimiser_for(model.prompts.learned(), model.method.schedule())
    set_rate(optimiser, model.method.schedule().lr)
    loss.backward()
    check("features", F.normalize(outputs.prototypes[0], dim=-1), arrays["text_features"])
    check("features", F.normalize(outputs.image_features[0], dim=-1), arrays["image_features"])
    check("logits", outputs.logits[0], arrays["logits"])
    check("loss", terms["ce"][0], arrays["loss_ce"])
    check("loss", loss, arrays["loss"])
    if meta["class_adaptive"]:
        check("loss", terms["penalty"][0], arrays["loss_penalty"])
    check("gradient", extra["class_weights"].grad[0], arrays["grad_class_weights"])
    optimiser.step()
    check("features", extra["class_weights"][0], arrays["class_weights_after_step"])


@in_both_precisions
@of("Tip-Adapter")
def test_tip_adapter(path, dtype, tmp_path):
    model, context, _, _, arrays = begun(path, dtype, tmp_path)
    extra = model.prompts.extra
    check("features", extra["cache_keys"][0], arrays["cache_keys_start"])
    check(
        "features", F.normalize(context.frozen_prototypes, dim=-1), arrays["frozen_text_features"]
    )
    names = context.class_names
    features = model.image_features(pixels(arrays, dtype))
    check("features", F.normalize(features[0], dim=-1), arrays["image_features"])
    with torch.no_grad():
        check("logits", model.compare(features, model.bind(names, "base"))[0], arrays["logits"])
        new = model.compare(features, model.bind(names, "new"))[0]
    check("logits", new, arrays["zero_shot_logits"])


@in_both_precisions
@of("Tip-Adapter")
def test_tip_adapter_fine_tuned(path, dtype, tmp_path):
    model, context, _, _, arrays = begun(path, dtype, tmp_path, fine_tune=True)
    keys = model.prompts.extra["cache_keys"]
    with torch.no_grad():
        keys.copy_(torch.from_numpy(arrays["cache_keys"]))
    first = pixels(arrays, dtype)[:, : len(arrays["fine_tuned_logits"])]
    outputs, _, loss = stepped(model, context, arrays, dtype, first)
    loss.backward()
    check("logits", outputs.logits[0], arrays["fine_tuned_logits"])
    check("loss", loss, arrays["loss"])
    check("gradient", keys.grad[0], arrays["grad_cache_keys"])


@of("Tip-Adapter")
def test_steps_and_rates_of_tip_adapters_training(path):
    """Two epochs of two steps with given gradients; the optimiser amplifies float32's rounding."""
    meta, arrays = read(path)
    own = TipAdapter(fine_tune=True).schedule()
    assert (own.epochs, own.lr) == (20, meta["lr"])
    schedule = dataclasses.replace(own, epochs=meta["epochs"])
    keys = torch.nn.Parameter(torch.from_numpy(arrays["cache_keys"]).double())
    optimiser = optimiser_for([keys], schedule)
    for i, gradient in enumerate(arrays["trace_grad"]):
        rate = schedule.learning_rate(i / 2)
        assert rate == pytest.approx(arrays["trace_lr"][i], rel=1e-12)
        set_rate(optimiser, rate)
        keys.grad = torch.from_numpy(gradient)
        optimiser.step()
        check("features", keys, arrays["trace_cache_keys"][i])


@of("Tip-Adapter")
def test_search_of_tip_adapter(path, tmp_path):
    """The release's search with each cached image in turn as validation set, beside the others."""
    model, context, support, meta, arrays = begun(path, torch.float64, tmp_path)
    keys = model.prompts.extra["cache_keys"][0]
    logits = 100 * keys @ F.normalize(context.frozen_prototypes, dim=-1).T
    betas, alphas = grid(meta["largest_beta"], BETAS), grid(meta["largest_alpha"], ALPHAS)
    hits = leave_one_out(keys, support.labels, logits, betas, alphas)
    assert hits.tolist() == arrays["hits"].tolist()
    assert len(hits.unique()) > 2
    chosen = dataclasses.replace(model.method, alpha=None, beta=None).start(context, support)
    row, column = divmod(int(arrays["hits"].argmax()), ALPHAS)
    assert (chosen["alpha"].item(), chosen["beta"].item()) == (alphas[column], betas[row])
    one = dataclasses.replace(model.method, alpha=alphas[7], beta=None).start(context, support)
    assert one["alpha"].item() == alphas[7]
    assert one["beta"].item() == betas[int(arrays["hits"][:, 7].argmax())]


@of("Linear probe", "CLAP", "Tip-Adapter")
def test_trained_parameters_at_vit_b_16(path, tmp_path):
    meta, arrays = read(path)
    method = method_of(meta, arrays, tmp_path)
    if isinstance(method, TipAdapter):
        method = dataclasses.replace(method, fine_tune=True)
    size = meta["vit_b_16"]
    rows = size.get("classes") or size["images"]
    labels = torch.arange(rows) % rows
    context = Context(tuple(map(str, labels.tolist())), torch.ones(rows, 512), None, None)
    start = method.start(context, Support(torch.ones(rows, 1, 512), labels))
    prompts = Prompts([], [], stacked([start], labels.device))
    assert prompts.count() == size["n_trainable"]


def test_schedule_by_steps_has_no_warm_up():
    by_steps = Schedule(epochs=4, lr=2.0, annealing="steps")
    assert [by_steps.learning_rate(e) for e in (0, 2, 4)] == pytest.approx([2.0, 1.0, 0.0])
    assert Schedule(epochs=4, lr=2.0).learning_rate(0) == 1e-5
