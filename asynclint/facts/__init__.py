"""What is inferred of the project's code: `extract` reads modules, `infer` reads the project."""
