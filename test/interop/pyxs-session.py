"""What a program that uses pyxs does: reads, writes, perms, transactions, domains, monitors.

Run with the environment that names the daemon (XENSTORED_PATH). Prints one line for each part that went well; an
assertion that fails ends it with a traceback.
"""
import errno

from pyxs import Client, PyXSError


def events(monitor, count):
    """Takes so many events of a monitor."""
    source = monitor.wait()
    return [tuple(next(source)) for _ in range(count)]


def read_and_write(c):
    c[b"/pyxs/a"] = b"value"
    assert c[b"/pyxs/a"] == b"value"
    c.write(b"/pyxs/binary", b"x" * 2000)
    assert c.read(b"/pyxs/binary") == b"x" * 2000
    c.mkdir(b"/pyxs/dir/sub")
    assert sorted(c.list(b"/pyxs")) == [b"a", b"binary", b"dir"]
    assert c.list(b"/pyxs/dir/sub") == []
    assert c.exists(b"/pyxs/dir") and not c.exists(b"/pyxs/none")
    assert c.read(b"/pyxs/none", b"default") == b"default"
    assert sorted(top for top, _value, _children in c.walk(b"/pyxs/dir")) == [b"/pyxs/dir", b"/pyxs/dir/sub"]
    del c[b"/pyxs/dir"]
    assert not c.exists(b"/pyxs/dir")
    try:
        c.read(b"/pyxs/none")
    except PyXSError as error:
        assert error.args[0] == errno.ENOENT
    else:
        raise AssertionError("a missing node was read")


def perms(c):
    c.set_perms(b"/pyxs/a", [b"n0", b"r5", b"b6"])
    assert c.get_perms(b"/pyxs/a") == [b"n0", b"r5", b"b6"]


def transactions(c):
    c.transaction()
    c[b"/pyxs/in"] = b"1"
    with Client() as other:
        assert not other.exists(b"/pyxs/in")
    assert c.commit() is True
    assert c[b"/pyxs/in"] == b"1"

    c.transaction()
    c[b"/pyxs/in"] = b"2"
    c.rollback()
    assert c[b"/pyxs/in"] == b"1"

    c.transaction()
    assert c[b"/pyxs/in"] == b"1"
    c[b"/pyxs/result"] = b"x"
    with Client() as other:
        other[b"/pyxs/in"] = b"3"
    assert c.commit() is False
    assert not c.exists(b"/pyxs/result")


def domains(c):
    assert c.get_domain_path(5) == b"/local/domain/5"
    assert c.is_domain_introduced(5) is False
    c.introduce_domain(5, 1, 1)
    assert c.is_domain_introduced(5) is True
    c.introduce_domain(6, 1, 1)
    c.set_target(6, 5)
    c.resume_domain(5)
    c.release_domain(6)
    c.release_domain(5)
    assert c.is_domain_introduced(5) is False


def monitors(c):
    with c.monitor() as m:
        m.watch(b"/pyxs/watched", b"token")
        assert events(m, 1) == [(b"/pyxs/watched", b"token")]
        with Client() as other:
            other[b"/pyxs/watched/a"] = b"1"
            other.transaction()
            other[b"/pyxs/watched/b"] = b"2"
            other[b"/pyxs/watched/c"] = b"3"
            assert other.commit() is True
        assert events(m, 3) == [
            (b"/pyxs/watched/a", b"token"),
            (b"/pyxs/watched/b", b"token"),
            (b"/pyxs/watched/c", b"token"),
        ]
        m.unwatch(b"/pyxs/watched", b"token")
    with c.monitor() as m:
        m.watch(b"@introduceDomain", b"in")
        m.watch(b"@releaseDomain", b"out")
        assert sorted(events(m, 2)) == [(b"@introduceDomain", b"in"), (b"@releaseDomain", b"out")]
        c.introduce_domain(7, 1, 1)
        c.release_domain(7)
        assert events(m, 2) == [(b"@introduceDomain", b"in"), (b"@releaseDomain", b"out")]


# pyxs lets a program manage domains only where Xen's kernel interface says that this is dom0.
Client.SU = True

with Client() as client:
    for part in (read_and_write, perms, transactions, domains, monitors):
        part(client)
        print(part.__name__, flush=True)
