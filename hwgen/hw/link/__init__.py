"""Serial link from a host to a core: UART, CRC, frame buffers, the small protocol of `runtime.link`."""
