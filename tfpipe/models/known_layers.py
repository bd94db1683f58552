"""The layers of tfpipe that saved models may have, which Keras finds by their registered names."""


def know_layers() -> None:
    """Import every module that registers a layer, so that any saved model of tfpipe loads."""
    import tfpipe.boxes.heads
    import tfpipe.boxes.yolo_head
    import tfpipe.models.detection.as_it_is
    import tfpipe.models.detection.detection_module
    import tfpipe.models.detection.sliding_windows
    import tfpipe.models.images_out.layers
    import tfpipe.models.pretrained.hub_module
    import tfpipe.models.sequence.carried
    import tfpipe.models.text_columns
    import tfpipe.models.text_vectorization
    import tfpipe.models.whitened_cnn.fused
    import tfpipe.models.whitened_cnn.layers  # noqa: F401
