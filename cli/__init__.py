"""The `seqlab` program: one small file per verb; a command is a plain function that calls the library."""
