"""What is begun while the last epochs are trained."""

from tfpipe.training.callbacks.near_the_end import NearTheEnd


def test_it_is_called_once_when_little_is_left() -> None:
    now, called = [0.0], []
    callback = NearTheEnd(10.0, lambda: called.append(now[0]), lambda: now[0])
    callback.set_params({"epochs": 8})
    for epoch, seconds in enumerate((9.0, 3.0, 3.0, 3.0, 2.0, 1.0, 1.0, 1.0)):
        callback.on_epoch_begin(epoch)
        now[0] += seconds
        callback.on_epoch_end(epoch)
    assert called == [20.0]  # three epochs are left, the one before took two seconds


def test_a_single_epoch_is_the_last() -> None:
    called: list[bool] = []
    callback = NearTheEnd(10.0, lambda: called.append(True), iter((0.0, 900.0)).__next__)
    callback.set_params({"epochs": 1})
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0)
    assert called == [True]
