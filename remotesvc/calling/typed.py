"""What type checkers are told about calls; nothing imports this at run time."""

from typing import Any, AsyncIterator, Callable, Coroutine, Iterator, ParamSpec, Protocol, TypeVar, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..futures import CallFuture

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


class ItemIterator(Iterator[Item], Protocol[Item]):
    """What a call of a generator function gives: see ``items.Items``."""

    def wait(self, timeout: float = 0.0) -> bool: ...

    def close(self) -> None: ...

    def __enter__(self) -> "ItemIterator[Item]": ...

    def __exit__(self, *exc_info: object) -> None: ...


class TypedCalls:
    """How functions are called, by ``call`` and by ``submit``: with their own arguments, for what they give."""

    @overload
    def call(self, __fn: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def call(self, __fn: Callable[P, AsyncIterator[T]], *args: P.args, **kwargs: P.kwargs) -> ItemIterator[T]: ...
    @overload
    def call(self, __fn: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs) -> ItemIterator[T]: ...
    @overload
    def call(self, __fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def call(self, __fn: str, *args: Any, **kwargs: Any) -> Any: ...

    def call(self, __fn: Any, *args: Any, **kwargs: Any) -> Any: ...

    @overload
    def submit(self, __fn: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
               ) -> "CallFuture[T]": ...
    @overload
    def submit(self, __fn: Callable[P, AsyncIterator[T]], *args: P.args, **kwargs: P.kwargs
               ) -> "CallFuture[ItemIterator[T]]": ...
    @overload
    def submit(self, __fn: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
               ) -> "CallFuture[ItemIterator[T]]": ...
    @overload
    def submit(self, __fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "CallFuture[T]": ...
    @overload
    def submit(self, __fn: str, *args: Any, **kwargs: Any) -> "CallFuture[Any]": ...

    def submit(self, __fn: Any, *args: Any, **kwargs: Any) -> Any: ...
