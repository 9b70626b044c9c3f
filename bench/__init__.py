"""Measurements that the README quotes; `make bench` runs them all, `python -m bench NAME` one."""
