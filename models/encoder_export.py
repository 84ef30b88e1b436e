"""A GRU as an ONNX graph: the same weights give the same bytes; needs requirements/trainer.txt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.session_encoder import GruWeights

OPSET, IR_VERSION = 17, 8


def gru_graph(weights: GruWeights) -> bytes:
    """`inputs` float32 [events, 1, s] and `state` [1, 1, s] in, `vector` [1, s] out."""
    from onnx import TensorProto, checker, helper, numpy_helper

    size = weights.output_weights.shape[0]
    constants = {
        "input_weights": _in_onnx_order(weights.input_weights)[None],
        "hidden_weights": _in_onnx_order(weights.hidden_weights)[None],
        "biases": np.concatenate([_in_onnx_order(weights.input_bias), _in_onnx_order(weights.hidden_bias)])[None],
        "output_weights": np.ascontiguousarray(weights.output_weights.T),
        "output_bias": weights.output_bias,
        "flat": np.array([1, size], np.int64),
    }
    nodes = [
        helper.make_node(
            "GRU",
            ["inputs", "input_weights", "hidden_weights", "biases", "", "state"],
            ["", "last"],
            hidden_size=size,
            linear_before_reset=1,  # as PyTorch has it
        ),
        helper.make_node("Reshape", ["last", "flat"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "output_weights", "output_bias"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "session_encoder",
        [_tensor("inputs", ["events", 1, size]), _tensor("state", [1, 1, size])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, size])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _in_onnx_order(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reset, update, new become update, reset, new."""
    reset, update, new = np.split(gates, 3)
    return np.concatenate([update, reset, new])


def _tensor(name: str, shape: list[Any]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
