"""Prompted image features written down naively: every image alone, every token in every layer."""

import torch


def plain_forward(backbone, images, tokens):
    """One replica, open_clip's own blocks, every token in every layer; tokens are (m, vw)."""
    visual = backbone.model.visual
    features = []
    for image in images:
        patches = visual.conv1(image[None])[0].flatten(1).T
        x = torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding
        own = len(x)
        x = visual.ln_pre(torch.cat([x, *tokens[:1]]))
        for i, block in enumerate(visual.transformer.resblocks):
            if 0 < i < len(tokens):
                x = torch.cat([x[:own], tokens[i]])
            x = block(x[None])[0]
        features.append(visual.ln_post(x[0]) @ visual.proj)
    return torch.stack(features)
