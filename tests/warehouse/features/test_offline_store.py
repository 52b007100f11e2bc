"""A sample of products or queries depends only on the seed and the keys, and comes with the row count."""

from warehouse.features import offline_store
from warehouse.lake.lake import Lake


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another(built: Lake) -> None:
    with built.reading() as connection:
        for entity in offline_store.ENTITIES:
            keys = set(
                connection.execute(f"SELECT key FROM features.{'products' if entity == 'product' else 'queries'}").pl()[
                    "key"
                ]
            )
            count, everything = offline_store.counted_sample(connection, entity, 100, 1)
            assert (count, set(everything["key"])) == (len(keys), keys)
            drawn = [tuple(offline_store.counted_sample(connection, entity, 1, seed)[1]["key"]) for seed in range(20)]
            assert drawn == [
                tuple(offline_store.counted_sample(connection, entity, 1, seed)[1]["key"]) for seed in range(20)
            ]
            assert {len(one) for one in drawn} == {1}
            assert len(set(drawn)) > 1


def test_of_no_rows_none_are_drawn(built: Lake) -> None:
    with built.writing() as connection:
        connection.execute("DELETE FROM features.products")
    with built.reading() as connection:
        count, keys = offline_store.counted_sample(connection, "product", 3, 1)
    assert (count, keys["key"].to_list()) == (0, [])
