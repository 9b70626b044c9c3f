"""Programs of the systolic engine: instructions, the image that a flash holds, and a model that runs them."""
