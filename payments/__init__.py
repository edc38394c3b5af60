"""Who collects: the providers, one file each, behind one protocol."""
