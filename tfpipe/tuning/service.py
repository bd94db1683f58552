"""What a chief listens with: a gRPC server with Keras Tuner's service and ours on one port."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING, Any

from tfpipe.errors import ConfigError
from tfpipe.tuning import wire
from tfpipe.tuning.stored import Trial

if TYPE_CHECKING:
    from tfpipe.tuning.chief import Chief


def bind(chief: "Chief") -> tuple[Any, int]:
    """A server at the chief's address, and its port.

    Args:
        chief: whom it asks.

    Raises:
        ConfigError: when the address cannot be listened on.
    """
    import grpc

    check_free(chief.address)
    _, _, services = wire.keras_tuner_messages()
    # With so_reuseport two chiefs would share a port, and a worker would ask either of them.
    server = grpc.server(
        futures.ThreadPoolExecutor(8, "tfpipe-chief"),
        options=[*wire.OPTIONS, ("grpc.so_reuseport", 0)],
    )
    services.add_OracleServicer_to_server(_servicer(chief), server)
    server.add_generic_rpc_handlers((_own_methods(chief),))
    try:
        return server, server.add_insecure_port(chief.address)
    except RuntimeError as error:
        raise _not_ours(chief.address, str(error)) from None


def check_free(address: str) -> None:
    """Refuse an address that cannot be listened on, with the reason, which gRPC does not tell.

    Args:
        address: HOST:PORT, or a port of this machine.

    Raises:
        ConfigError: when it cannot.
    """
    address = wire.address(address, "--chief")
    host, _, port = address.rpartition(":")
    bare = host.strip("[]")
    try:
        family = socket.getaddrinfo(bare, int(port), type=socket.SOCK_STREAM)[0][0]
        socket.create_server((bare, int(port)), family=family).close()
    except OSError as error:
        # strerror names the address once more, and for an unknown name it is all that there is.
        code = error.errno or 0
        reason = os.strerror(code) if code > 0 else str(error.strerror)
        raise _not_ours(address, reason) from None


def _not_ours(address: str, reason: str) -> ConfigError:
    return ConfigError(
        f"--chief {address} cannot be listened on ({reason}). End the program that uses this port "
        "or choose another port, and give a name or an address of this machine."
    )


class _Refused(Exception):
    """A call that the chief does not take, and why."""


class _NotYours(_Refused):
    """The end of a trial that is not the worker's any more."""


@contextlib.contextmanager
def _answering(chief: "Chief", context: Any) -> Iterator[None]:
    """Answer a call that cannot be taken in words; what fails here, the chief's own loop raises."""
    import grpc

    try:
        if wire.identity_of(context.invocation_metadata()) != chief.identity:
            raise _Refused(
                f"This is the chief of {chief.search.name}, for workers that tfpipe search FILE "
                "--worker starts."
            )
        yield
        return
    except _NotYours as error:
        refusal = grpc.StatusCode.ABORTED, str(error)
    except _Refused as error:
        refusal = grpc.StatusCode.FAILED_PRECONDITION, str(error)
    except Exception as error:  # noqa: BLE001 (raised by sweep)
        chief.failure = error
        refusal = grpc.StatusCode.INTERNAL, f"The chief has failed: {error}"
    context.abort(*refusal)


def _own_methods(chief: "Chief") -> Any:
    """Describe and Alive, which take and give JSON."""
    import grpc

    def describe(request: bytes, context: Any) -> bytes:
        return wire.packed(chief.describe())

    def alive(request: bytes, context: Any) -> bytes:
        with _answering(chief, context):
            try:
                said = json.loads(request)
                worker, trials, leaving = said["worker"], dict(said["trials"]), said["leaving"]
            except (ValueError, KeyError, TypeError) as error:
                raise _Refused(f"This is no heartbeat: {error!r}") from None
            return wire.packed(chief.alive(str(worker), trials, bool(leaving)))
        raise AssertionError  # a refusal has raised

    handlers = {"Describe": describe, "Alive": alive}
    return grpc.method_handlers_generic_handler(
        wire.SERVICE, {n: grpc.unary_unary_rpc_method_handler(f) for n, f in handlers.items()}
    )


def _servicer(chief: "Chief") -> Any:
    """Keras Tuner's service, with the chief where trials come and go."""
    trials, answers, _ = wire.keras_tuner_messages()
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    class Servicer(OracleServicer):
        def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC's names)
            with _answering(chief, context):
                found = chief.hand_out(request.tuner_id)
                if isinstance(found, Trial):
                    proposed = self.oracle.get_trial(found.id).to_proto()
                else:
                    status = trials.STOPPED if found is None else trials.IDLE
                    proposed = trials.Trial(status=status)
                return answers.CreateTrialResponse(trial=proposed)

        def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
            with _answering(chief, context):
                try:
                    said = wire.trial_of(context.invocation_metadata())
                except ValueError as error:
                    raise _Refused(f"This is no end of a trial: {error}") from None
                if not chief.take_back(said):
                    raise _NotYours(f"Trial {said.id} is not {said.worker}'s any more.")
                return answers.EndTrialResponse()

        def UpdateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
            with _answering(chief, context):
                raise _Refused("What a trial measures is in its folder.")

        def UpdateSpace(self, request: Any, context: Any) -> Any:  # noqa: N802
            with _answering(chief, context):
                raise _Refused("The ranges are those that the pipeline declares.")

    return Servicer(chief.proposals.oracle)
