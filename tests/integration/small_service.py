"""As small a service as there is."""

from remotesvc.service import Service, expose


class Small(Service):
    """Says one."""

    @expose()
    def one(self) -> int:
        return 1
