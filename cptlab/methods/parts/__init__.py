"""Parts that methods share: small layers, views, samplers, averages and long-tail classics."""
