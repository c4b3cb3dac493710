"""One module per command; each exports one click command and imports the heavy parts when it runs."""
