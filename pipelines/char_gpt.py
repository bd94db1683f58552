"""A small GPT that learns Shakespeare's plays by characters.

Shows: a Transformer over windows in random order, steps instead of epochs, a learning rate that
falls with a cosine, gradients clipped to a norm.

The network and its training are a well-known recipe for CPUs on tinyshakespeare.txt (1,115,394
characters, a vocabulary of 65, a tenth held out): 4 blocks of 4 heads, 128 wide, 64 characters of
context, no dropout, batches of 12, 2,000 steps of AdamW with a learning rate of 1e-3 after 100
steps of warm-up, down to 1e-4. It reaches a held-out loss of 1.88.

    tfpipe run pipelines/char_gpt.py data.path=tinyshakespeare.txt
    tfpipe predict last --prompt "ROMEO:" --length 200 --temperature 0.8

CharGPTLarge is what two cores can learn in half an hour:

    tfpipe run pipelines/char_gpt.py::CharGPTLarge data.path=tinyshakespeare.txt
"""

from tfpipe import Pipeline, keras
from tfpipe.data import Text
from tfpipe.models import GPT

STEPS = 2_000


class CharGPT(Pipeline):
    """About 0.8 million parameters."""

    data = Text("data/tinyshakespeare.txt", windows=64, validation=0.1, prompt="ROMEO:")
    model = GPT(layers=4, heads=4, width=128, context=64)
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0, STEPS - 100, alpha=0.1, warmup_target=1e-3, warmup_steps=100
        ),
        weight_decay=0.1,
        beta_2=0.99,
    )
    clip_norm = 1.0
    batch_size = 12
    steps_per_epoch = 200
    epochs = 10


LARGE_STEPS = 5_000
MUON_RATE = keras.optimizers.schedules.CosineDecay(
    0.0, LARGE_STEPS - 100, alpha=0.05, warmup_target=5e-3, warmup_steps=100
)


class CharGPTLarge(CharGPT):
    """Twice as wide and with twice the context, by Muon (Jordan and others, 2024) in bfloat16."""

    data = Text("data/tinyshakespeare.txt", windows=128, validation=0.1, prompt="ROMEO:")
    model = GPT(layers=4, heads=4, width=256, context=128, dropout=0.1)
    optimizer = keras.optimizers.Muon(
        MUON_RATE,
        adam_lr_ratio=0.5,
        adam_beta_2=0.99,
        weight_decay=0.1,
        adam_weight_decay=0.1,
        exclude_layers=["logits"],
    )
    precision = "auto"
    batch_size = 32
    steps_per_epoch = 500
    epochs = 10
