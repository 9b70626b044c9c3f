"""Reading of ONNX files: protobuf, constants, the import context."""
