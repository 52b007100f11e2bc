import pytest
import torch
from torch.nn.functional import normalize

from models.settings import TowerSettings
from models.towers.network import FeatureSizes, TwoTower

DIM = 6
QUERY, PRODUCT = FeatureSizes(2, (4,)), FeatureSizes(4, (3, 5))


def towers(mode="separate", **settings):
    torch.manual_seed(0)
    return TwoTower(DIM, QUERY, PRODUCT, TowerSettings(mode=mode, width=8, embedding_width=3, **settings)).eval()


def inputs(sizes, rows=5):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(rows, DIM, generator=generator),
        torch.randn(rows, sizes.numeric, generator=generator),
        torch.stack([torch.randint(0, size, (rows,), generator=generator) for size in sizes.vocabularies], dim=1),
    )


def shake(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3)
    return model


@pytest.mark.parametrize("mode", ["tied", "separate", "query_only"])
@pytest.mark.parametrize(("side", "sizes"), [("query", QUERY), ("product", PRODUCT)])
@pytest.mark.parametrize("layers", [1, 2])
def test_untrained_towers_are_the_identity(mode, side, sizes, layers):
    x, *features = inputs(sizes)
    torch.testing.assert_close(towers(mode, layers=layers)(side, x, *features), normalize(x), atol=1e-6, rtol=0)


def test_alpha_0_is_the_encoder_for_any_weights():
    model = shake(towers())
    x, *features = inputs(QUERY)
    assert not torch.allclose(model("query", x, *features), normalize(x), atol=1e-2)
    model.alpha = 0.0
    torch.testing.assert_close(model("query", x, *features), normalize(x), atol=1e-6, rtol=0)


def test_vectors_have_length_1():
    x, *features = inputs(PRODUCT)
    torch.testing.assert_close(shake(towers())("product", x, *features).norm(dim=1), torch.ones(5))


def test_query_only_never_changes_a_product():
    model = shake(towers("query_only"))
    x, *features = inputs(PRODUCT)
    assert torch.equal(model("product", x, *features), normalize(normalize(x)))
    assert not any("product" in name for name, _ in model.named_parameters())


def test_tied_towers_share_the_trunk_and_separate_ones_do_not():
    plain = FeatureSizes()
    x, *features = inputs(FeatureSizes(0, (2,)))
    for mode, same in (("tied", True), ("separate", False)):
        torch.manual_seed(0)
        model = TwoTower(DIM, plain, plain, TowerSettings(mode=mode, width=8)).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("last.weight"):
                torch.nn.init.normal_(parameter)
        assert torch.equal(model("query", x, *features), model("product", x, *features)) is same


def test_features_enter_once_their_gate_has_opened():
    model = shake(towers())
    x, numeric, categorical = inputs(QUERY)
    with torch.no_grad():
        model.branches["query"].gate.zero_()
    closed = model("query", x, numeric, categorical)
    assert torch.equal(closed, model("query", x, numeric + 1, categorical))
    with torch.no_grad():
        model.branches["query"].gate.fill_(1.0).mul_(torch.arange(8))
    assert not torch.equal(model("query", x, numeric, categorical), model("query", x, numeric + 1, categorical))


def test_a_gate_starts_closed_and_still_learns():
    model = towers().train()
    with torch.no_grad():
        model.trunks["query"].last.weight.normal_()
    assert model.branches["query"].gate.abs().sum() == 0
    model("query", *inputs(QUERY))[:, 0].sum().backward()
    assert model.branches["query"].gate.grad.abs().sum() > 0
