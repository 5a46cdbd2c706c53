"""Candle against its public code: prototypes, logits, losses, gradients, tests on single images."""

import dataclasses

import numpy as np
import pytest
import torch
from golden_cases import DTYPES, cases, check, clip_of, method_of, read, template_of

from cptlab.clip import Prompts, fill_template, stacked
from cptlab.methods import BatchOutputs, Context
from cptlab.methods.base import Support
from cptlab.training.model import PromptedCLIP, frozen_prototypes

of_every = pytest.mark.parametrize("path", cases("Candle"), ids=lambda path: path.stem)
in_both_precisions = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def begun(path, dtype, tmp_path):
    """A case's model as it starts, its context, number of learned parameters, and arrays."""
    meta, arrays = read(path)
    backbone, method = clip_of(path, dtype), method_of(meta, arrays, tmp_path)
    names, new = (arrays[key].tolist() for key in ("class_names", "new_names"))
    every = np.concatenate([arrays["class_names"], arrays["new_names"]])
    template = template_of(arrays["sentences"], every)
    own = method.prompt_template(0, template)
    sentences = fill_template(own, [*names, *new])
    assert sentences == arrays["sentences"].tolist()
    assert (backbone.tokenize(sentences).numpy() == arrays["token_ids"]).all()
    texts, new_texts = (frozen_prototypes(backbone, part, (own,)) for part in (names, new))
    labels = torch.from_numpy(arrays["support_labels"]).long()
    counts, scale = labels.bincount()[None], backbone.logit_scale
    context = Context(tuple(names), texts, counts, None, scale, new_texts)
    model = PromptedCLIP(backbone, Prompts([], []), method, names, own, new)
    images = torch.from_numpy(arrays["support_images"]).to(dtype)
    support = Support(model.frozen_features(images[None])[0][:, None], labels)
    start = method.extra(backbone, torch.Generator()) | method.start(context, support)
    model.prompts.extra.update(stacked([start], backbone.device))
    assert model.prompts.count() == meta["n_trainable"]
    return model, context, arrays


@in_both_precisions
@of_every
def test_case(path, dtype, tmp_path):
    model, context, arrays = begun(path, dtype, tmp_path)
    method, extra = model.method, model.prompts.extra
    check("features", extra["visual"][0], arrays["visual_prototypes"])
    check("features", extra["texts"][0], arrays["text_features_raw"])
    assert torch.equal(extra["virtual"][0], context.new_prototypes)
    for name in [name for name, value in extra.items() if value.requires_grad]:
        extra[name] = torch.nn.Parameter(torch.from_numpy(arrays[name])[None].to(dtype))

    images = torch.from_numpy(arrays["images"]).to(dtype)[None]
    check("features", model.frozen_features(images)[0], arrays["image_features"])
    features = model.image_features(images, "training")
    prototypes = model.prototypes(model.bind(context.class_names, "training"))
    logits = model.logits(features, prototypes, "training")
    (n_images, n_trained), n_classes = logits.shape[1:], len(arrays["text_features_raw"])
    check("logits", logits[0], arrays["logits"][:n_images, :n_trained])
    labels = torch.from_numpy(arrays["labels"]).long()[None]
    outputs = BatchOutputs(features, prototypes, logits, labels, None, extra=dict(extra))
    terms = method.losses(outputs, context, {})
    loss = sum(weight * terms[name] for name, weight in method.weights().items())[0]
    loss.backward()
    for theirs, ours in (("", ""), ("_text", "_texts"), ("_visual", "_visual")):
        check("loss", terms[f"ce{ours}"][0], arrays[f"loss_ce{theirs}"])
    check("loss", loss, arrays["loss"])
    compared = [name.removeprefix("grad_") for name in arrays if name.startswith("grad_")]
    assert set(compared) == {name for name, value in extra.items() if value.requires_grad}
    for name in compared:  # a single number is what is left of many that cancel
        kind = "loss" if extra[name].numel() == 1 else "gradient"
        check(kind, extra[name].grad[0], arrays[f"grad_{name}"])

    with torch.no_grad():  # single test images
        base = model.compare(features, model.bind(context.class_names))[0]
        new = model.compare(features, model.bind(arrays["new_names"].tolist()))[0]
    check("logits", base, arrays["test_logits_all"][:, :n_trained])
    check("logits", new, arrays["test_logits_new"])
    assert new.shape == (n_images, n_classes - n_trained)


@of_every
def test_who_knows_no_new_names_starts_without_them(path, tmp_path):
    model, context, _ = begun(path, torch.float64, tmp_path)
    method = dataclasses.replace(model.method, knows_new_names=False)
    unknowing = PromptedCLIP(
        model.backbone, model.prompts, method, context.class_names, new_names=model.new_names
    )
    assert model.use(model.new_names) == "named" and unknowing.use(model.new_names) == "new"
    alone = dataclasses.replace(context, new_prototypes=None)
    n_trained = len(context.class_names)
    support = Support(torch.ones(n_trained, 1, 32), torch.arange(n_trained))
    start = method.start(alone, support)
    assert "virtual" not in start and len(start["texts"]) == n_trained
