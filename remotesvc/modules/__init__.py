"""The master's side of imports: finds modules, decides who may have them, and packs them for children."""
