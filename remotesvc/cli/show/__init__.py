"""What commands write: results and errors for people, for programs, and into files."""
