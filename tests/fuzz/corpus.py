#!/usr/bin/env python3
"""Further small files for the fuzzer, beside the readers' own examples: made up ones, and cuts of real ones where the sample folder is there: corpus.py OUT [SAMPLES]"""
import pathlib, sys

out = pathlib.Path(sys.argv[1])
samples = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path("none")


def write(reader, name, data):
    folder = out / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


write("csv", "tabs", "# film\n1.5\t2\n3\tnan\n")
write("openkbp", "mask", ",data\n5,\n6,\n")

for reader, pattern, most in [("dicom_plan", "rtplan/*.dcm", 40000), ("dicom_dose", "rtdose/*.dcm", 20000), ("dicom_dose", "yagit/*.dcm", 20000)]:
    for f in sorted(samples.glob(pattern)):
        if f.stat().st_size <= most:
            write(reader, f.name.replace(" ", "_"), f.read_bytes())
for reader, name, lines in [("mapcheck", "SNCTest10x10.txt", 80), ("mcc", "PTWTest20x20.mcc", 150), ("opg", "IBATest20x20.opg", 85), ("xio", "XiO-Patient-0.txt", 17)]:
    f = samples / "detector" / name
    if f.exists():
        write(reader, name, b"".join(f.read_bytes().splitlines(True)[:lines]))
