"""What fixers build their edits with: the source of a module, its imports, and plans that span files."""
