"""An address that the UI cannot listen on is refused by the part of it that is wrong."""

import pytest

from orchestration.instance.ui_server import serve
from warehouse.errors import WarehouseError
from warehouse.home import Home


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("nowhere.invalid", "the host name 'nowhere.invalid' cannot be resolved"),
        ("", "the host is empty"),
        ("a..b", "the host name 'a..b' cannot be resolved"),
        ("::g", "the host name '::g' cannot be resolved"),
        ("203.0.113.7", "the host 203.0.113.7 is not an address of this machine"),
        ("2001:db8::7", "the host 2001:db8::7 is not an address of this machine"),
    ],
)
def test_a_wrong_host_is_no_fault_of_the_port(tmp_path, host, message):
    with pytest.raises(WarehouseError) as refused:
        serve(Home(tmp_path), host, 3000, lambda _: None)
    assert refused.value.message == message
    assert "--host 127.0.0.1" in refused.value.hint
    assert "--port" not in str(refused.value)
    assert not list(tmp_path.iterdir())
