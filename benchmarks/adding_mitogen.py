"""The same service as Mitogen has it; Mitogen's own way of importing takes it to the target."""

import mitogen.service


class Adder(mitogen.service.Service):
    """As small as a service can be."""

    @mitogen.service.expose(policy=mitogen.service.AllowParents())
    @mitogen.service.arg_spec({"a": int, "b": int})
    def add(self, a, b):
        return a + b
