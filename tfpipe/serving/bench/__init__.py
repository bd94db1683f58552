"""What `tfpipe bench` measures: signatures in process, and a server under load."""
