"""The text tower with learnable context tokens; computes what all classes share only once.

A prompted sentence is ``[SOS] v_1 ... v_n <words of the template> <class name> . [EOT]``. The text
tower is causal, so everything before the class name is the same for all classes: this prefix is
encoded once per replica. The suffixes (some four tokens each) lie packed in one flat tensor, so
that linear layers see no padding; only attention looks at them in groups of equal length. On a GPU
a group costs more than some padding, so that neighbours are padded to one length where it pays. The
numbers equal those of the plain tower, at a fraction of its work. Where tokens of single classes
come in, or dropout that is every class's own, the prefix gets a row per class from that block on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from cptlab.clip.attention import Block, attend, concatenate, finish, key_value, query
from cptlab.clip.backbone import Backbone
from cptlab.clip.checks import reason_against_sharing
from cptlab.clip.context import context_by_block, replace_context
from cptlab.clip.low_rank import Updates, check_updates, update_of

GROUP_COST = {"cpu": 0, "cuda": 512}
"""What a group costs by itself, in tokens, roughly: its kernels start one after another (ViT-B/16
in bf16 on an H100, forward and backward, one replica; `docs/log.md`, 2026-11-26)."""


@dataclass(frozen=True)
class Bucket:
    """Suffixes of one length, padding included: where they lie in the packed tensor, and who may
    look at whom. Nothing looks at padding, which lies behind the end of the text."""

    rows: slice  # among the packed tokens
    classes: slice  # among the classes in packed order
    length: int
    mask: Tensor  # bool (length, prefix + length)
    end_mask: Tensor | None  # bool (classes, 1, prefix + length): what each end of text may look at


class TextTower:
    """Prompted text features of a frozen backbone for a fixed list of sentences.

    Holds embeddings of the backbone's current dtype and device: build it after moving the backbone.

    Args:
        backbone: the frozen model.
        sentences: K sentences, or their token ids (K, L), int64, as the backbone's tokenizer
            gives them.
        n_tokens: number of learnable tokens; they take positions 1 to n of every sentence.

    Raises:
        ValueError: for no sentences, sentences that are too long, or ones that differ before or
            within the learnable positions; for a backbone that only ``PlainTextTower`` can serve.
    """

    def __init__(self, backbone: Backbone, sentences: Sequence[str] | Tensor, n_tokens: int):
        if reason := reason_against_sharing(backbone.model, backbone.tokenizer):
            raise ValueError(
                f"{backbone.name} cannot share a prefix among classes: {reason}. Use "
                "PlainTextTower, or build_text_tower(), which picks the right one."
            )
        self.backbone = backbone
        self.n_tokens = n_tokens
        ids = sentences.cpu() if isinstance(sentences, Tensor) else backbone.tokenize(sentences)
        lengths = backbone.sentence_lengths(ids)
        prefix = _shared_prefix(ids, lengths, n_tokens)

        # Packed order: shortest suffix first. Stable, so that it depends on nothing else.
        device = backbone.device
        order = torch.argsort(lengths, stable=True)
        own = lengths[order] - prefix
        padded = _padded(own, GROUP_COST.get(device.type, 0))
        suffixes = [ids[c, prefix : prefix + n] for c, n in zip(order, padded, strict=True)]
        positions = torch.cat([torch.arange(prefix, prefix + n) for n in padded])

        table, places = backbone.token_embedding, backbone.text_positions
        # (replicas 1, classes 1, P, w), without positions
        self.prefix_embeddings = table[ids[0, :prefix].to(device)][None, None]
        self.prefix_positions = places[:prefix]
        self.suffix = table[torch.cat(suffixes).to(device)] + places[positions.to(device)]  # (T, w)
        self.end_rows = (padded.cumsum(0) - padded + own - 1).to(device)  # (K,)
        self.packed_order = order.to(device)  # from the caller's order of classes, and back
        self.class_order = torch.argsort(order).to(device)
        self.prefix_mask = _causal(prefix, 0, device)
        # number of every token among all classes' whole sentences, however they are packed
        firsts = order * backbone.context_length
        rows = firsts[:, None] + torch.arange(prefix)  # (K, P)
        self.prefix_rows = rows.to(device, torch.int32)
        self.suffix_rows = (firsts.repeat_interleave(padded) + positions).to(device, torch.int32)
        self.buckets = _buckets(own, padded, prefix, device)

    def __call__(
        self,
        tokens: Sequence[Tensor] = (),
        class_tokens: Mapping[int, Tensor] = MappingProxyType({}),
        updates: Updates = MappingProxyType({}),
    ) -> Tensor:
        """Encode all sentences.

        Args:
            tokens: context tokens of layers 0, 1, ..., each (R, n, text width). Layer 0 replaces
                the embeddings at positions 1 to n (and receives their positions); layer i replaces
                the hidden states there before block i. Empty: the sentences as they are, R = 1.
            class_tokens: block i -> (R, K, n, text width), tokens of every class's own, which go
                where layer i of ``tokens`` would and win over it. The work for prefixes is done
                once up to the first such block, and per class from there on.
            updates: block -> low-rank updates of its projections, for R replicas.

        Without updates any leading dimensions may stand for R, such as (R, images); they broadcast.

        Returns:
            Features (R, K, d) in the order of the sentences, not normalised.

        Raises:
            ValueError: for tokens or updates that do not fit the backbone, this tower or each
                other.
        """
        model = self.backbone
        n_classes = len(self.class_order)
        context = context_by_block(model, self.n_tokens, n_classes, tokens, class_tokens)
        check_updates(updates, model.text_width, model.text_layers, "text", tokens)
        for i in class_tokens:
            context[i] = context[i][..., self.packed_order, :, :]
        prefix = self.prefix_embeddings  # (R, 1 or K, P, w)
        suffix = self.suffix  # (T, w), the same for every replica until it has seen the prefix

        for i, block in enumerate(model.text_blocks):
            last = i == model.text_layers - 1
            if i in context:
                prefix = replace_context(prefix, context[i])
            if i == 0:
                prefix = prefix + self.prefix_positions
            normed_prefix, normed = block.ln_1(prefix), block.ln_1(suffix)
            update = update_of(updates, i, self.prefix_rows)
            prefix_kv = key_value(block, normed_prefix, update)
            if not last:
                q = query(block, normed_prefix, update)
                prefix = finish(block, prefix, attend(block, q, *prefix_kv, self.prefix_mask))
            rows = self.suffix_rows
            suffix_kv = key_value(block, normed, update_of(updates, i, rows))
            if last:  # nothing but the end-of-text rows is read
                ends = self.end_rows
                normed, suffix, rows = normed[..., ends, :], suffix[..., ends, :], rows[ends]
            q = query(block, normed, update_of(updates, i, rows))
            attended = self._attend(block, q, prefix_kv, suffix_kv, last)
            suffix = finish(block, suffix, attended)

        features = model.ln_final(suffix) @ model.text_projection
        return features[..., self.class_order, :]

    def _attend(
        self,
        block: Block,
        q: Tensor,
        prefix_kv: tuple[Tensor, Tensor],
        suffix_kv: tuple[Tensor, Tensor],
        last: bool,
    ) -> Tensor:
        """Attention of packed queries over their prefix and their own suffix, bucket by bucket.

        ``q`` holds all suffix rows, or in the last block one row per class; result shaped alike.
        """
        out = []
        for bucket in self.buckets:
            k, v = (
                concatenate(
                    _of_bucket(before, bucket), _per_class(own[..., bucket.rows, :], bucket)
                )
                for before, own in zip(prefix_kv, suffix_kv, strict=True)
            )
            if last:
                rows = q[..., bucket.classes, :].unsqueeze(-2)
            else:
                rows = _per_class(q[..., bucket.rows, :], bucket)
            attended = attend(block, rows, k, v, bucket.end_mask if last else bucket.mask)
            out.append(attended.flatten(-3, -2))
        return torch.cat(out, dim=-2)


def _per_class(rows: Tensor, bucket: Bucket) -> Tensor:
    """(..., classes * length, w) -> (..., classes, length, w)."""
    return rows.unflatten(-2, (-1, bucket.length))


def _of_bucket(prefix: Tensor, bucket: Bucket) -> Tensor:
    """The bucket's classes of (..., K, P, w); (..., 1, P, w), which all classes share, as it is."""
    return prefix if prefix.shape[-3] == 1 else prefix[..., bucket.classes, :, :]


def _causal(length: int, seen: int, device: torch.device) -> Tensor:
    """Bool (length, seen + length): row r may look at everything seen and at rows up to r."""
    return torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)


def _padded(lengths: Tensor, group_cost: int) -> Tensor:
    """Lengths (K,), sorted, each raised to the longest of its group.

    Groups are runs of neighbours, cut so that all tokens and `group_cost` for each group together
    are fewest; at no cost every length is a group.
    """
    values, counts = torch.unique_consecutive(lengths, return_counts=True)
    values, counts = values.tolist(), counts.tolist()
    best = [(0, 0)]  # of the first n lengths: tokens, and where their last group begins
    for n, longest in enumerate(values, 1):
        cuts = ((best[i][0] + group_cost + longest * sum(counts[i:n]), i) for i in range(n))
        best.append(min(cuts))
    raised, n = list(values), len(values)
    while n:
        begin = best[n][1]
        raised[begin:n] = [values[n - 1]] * (n - begin)
        n = begin
    return torch.tensor(raised).repeat_interleave(torch.tensor(counts))


def _buckets(own: Tensor, padded: Tensor, prefix: int, device: torch.device) -> list[Bucket]:
    """Group sorted suffix lengths (K,) into runs of equal padded length."""
    buckets, row, first = [], 0, 0
    for length, count in zip(*torch.unique_consecutive(padded, return_counts=True), strict=True):
        length, count = int(length), int(count)
        rows, classes = slice(row, row + length * count), slice(first, first + count)
        mask, ends = _causal(length, prefix, device), own[classes].to(device) - 1
        end_mask = None if bool((own[classes] == length).all()) else mask[ends].unsqueeze(-2)
        buckets.append(Bucket(rows, classes, length, mask, end_mask))
        row, first = rows.stop, classes.stop
    return buckets


def _shared_prefix(ids: Tensor, lengths: Tensor, n_tokens: int) -> int:
    """Number of leading tokens that all sentences share, always short of any end token."""
    agree = (ids == ids[:1]).all(0).int().cumprod(0).sum()
    prefix = min(int(agree), int(lengths.min()) - 1)
    if prefix < 1 + n_tokens:
        raise ValueError(
            f"The sentences share their first {prefix} tokens only, but the start token and "
            f"{n_tokens} learnable positions need {1 + n_tokens}: let every sentence begin with "
            f"the same {n_tokens} or more tokens, for example with class_sentences()."
        )
    return prefix
