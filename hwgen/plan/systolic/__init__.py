"""The systolic engine's compiler: an integer graph and an array to an image; begin reading at lower.py."""
