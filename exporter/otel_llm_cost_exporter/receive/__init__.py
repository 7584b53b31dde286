"""OTLP comes in here: over gRPC and over HTTP, as protobuf or JSON.

`ingest` takes a body and answers with an outcome; `grpc_server` and `http_server` only translate outcomes into what
their protocol says, so that the two cannot differ.
"""
