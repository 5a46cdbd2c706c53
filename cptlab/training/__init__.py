"""Training and testing prompts on a frozen CLIP, in the order of reading:

`spec` what decides a run's numbers; `loop` the loop and its step; `batches` and `images` what it
is fed; `model` the prompted CLIP; `context` what losses know beside the batch; `optimisation`
optimiser and rates; `evaluation` accuracies; `checkpoints` and `cuda_graph` survival and speed.
"""
