"""Components of the systolic engine: one array, its memories, the flash that programs it."""
