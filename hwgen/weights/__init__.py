"""How weights are coded: which values they can have, how a product is made of them, how they lie in a ROM."""
