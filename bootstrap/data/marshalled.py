"""The form of what is marshalled (pure). Only who runs our code anyway is sent such data: it is read as it comes."""

# What every Python since 2.5 reads, 3.6 included: later formats only save bytes.
FORMAT = 2
