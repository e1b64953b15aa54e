"""GET /v1/models"""

from tests.api.openai.asking import refused
from tests.api.people import Person


async def test_all_models_of_all_sources(person: Person) -> None:
    answer = await person.http.get("/v1/models")
    assert answer.status_code == 200
    found = answer.json()
    assert found["object"] == "list"
    models = {model["id"]: model for model in found["data"]}
    assert {"openai/fake-n20", "passages", "all-MiniLM-L6-v2"} <= set(models)
    assert not [name for name in models if name.startswith("ollama/")], "it cannot be reached"
    one = models["openai/fake-n20"]
    assert (one["object"], one["owned_by"]) == ("model", "openai")
    assert one["created"] > 0
    assert models["all-MiniLM-L6-v2"]["kind"] == "embedding"


async def test_one_of_them(person: Person) -> None:
    for name in ("openai/fake-n20", "fake-n20"):
        assert (await person.http.get(f"/v1/models/{name}")).json()["id"] == "openai/fake-n20"
    error = refused(await person.http.get("/v1/models/openai/fake-m20"), 404, "model_not_found")
    assert error["param"] == "model"
    assert "openai/fake-n20" in error["message"]
