"""Recipes by name: the papers', and one for two cores."""

from __future__ import annotations

from dataclasses import replace

from wsloc.inputs.training_set import Augmentation
from wsloc.training.records import Recipe

# Wan et al., Entropy Pooling, section 4.1: from scratch, 0.1 divided by 10 every 30 of 100 epochs.
_IMAGENET = Recipe(
    backbone="resnet50",
    epochs=100,
    batch_size=256,
    learning_rate=0.1,
    schedule="step",
    decay_every=30,
    warmup=0,
    nesterov=False,
    weight_decay=1e-4,
    image_size=224,
    augmentation=Augmentation(shorter_side=(256, 480)),
)

RECIPES: dict[str, Recipe] = {
    "small": Recipe(),
    "imagenet": _IMAGENET,
    # Inception v3 of the same section has larger inputs.
    "imagenet-inception": replace(
        _IMAGENET,
        backbone="inception_v3",
        image_size=299,
        augmentation=Augmentation(shorter_side=(342, 640)),
    ),
    # Section 4.2: fine-tuning on Places365 from ImageNet's weights.
    "places": replace(_IMAGENET, learning_rate=0.01),
    # Section 4.4: multi-label VOC from ImageNet's weights, divided by 10 every 2,000 iterations. The paper does not
    # say how many there are: three plateaus.
    "voc": replace(
        _IMAGENET,
        backbone="vgg16_dilated",
        epochs=1000,
        max_steps=6000,
        batch_size=20,
        learning_rate=1e-3,
        decay_steps=2000,
        weight_decay=5e-4,
        image_size=321,
        augmentation=Augmentation(shorter_side=(321, 481)),
    ),
    # Lee et al., FickleNet, section 4.1: Adam, halved every 10 epochs. The paper does not say how many there are
    # (three plateaus), nor what scale it crops from.
    "ficklenet": Recipe(
        backbone="vgg16_dilated",
        epochs=30,
        batch_size=10,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="step",
        decay_every=10,
        decay_factor=0.5,
        warmup=0,
        weight_decay=0,
        image_size=321,
        augmentation=Augmentation(shorter_side=(321, 481)),
    ),
    # Li et al., GAIN, section 4.1: one image a step, at a constant rate. The paper does not say what size the inputs
    # are (its segmentation network takes 321 x 321), nor anything of momentum, which is left out.
    "gain": Recipe(
        backbone="vgg16",
        epochs=35,
        batch_size=1,
        learning_rate=1e-5,
        schedule="constant",
        warmup=0,
        momentum=0,
        nesterov=False,
        weight_decay=0,
        image_size=321,
        augmentation=Augmentation(shorter_side=(321, 481)),
    ),
}
