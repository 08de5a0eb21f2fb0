"""The step as machine code, written in LLVM's language."""
