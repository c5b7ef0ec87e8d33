"""What the schedulers of diffusers do, step by step: writes `schedulers.json`, which the tests of `src/pipeline/schedulers` read.

    pip install diffusers==0.42.1 torch && python tests/reference/schedulers.py
"""

import itertools
import json
import pathlib

import diffusers
import diffusers.schedulers.scheduling_euler_ancestral_discrete as ancestral_module
import diffusers.schedulers.scheduling_lcm as lcm_module
import torch

ELEMENTS = 4
NAMES = {
    "euler": diffusers.EulerDiscreteScheduler,
    "euler-ancestral": diffusers.EulerAncestralDiscreteScheduler,
    "ddim": diffusers.DDIMScheduler,
    "lcm": diffusers.LCMScheduler,
}
PREDICTIONS = {"epsilon": "epsilon", "v": "v_prediction", "picture": "sample"}
BETAS = {"linear": "linear", "scaled-linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}
SPACINGS = ["leading", "trailing", "linspace"]
STABLE_DIFFUSION = {"train_steps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "betas": "scaled-linear"}
ANCIENT = {"train_steps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "betas": "linear"}
random = torch.Generator().manual_seed(20261129)


def numbers():
    return torch.randn(1, ELEMENTS, 1, 1, generator=random)


def scheduler_of(name, prediction, noise):
    """Our table as diffusers' configuration."""
    config = {
        "num_train_timesteps": noise["train_steps"],
        "beta_start": noise["beta_start"],
        "beta_end": noise["beta_end"],
        "beta_schedule": BETAS[noise["betas"]],
        "prediction_type": PREDICTIONS[prediction],
        "timestep_spacing": noise["spacing"],
        "steps_offset": noise.get("offset", 0),
        "rescale_betas_zero_snr": noise.get("zero_terminal_snr", False),
    }
    if name in ("ddim", "lcm"):
        config["set_alpha_to_one"] = noise.get("final_alpha_one", True)
        config["clip_sample"] = "clip" in noise
        config["clip_sample_range"] = noise.get("clip", 1.0)
    if name == "lcm":
        config["original_inference_steps"] = noise.get("original_steps", 50)
        config["timestep_scaling"] = noise.get("time_scaling", 10.0)
    return NAMES[name](**config)


def case(name, prediction, noise, steps):
    scheduler = scheduler_of(name, prediction, noise)
    scheduler.set_timesteps(steps)
    added = []

    def fresh(shape, **_):
        added.append(numbers())
        return added[-1]

    ancestral_module.randn_tensor = lcm_module.randn_tensor = fresh
    first = numbers()
    sample = first * scheduler.init_noise_sigma
    walked = []
    for time in scheduler.timesteps:
        added.clear()
        given = scheduler.scale_model_input(sample, time)
        predicted = numbers()
        sample = scheduler.step(predicted, time, sample).prev_sample
        walked.append(
            {
                "time": float(time),
                "input": given.flatten().tolist(),
                "predicted": predicted.flatten().tolist(),
                "noise": added[0].flatten().tolist() if added else [],
                "result": sample.flatten().tolist(),
            }
        )
    return {
        "scheduler": name,
        "prediction": prediction,
        "noise": noise,
        "first": first.flatten().tolist(),
        "steps": walked,
    }


def cases():
    for name, prediction, spacing in itertools.product(NAMES, PREDICTIONS, SPACINGS):
        # The class has its own spacing, or does not take the prediction.
        if (name == "lcm" and spacing != "leading") or (name == "euler-ancestral" and prediction == "picture"):
            continue
        for steps in (1, 4):
            yield case(name, prediction, STABLE_DIFFUSION | {"spacing": spacing, "offset": 1}, steps)
    for name in NAMES:
        yield case(name, "epsilon", ANCIENT | {"spacing": "leading"}, 7)
        yield case(name, "epsilon", ANCIENT | {"spacing": "leading", "betas": "cosine"}, 3)
    for name in ("euler", "euler-ancestral", "ddim"):
        yield case(name, "v", STABLE_DIFFUSION | {"spacing": "trailing", "zero_terminal_snr": True}, 5)
        yield case(name, "epsilon", STABLE_DIFFUSION | {"spacing": "linspace"}, 30)
    for name in ("ddim", "lcm"):
        yield case(name, "epsilon", STABLE_DIFFUSION | {"spacing": "leading", "final_alpha_one": False}, 4)
        yield case(name, "epsilon", STABLE_DIFFUSION | {"spacing": "leading", "clip": 1.0}, 4)
    yield case("lcm", "epsilon", STABLE_DIFFUSION | {"spacing": "leading", "original_steps": 100, "time_scaling": 1.0}, 6)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return {key: rounded(each) for key, each in value.items()} if isinstance(value, dict) else value


lines = ",\n".join(json.dumps(rounded(each), separators=(",", ":")) for each in cases())
path = pathlib.Path(__file__).with_name("schedulers.json")
path.write_text(f'{{"diffusers":"{diffusers.__version__}","cases":[\n{lines}\n]}}\n')
