"""Every method with public code, whole: features, losses and gradients against that code.

The cases lie in tests/golden (see its README). Each test builds the method as a user would, puts
the given values in place of the learned ones, and takes one training step up to the gradients.
"""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_cases import (
    DTYPES,
    METHODS,
    ON_FEATURES,
    cases,
    check,
    clip_of,
    layers_of,
    method_of,
    read,
)

from cptlab.clip import Dropout, Prompts, fill_template, init_prompts
from cptlab.methods import DPC, IVLP, BatchOutputs, Context, DeKg, PromptSRC
from cptlab.methods.clip_lora import TOWERS
from cptlab.methods.dekg import hsic
from cptlab.methods.parts.averaging import gaussian_weights
from cptlab.methods.parts.negatives import hard_negatives
from cptlab.training.model import PromptedCLIP, frozen_prototypes, frozen_texts

RENAMED = (
    ("meta_net_layer_", "meta_net_"),
    ("projection_layer_", "projection_"),
    ("_adapter_down_", "_adapter_1_"),
    ("_adapter_up_", "_adapter_2_"),
    ("_lora_a", "_down"),
    ("_lora_b", "_up"),
)
DPC_ON_COOP = "DPC stage 2 on CoOp"
CASES = cases(*METHODS.keys() - {DPC_ON_COOP, "Candle", *ON_FEATURES})

of_every = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
in_both_precisions = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def ours(name: str) -> str:
    """Our name of a learned array."""
    for theirs, mine in RENAMED:
        name = name.replace(theirs, mine)
    return name


def given_prompts(method, arrays: dict, dtype: torch.dtype) -> Prompts:
    own = isinstance(method, IVLP | PromptSRC)  # where they are coupled they are no input
    vision = layers_of(arrays, "vision", dtype) if own else []
    words = ("meta_net_layer", "projection_layer", "_adapter_", "_lora_")
    extra = {
        ours(name): torch.from_numpy(value)[None].to(dtype)
        for name, value in arrays.items()
        if any(word in name for word in words)
        and not name.startswith(("grad_", "text_f", "image_f"))
    }
    return Prompts(layers_of(arrays, "text", dtype), vision, extra)


def take_step(method, model: PromptedCLIP, arrays: dict, dtype: torch.dtype, chance: float):
    """BatchOutputs and loss terms of a case's batch."""
    names, backbone = arrays["class_names"].tolist(), model.backbone
    templates = method.anchor_templates or (model.template,)
    context = Context(
        tuple(names),
        frozen_prototypes(backbone, names, templates),
        torch.ones(1, len(names)),
        lambda sentences: frozen_texts(backbone, sentences),
        backbone.logit_scale,
    )
    images = torch.from_numpy(arrays["images"]).to(dtype)[None]
    second = torch.from_numpy(arrays.get("images_view2", arrays["images"])).to(dtype)[None]
    uniform = torch.tensor([chance])
    features = model.image_features(images, "training", uniform)
    classes = model.bind(names, "training")
    prototypes = model.prototypes(classes, features if method.per_image else None, uniform)
    step = BatchOutputs(
        features,
        prototypes,
        model.logits(features, prototypes),
        torch.from_numpy(arrays["labels"]).long()[None],
        uniform,
        model.frozen_features(second),
    )
    prepared = {name: value[None] for name, value in method.prepare(context).items()}
    return step, method.losses(step, context, prepared), context, prepared


def given_dropout(arrays: dict):
    """`Dropout.keeps` that lets stay what stayed in a case, whose masks are stored as bits."""
    kept = {}
    for tower, items, tokens in (
        ("text", len(arrays["class_names"]), 77),
        ("vision", len(arrays["images"]), 17),
    ):
        blocks, _, _, width = arrays[f"{tower}_lora_a"].shape
        shape = blocks, 3, items * tokens, width
        bits = np.unpackbits(arrays[f"{tower}_kept"], count=np.prod(shape)).reshape(shape)
        kept[tower] = torch.from_numpy(bits).bool()

    def keeps(dropout, projection, rows, width):
        block, tower = divmod(dropout.place, 2)
        return kept[TOWERS[tower]][block, projection][rows.long()][None]

    return keeps


def check_sentences(backbone, method, meta: dict, arrays: dict) -> None:
    """All sentences word by word, and their token ids."""
    names = arrays["class_names"].tolist()
    sentences = fill_template(method.prompt_template(meta["n_text"], "a photo of a {}."), names)
    assert sentences == arrays["sentences"].tolist()
    given = [(sentences, arrays["token_ids"])]
    if "anchor_sentences" in arrays:
        (template,) = method.anchor_templates
        assert fill_template(template, names) == arrays["anchor_sentences"].tolist()
        given.append((fill_template(template, names), arrays["anchor_token_ids"]))
    if "template_token_ids" in arrays:  # in another order, which a mean does not see
        rows = [fill_template(template, names) for template in method.anchor_templates]
        ids = [backbone.tokenize(sentences).tolist() for sentences in rows]
        assert sorted(ids) == sorted(arrays["template_token_ids"].tolist())
    if "description_token_ids" in arrays:
        rows = arrays["description_sentences"].tolist()
        given += zip(rows, arrays["description_token_ids"], strict=True)
    for rows, ids in given:
        assert np.array_equal(backbone.tokenize(rows).numpy(), ids)


@in_both_precisions
@of_every
def test_case(path, dtype, tmp_path, monkeypatch):
    meta, arrays = read(path)
    if meta.get("dropout_rate"):
        monkeypatch.setattr(Dropout, "keeps", given_dropout(arrays))
    backbone, method = clip_of(path, dtype), method_of(meta, arrays, tmp_path)
    check_sentences(backbone, method, meta, arrays)
    prompts = given_prompts(method, arrays, dtype)
    model = PromptedCLIP(backbone, prompts, method, arrays["class_names"].tolist())
    count = len(arrays.get("description_sentences", [0]))
    chance = (float(arrays.get("description_index", 0)) + 0.5) / count
    step, terms, context, prepared = take_step(method, model, arrays, dtype, chance)
    weights = method.weights()
    loss = sum(weights[name] * terms[name] for name in weights)[0]
    loss.backward()

    check("features", F.normalize(step.prototypes[0], dim=-1), arrays["text_features"])
    check("features", F.normalize(step.image_features[0], dim=-1), arrays["image_features"])
    check("logits", step.logits[0], arrays["logits"])
    check("loss", loss, arrays["loss"])
    parts = {
        "loss_ce": "ce",
        "loss_text_consistency": "text",
        "loss_image_consistency": "image",
        "text_l1_mean": "text",
        "image_l1_mean": "image",
        "logit_kl": "kl",
        "loss_kg": "kg",
        "loss_kd": "kd",
    }
    for theirs, mine in parts.items():
        if theirs in arrays:
            check("loss", terms[mine][0], arrays[theirs])
    compared = 0
    for name, gradient in arrays.items():
        if name.startswith("grad_"):
            *_, layer = name.split("_")
            if "tokens_layer" in name:
                learned = getattr(prompts, name.split("_")[1])[int(layer)]
            else:
                learned = prompts.extra[ours(name.removeprefix("grad_"))]
            check("gradient", learned.grad[0], gradient)
            compared += 1
    assert compared == len(list(prompts.parameters()))

    unit = F.normalize(context.frozen_prototypes, dim=-1)
    if "frozen_text_features" in arrays:
        check("features", unit, arrays["frozen_text_features"])
    if "anchor_features" in arrays:
        check("features", unit, arrays["anchor_features"])
    if "description_features" in arrays:
        targets = F.normalize(prepared["targets"][0], dim=-1)
        check("features", targets, arrays["description_features"])
    if "class_tokens" in arrays:
        tokens = method.class_tokens(prompts, context.frozen_prototypes)[2]
        check("features", tokens[0], arrays["class_tokens"])
    for i, layer in enumerate(method.tokens(prompts, "base").vision):
        check("features", layer[0], arrays[f"vision_tokens_layer_{i}"])


@of_every
def test_number_and_start_of_what_is_learned(path, tmp_path):
    meta, arrays = read(path)
    backbone, method = clip_of(path, torch.float32), method_of(meta, arrays, tmp_path)
    generator, shape = torch.Generator().manual_seed(0), method.prompt_shape()
    prompts = init_prompts(backbone, shape, [generator], method.context_init, method.extra)
    assert prompts.count() == meta["n_trainable"]
    given = given_prompts(method, arrays, torch.float32)
    shapes = {name: p.shape for name, p in prompts.named_parameters()}
    assert shapes == {name: p.shape for name, p in given.named_parameters()}
    if "text_tokens_layer_0_init" in arrays:
        init = torch.from_numpy(arrays["text_tokens_layer_0_init"])
        assert torch.equal(prompts.text[0][0], init)
    elif len(prompts.text):
        words = init_prompts(backbone, shape, [generator]).text[0]
        assert len(prompts.text[0][0]) > 4 or not torch.equal(prompts.text[0], words)


# --------------------------------------------------------------------------------------------- DPC


@in_both_precisions
@pytest.mark.parametrize("path", cases(DPC_ON_COOP), ids=lambda path: path.stem)
def test_second_stage_of_dpc(path, dtype, tmp_path):
    meta, arrays = read(path)
    backbone, method = clip_of(path, dtype), method_of(meta, arrays, tmp_path)
    check_sentences(backbone, method, meta, arrays)

    def tokens(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name])[None].to(dtype)

    first = torch.nn.Parameter(tokens("frozen_text_tokens"), requires_grad=False)
    prompts = Prompts([tokens("mixed_text_tokens")], [], {"first_text_0": first})
    assert prompts.count() == meta["n_trainable"]
    model = PromptedCLIP(backbone, prompts, method, arrays["class_names"].tolist())
    step, terms, *_ = take_step(method, model, arrays, dtype, 0.0)
    loss = sum(weight * terms[name] for name, weight in method.weights().items())[0]
    loss.backward()

    tuned = method.tokens(prompts, "training").text[0]
    check("features", tuned[0], arrays["tuned_text_tokens"])
    check("features", F.normalize(step.prototypes[0], dim=-1), arrays["text_features"])
    check("logits", step.logits[0], arrays["eval_logits_all_classes"])
    check("logits", step.logits[0][:, step.labels[0]], arrays["pair_logits"])
    check("loss", terms["image_to_text"][0], arrays["loss_image_to_text"])
    check("loss", terms["text_to_image"][0], arrays["loss_text_to_image"])
    check("loss", loss, arrays["loss"])
    check("gradient", prompts.text[0].grad[0], arrays["grad_mixed_text_tokens"])
    # What is tested: the mix on base classes, the first stage alone on new ones.
    torch.testing.assert_close(method.tokens(prompts, "base").text[0], prompts.text[0])
    assert torch.equal(method.tokens(prompts, "new").text[0], first)


@pytest.mark.parametrize("path", cases("DPC stage-2 loss"), ids=lambda path: path.stem)
def test_dpc_loss_of_raw_features(path):
    meta, arrays = read(path)
    images, texts = (
        torch.from_numpy(arrays[name]).double()[None].requires_grad_()
        for name in ("image_features_raw", "class_text_features_raw")
    )
    logits = meta["logit_scale"] * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).mT
    labels = torch.from_numpy(arrays["labels"]).long()[None]
    method = DPC()
    terms = method.losses(BatchOutputs(images, texts, logits, labels, None), None, {})
    loss = sum(weight * terms[name] for name, weight in method.weights().items())[0]
    loss.backward()
    check("loss", loss, arrays["loss"])
    check("gradient", images.grad[0], arrays["grad_image_features_raw"])
    check("gradient", texts.grad[0], arrays["grad_class_text_features_raw"])


@pytest.mark.parametrize("path", cases("DPC hard negatives"), ids=lambda path: path.stem)
def test_dpc_hard_negatives(path):
    _, arrays = read(path)
    for i, (n_classes, _, top, seed) in enumerate(arrays["classes_batch_topk_seed"].tolist()):
        images, texts = (
            F.normalize(torch.from_numpy(arrays[f"{side}_features_{i}"]), dim=-1)
            for side in ("image", "text")
        )
        ranked = (images @ texts.T).topk(top).indices.tolist()
        files = [[f"class{k}/{j}.jpg" for j in range(3 + k % 3)] for k in range(n_classes)]
        labels = arrays[f"labels_{i}"].tolist()
        extended, drawn = hard_negatives(labels, ranked, files, random.Random(seed))
        assert extended == arrays[f"batch_labels_{i}"].tolist()
        assert [d for d in drawn if d is not None] == arrays[f"picked_files_{i}"].tolist()


# ------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("path", cases("DeKg losses"), ids=lambda path: path.stem)
def test_dekg_losses(path):
    _, arrays = read(path)
    for i in range(sum(name.startswith("learned_") for name in arrays)):
        learned = torch.from_numpy(arrays[f"learned_{i}"]).double().requires_grad_()
        anchor = torch.from_numpy(arrays[f"anchor_{i}"]).double()
        value = hsic(learned, anchor)
        check("loss", value, arrays[f"hsic_{i}"])
        (gradient,) = torch.autograd.grad(value, learned)
        check("gradient", gradient, arrays[f"grad_hsic_{i}"])

        names = tuple(map(str, range(len(anchor))))
        context = Context(names, anchor, torch.ones(1, len(anchor)), encode=None)
        logits = torch.zeros(1, 1, len(anchor), dtype=torch.float64)
        step = BatchOutputs(learned[None], learned[None], logits, torch.tensor([[0]]), None)
        kg = DeKg().losses(step, context, {})["kg"][0]
        check("loss", kg, arrays[f"kg_{i}"])
        (gradient,) = torch.autograd.grad(kg, learned)
        check("gradient", gradient, arrays[f"grad_kg_{i}"])


@pytest.mark.parametrize("path", cases("PromptSRC averaging"), ids=lambda path: path.stem)
def test_promptsrc_averaging(path):
    """Weights of the ends of epochs, in a table of (mu, sigma, epochs), or what they make."""
    meta, arrays = read(path)
    if "epochs" not in meta:
        rows = next(value for name, value in arrays.items() if not name.startswith("weights_"))
        for i, (mu, sigma, epochs) in enumerate(np.asarray(rows, float).tolist()):
            np.testing.assert_allclose(
                gaussian_weights(int(epochs), mu, sigma).numpy(), arrays[f"weights_{i}"], atol=1e-12
            )
        return
    weights = gaussian_weights(meta["epochs"], meta["mu"], meta["sigma"])
    for name, value in arrays.items():
        if name.startswith("averaged_"):
            ends = arrays[name.replace("averaged_", "epoch_values_")]
            np.testing.assert_allclose(np.tensordot(weights, ends, 1), value, atol=1e-9)
