"""What profiles of torch networks share: artifacts of weights alone, and prediction. torch loads where it is used.

A model file is a state dict. It is read with ``weights_only``, which builds tensors and nothing else, after its hash
was checked as every artifact's is; whatever is in it, no code runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.errors import DeviceUnavailable
from service.models.base import Output, Predictor
from service.models.parts.outputs import probability_output
from service.models.parts.pictures import PictureProfile

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchProfile(PictureProfile):
    """A network of torch on pictures."""

    model_file: ClassVar[str] = "model.pt"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "numpy")

    @abstractmethod
    def network(self) -> nn.Module:
        """Return the network with weights that are to be replaced."""

    @abstractmethod
    def tensor(self, items: Sequence[Any]) -> Tensor:
        """Return pictures as the network takes them, the first dimension for the picture."""

    def dump(self, estimator: Any) -> bytes:
        """Return the network's state dict, as torch saves it."""
        import torch  # noqa: PLC0415 - a second of import and 200 MB, for services with torch models alone

        buffer = BytesIO()
        torch.save(estimator.state_dict(), buffer)
        return buffer.getvalue()

    def restore(self, content: bytes) -> Any:
        """Return the network with the weights of a file; raise where one is missing, too many or of another shape."""
        import torch  # noqa: PLC0415 - as above

        with torch.device("meta"):
            network = self.network()
        try:
            weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        except RuntimeError as error:  # what torch says in place of a MemoryError
            if "allocate memory" in str(error):
                raise MemoryError(str(error).splitlines()[0]) from error
            raise
        network.load_state_dict(weights, assign=True)
        return network

    def predictor(self, estimator: Any) -> Predictor:
        """Return a predictor on the device of the settings; raise ``DeviceUnavailable`` where there is none."""
        import torch  # noqa: PLC0415 - as above

        torch.set_num_threads(self.options.torch_threads)
        if self.options.device == "cuda" and not torch.cuda.is_available():
            raise DeviceUnavailable(self.options.device)
        device = torch.device(self.options.device)
        network = estimator.eval().requires_grad_(False).to(device)  # noqa: FBT003 - torch's own signature

        def predict(items: Sequence[Any]) -> Output:
            with torch.inference_mode():
                scores = network(self.tensor(items).to(device))
                probabilities = torch.softmax(scores, dim=1).cpu().numpy().astype(np.float64)
            return probability_output(probabilities, self.classes)

        return predict
