"""Any torch module, observed at a layer of its own by a hook that is gone after each pass."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.network import Family, Network, Observation
from wsloc.networks.precision import autocasting


def _not_cut(*_arguments: object) -> Tensor:
    raise UnsupportedError(
        "a module observed at a layer of its own is not cut into trunk and head: use gradcam"
    )


def layer_named(module: nn.Module, layer: str, owner: str) -> nn.Module:
    """A submodule by its dotted name.

    Args:
        module: where to look.
        layer: the name.
        owner: what the module is called, for the message.

    Raises:
        UnsupportedError: if there is none; names the last ones that there are.
    """
    layers: dict[str, nn.Module] = dict(module.named_modules())
    if layer in layers:
        return layers[layer]
    known = ", ".join(name for name in list(layers)[-5:] if name)
    raise UnsupportedError(f"{owner} has no layer {layer!r}; its last ones are {known}")


OWN_MODULE = Family("own module", features=_not_cut, head=_not_cut, linear=None, stride=0)


class HookedNetwork(Network):
    """A classifier whose feature map is the output of one of its layers; explained by Grad-CAM.

    The module stays the caller's: its mode, its parameters and their `.grad` are left as they are.

    Args:
        module: images (N, 3, H, W) -> logits (N, C).
        target_layer: a submodule of it, or its dotted name; its output must be (N, K, h, w).

    Raises:
        UnsupportedError: if there is no such layer in the module.
    """

    def __init__(self, module: nn.Module, target_layer: nn.Module | str) -> None:
        super().__init__(type(module).__name__, module, OWN_MODULE)
        if isinstance(target_layer, str):
            found = layer_named(module, target_layer, self.name)
        elif any(layer is target_layer for layer in module.modules()):
            found = target_layer
        else:
            raise UnsupportedError(
                f"the target layer {type(target_layer).__name__} is not part of {self.name}"
            )
        weights = (weight for weight in module.parameters() if weight.is_floating_point())
        self._dtype = next(weights, torch.empty(0)).dtype
        self._layer = (found,)  # a tuple: not registered a second time

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of normalised images (N, 3, H, W)."""
        return cast("Tensor", self.model(images))

    def observe(
        self, images: Tensor, *, differentiable: bool, autocast: torch.dtype | None = None
    ) -> Observation:
        """One forward pass; the graph begins at the layer's output, as for networks that are cut there.

        Raises:
            UnsupportedError: if the layer is not reached, gives no (N, K, h, w), or the module gives no (N, C)
                that depends on it.
        """
        seen: list[Tensor] = []

        def cut(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor) or output.ndim != 4 or len(output) != len(images):
                shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                raise UnsupportedError(
                    f"the target layer of {self.name} gives {shape}, not a feature map (N, K, h, w)"
                )
            # Copies, before and after: layers that work in place, on either side, must not change the leaf.
            leaf = output.detach().to(torch.float32, copy=True).requires_grad_(differentiable)
            seen.append(leaf)
            with torch.set_grad_enabled(differentiable):  # frozen trunks often run under no_grad
                return leaf.to(output.dtype, copy=True)

        handle = self._layer[0].register_forward_hook(cut)
        try:
            with (
                torch.set_grad_enabled(differentiable),
                autocasting(images.device.type, autocast),
            ):
                logits = self.model(images.to(self._dtype))
        finally:
            handle.remove()
        if not seen:
            raise UnsupportedError(f"the target layer of {self.name} is not reached by a forward pass")
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise UnsupportedError(f"{self.name} gives no logits (N, C): wrap it so that it does")
        if differentiable and not logits.requires_grad:
            raise UnsupportedError(f"the logits of {self.name} do not depend on the target layer")
        return Observation(seen[-1], logits.float())
