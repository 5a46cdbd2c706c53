"""The plain text tower: every sentence on its own, at full length. And the choice of a text tower.

It shares nothing among classes and so serves every text tower that open_clip's CLIP class can be:
not causal, or read at another place than the end token. It is also what ``TextTower`` is measured
against.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.clip.attention import attend, finish, key_value, query
from cptlab.clip.backbone import Backbone
from cptlab.clip.checks import reason_against_sharing
from cptlab.clip.context import context_by_block, replace_context
from cptlab.clip.guard import open_clip
from cptlab.clip.low_rank import Updates, check_updates, update_of
from cptlab.clip.text_tower import TextTower


class PlainTextTower:
    """Prompted text features by open_clip's own blocks, mask and pooling; called like TextTower.

    Holds embeddings of the backbone's current dtype and device: build it after moving the backbone.

    Args:
        backbone: the frozen model.
        sentences: K sentences, or their token ids (K, up to L), int64, padded with zeros.
        n_tokens: number of learnable tokens; they take positions 1 to n of every sentence.
        truncate: leave out the padding behind the longest sentence.

    Raises:
        ValueError: for no sentences, sentences that are too long or have no room for the tokens;
            for ``truncate`` where it would change the features.
    """

    def __init__(
        self,
        backbone: Backbone,
        sentences: Sequence[str] | Tensor,
        n_tokens: int,
        truncate: bool = False,
    ):
        model = backbone.model
        self.backbone = backbone
        self.n_tokens = n_tokens
        ids = sentences.cpu() if isinstance(sentences, Tensor) else backbone.tokenize(sentences)
        lengths = backbone.sentence_lengths(ids)
        if lengths.min() < n_tokens + 2:
            short = int(lengths.argmin())
            raise ValueError(
                f"Sentence {short} has {int(lengths[short])} tokens, but the start token, "
                f"{n_tokens} learnable positions and the end token need {n_tokens + 2}: begin it "
                "with a placeholder word per learnable token, as class_sentences() does."
            )
        length = backbone.context_length
        if truncate:
            if reason := reason_against_sharing(model, backbone.tokenizer):
                raise ValueError(
                    f"The sentences of {backbone.name} cannot be cut: {reason}. Build the tower "
                    "with truncate=False."
                )
            length = int(lengths.max())
        ids = F.pad(ids, (0, length - ids.shape[1]))  # a negative number cuts

        self.n_classes = len(ids)
        # (replicas 1, K, L, w), without positions
        self.embeddings = backbone.token_embedding[ids.to(backbone.device)][None]
        self.positions = backbone.text_positions[:length]
        mask = model.attn_mask
        self.mask = mask[:length, :length] if isinstance(mask, Tensor) else None
        # Pooling picks a row: let it pick from the rows' own numbers.
        rows = torch.arange(len(ids) * length).reshape(len(ids), length, 1)
        rows = open_clip.transformer.text_global_pool(
            rows, ids, model.text_pool_type, model.text_eos_id
        )
        numbers = torch.arange(len(ids))[:, None] * backbone.context_length + torch.arange(length)
        self.numbers = numbers.to(backbone.device, torch.int32)  # (K, L) of tokens
        self.rows = rows.flatten().to(backbone.device)  # (K,)

    def __call__(
        self,
        tokens: Sequence[Tensor] = (),
        class_tokens: Mapping[int, Tensor] = MappingProxyType({}),
        updates: Updates = MappingProxyType({}),
    ) -> Tensor:
        """Encode all sentences; arguments, result and errors are those of ``TextTower``."""
        model = self.backbone
        context = context_by_block(model, self.n_tokens, self.n_classes, tokens, class_tokens)
        check_updates(updates, model.text_width, model.text_layers, "text", tokens)
        x = self.embeddings  # (R, K, L, w)
        for i, block in enumerate(model.text_blocks):
            if i in context:
                x = replace_context(x, context[i])
            if i == 0:
                x = x + self.positions
            if update := update_of(updates, i, self.numbers):
                normed = block.ln_1(x)
                q, kv = query(block, normed, update), key_value(block, normed, update)
                mask = None if self.mask is None else self.mask.to(q.dtype)
                x = finish(block, x, attend(block, q, *kv, mask))
            else:
                x = block(x.flatten(0, -3), attn_mask=self.mask).unflatten(0, x.shape[:-2])
        x = model.ln_final(x).flatten(-3, -2)
        return x[..., self.rows, :] @ model.text_projection


def build_text_tower(
    backbone: Backbone, sentences: Sequence[str] | Tensor, n_tokens: int
) -> TextTower | PlainTextTower:
    """The text tower for a backbone: ``TextTower`` where it is exact, else ``PlainTextTower``.

    The two give the same features; the plain one needs some twenty times the work. Arguments and
    errors are those of the towers.
    """
    if reason_against_sharing(backbone.model, backbone.tokenizer):
        return PlainTextTower(backbone, sentences, n_tokens)
    return TextTower(backbone, sentences, n_tokens)
