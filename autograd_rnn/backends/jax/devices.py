"""The devices that share a batch, which may belong to several processes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ...errors import ArgumentTypeError, ArgumentValueError


def as_mesh(devices: Any) -> Mesh:
    """The mesh, or that of a list of JAX's devices; `TypeError` for anything else."""
    if isinstance(devices, Mesh):
        mesh = devices
    elif not isinstance(devices, list | tuple) or not all(
        isinstance(device, jax.Device) for device in devices
    ):
        raise ArgumentTypeError(
            "devices must be a list of JAX's devices, such as jax.devices(), or a "
            "jax.sharding.Mesh."
        )
    elif not devices or len(set(devices)) < len(devices):
        raise ArgumentValueError(
            f"devices must be one or more different devices, not {len(devices)} of which "
            f"{len(set(devices))} differ."
        )
    else:
        mesh = Mesh(np.array(devices), ("batch",))
    if jax.process_index() not in processes(mesh):
        raise ArgumentValueError(
            "devices must have one or more of this process: give jax.devices(), or some of "
            "jax.local_devices()."
        )
    return mesh


def processes(mesh: Mesh) -> list[int]:
    """The processes that the devices belong to, by number."""
    return sorted({device.process_index for device in mesh.devices.flat})


def leads(mesh: Mesh) -> bool:
    """Whether this process is the first of those that the devices belong to."""
    return bool(jax.process_index() == processes(mesh)[0])


def spec(mesh: Mesh, axes: int) -> PartitionSpec:
    """The last axis of an array, the batch, shared among all devices."""
    return PartitionSpec(*[None] * (axes - 1), mesh.axis_names)


def place(array: Any, mesh: Mesh | None) -> Any:
    """The array of a whole batch on its devices, of which each process fills its own."""
    if mesh is None:
        return jax.device_put(array)
    sharding = NamedSharding(mesh, spec(mesh, array.ndim))
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def everywhere(mesh: Mesh) -> NamedSharding:
    """A whole array on each device, so that each process can read it."""
    return NamedSharding(mesh, PartitionSpec())


def wait(mesh: Mesh) -> None:
    """Return when all processes that the devices belong to have called this."""
    if len(processes(mesh)) > 1:
        jax.jit(lambda ones: ones, out_shardings=everywhere(mesh))(
            place(np.ones(mesh.size), mesh)
        ).block_until_ready()


def mark(arrays: Iterable[Any]) -> int:
    """A number that differs if arrays differ, as do those of processes that are not in step."""
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found


def check_marks(mesh: Mesh, marks: Any) -> None:
    """`ValueError` if the marks of the devices, one each, differ."""
    first = mesh.devices.flat[0].process_index
    for device, one in zip(mesh.devices.flat, marks, strict=True):
        if one != marks[0]:
            raise ArgumentValueError(
                f"processes {first} and {device.process_index} have different weights, states or "
                f"sequences: each must be given the same model, data, settings and checkpoint."
            )
