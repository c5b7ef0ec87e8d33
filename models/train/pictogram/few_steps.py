"""How close few steps come to many: students of different methods against the teacher, from the same noise.

    python -m pictogram.few_steps student student-consistency student-features

For names of training pictures, every style: PSNR of the student's 4, 2 and 1 steps against the guided teacher's
many, how often the judge knows the concept (R@1), and the Fréchet distance from real pictures in its features. In the
precision of training, decoded to 128×128.
"""

import argparse
from pathlib import Path

from . import measures, sampling, settings, training
from .captions import Captions
from .drawing import Networks
from .evaluate import STEPS, Questions, Reports
from .judge import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", nargs="+", help="names of checkpoints in --work")
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--questions", type=int, default=48)
    parser.add_argument("--teacher-steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=2.0, help="of the teacher")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    options = parser.parse_args()
    device, captions = training.pick_device(options.device), Captions(options.work)
    questions = Questions(captions, captions.judge_hidden, options.questions)
    reports, asked = Reports(load(options.work, device), questions, options.work, device), questions.asked()
    teacher = Networks(options.work, "teacher", captions, device)
    many = teacher.many(asked, sampling.teacher_times(options.teacher_steps), options.guidance, exact=False)
    print(f"teacher, {options.teacher_steps} steps: R@1 {reports.recall(many)['r1']}, real pictures {reports.judged(reports.real)['r1']}", flush=True)
    for name in options.students:
        student = Networks(options.work, name, captions, device)
        for steps in STEPS:
            few = student.many(asked, settings.SCHEDULES[steps], exact=False)
            judged = reports.full(few)
            print(f"{name}, {steps} steps: {measures.psnr(many, few)} dB, R@1 {judged['r1']}, Fréchet {judged['frechet']}", flush=True)


if __name__ == "__main__":
    main()
