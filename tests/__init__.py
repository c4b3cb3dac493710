"""The tests of remotesvc: unit (pure), kernel (every interpreter), integration (real links and processes)."""
