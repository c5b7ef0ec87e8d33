"""Real clients draw through `inkstone serve`: PyPI's `openai` and `webuiapi`. `tests/clients/run` installs them and starts the server."""

import base64
import io
import sys

import openai
import webuiapi
from PIL import Image

PORT = int(sys.argv[1])


def decoded(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def of_openai():
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{PORT}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == ["pictogram"]
    drawn = client.images.generate(model="pictogram", prompt="a red fox", background="transparent", size="256x256", n=2)
    pictures = [decoded(entry.b64_json) for entry in drawn.data]
    assert all(picture.size == (256, 256) and picture.getpixel((0, 0))[3] == 0 for picture in pictures)
    assert pictures[0].tobytes() != pictures[1].tobytes()
    kinds = [event.type for event in client.images.generate(model="pictogram", prompt="a cat", stream=True, partial_images=2)]
    assert kinds[-1] == "image_generation.completed", kinds
    file = io.BytesIO()
    pictures[0].save(file, "PNG")
    file.name = "fox.png"
    edited = client.images.edit(model="pictogram", image=file, prompt="a blue fox")
    assert decoded(edited.data[0].b64_json).size == (256, 256) or edited.data[0].b64_json
    try:
        client.images.generate(model="pictogram", prompt="zzgrblfx")
    except openai.UnprocessableEntityError as error:
        assert error.code == "unknown_prompt" and error.param == "prompt", error
    else:
        raise AssertionError("a prompt of which nothing is known was drawn")


def of_automatic1111():
    client = webuiapi.WebUIApi(host="127.0.0.1", port=PORT)
    drawn = client.txt2img(prompt="a (red:1.2) fox", seed=5, steps=20, width=256, height=256, batch_size=2)
    assert len(drawn.images) == 2 and drawn.image.size == (256, 256)
    assert drawn.info["all_seeds"] == [5, 6] and drawn.info["steps"] == 4
    again = client.txt2img(prompt="a (red:1.2) fox", seed=5, steps=20, width=256, height=256)
    assert again.image.tobytes() == drawn.images[0].tobytes()
    assert "Seed: 5" in drawn.image.info["parameters"]
    changed = client.img2img(images=[drawn.image], prompt="a wolf", denoising_strength=0.5, width=256, height=256)
    assert changed.image.size == (256, 256)
    assert client.util_get_current_model() in client.util_get_model_names()
    assert "Euler a" in client.util_get_sampler_names()
    client.util_wait_for_ready()
    client.interrupt()
    client.set_options({"sd_model_checkpoint": client.util_get_current_model()})


of_openai()
of_automatic1111()
print("openai and webuiapi have drawn")
