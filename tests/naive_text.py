"""Prompted text features written down naively: every sentence alone, all context positions."""

import torch


def full_context(backbone, sentences, tokens=(), class_tokens=None):
    """One replica through open_clip's own blocks: (K, d).

    ``tokens`` are (n, w) per layer; ``class_tokens`` maps a block to (K, n, w).
    """
    class_tokens = class_tokens or {}
    model = backbone.model
    ids = backbone.tokenizer(sentences, context_length=backbone.context_length)
    x = model.token_embedding(ids)
    for i, block in enumerate(model.transformer.resblocks):
        rows = []
        for c, row in enumerate(x):
            own = (
                class_tokens[i][c] if i in class_tokens else tokens[i] if i < len(tokens) else None
            )
            rows.append(row if own is None else torch.cat([row[:1], own, row[1 + len(own) :]]))
        x = torch.stack(rows)
        if i == 0:
            x = x + model.positional_embedding
        x = block(x, attn_mask=model.attn_mask)
    return pool(model, ids, model.ln_final(x)) @ model.text_projection


def pool(model, ids, x):
    """The row of each sentence (K, L, w) that the model reads."""
    if model.text_pool_type == "first":
        return x[:, 0]
    if model.text_pool_type == "last":
        return x[:, -1]
    ends = [row.tolist().index(49407) for row in ids]
    return torch.stack([x[c, end] for c, end in enumerate(ends)])
