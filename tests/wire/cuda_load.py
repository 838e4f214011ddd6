"""A program that keeps the first GPU that it may see busy, by the driver's own library alone, until it is told to go."""

from __future__ import annotations

import ctypes
import signal
import sys

_BYTES = 256 << 20


def main() -> int:
    """Exit code 0 when told to go, 3 where there is no CUDA, and 1 where a call fails."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 3
    going: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: going.append(number))
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    calls = (
        lambda: cuda.cuInit(0),
        lambda: cuda.cuDeviceGet(ctypes.byref(device), 0),
        lambda: cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device),
        lambda: cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(_BYTES)),
    )
    if any(call() for call in calls):
        return 1
    while not going:
        if cuda.cuMemsetD32_v2(memory, ctypes.c_uint(7), ctypes.c_size_t(_BYTES // 4)) or cuda.cuCtxSynchronize():
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
