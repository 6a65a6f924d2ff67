#!/usr/bin/env python3
"""Small text files of every kind, made up, and cuts of real ones where the sample folder is there: corpus.py OUT [SAMPLES]"""
import pathlib, struct, sys

out = pathlib.Path(sys.argv[1])
samples = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path("none")


def write(reader, name, data):
    folder = out / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def table(title, rows):
    return f"{title}\nYcm\tROW\t\n" + "".join(f"{y}\t{i}\t" + "\t".join(map(str, r)) + "\n" for i, (y, r) in enumerate(rows)) + "\tCOL\t1\t2\t3\n\tXcm\t-0.5\t0\t0.5\n"


rows = [(0.5, [1, 0, 2]), (0, [0, 3, 0]), (-0.5, [4, 0, 5])]
write("mapcheck", "small", "** MapCHECK\n" + table("Calibration Factors", rows) + table("Dose Counts", rows) + table("Dose Interpolated", rows))
write("mcc", "small", "BEGIN_SCAN_DATA\n" + "".join(f"BEGIN_SCAN {i}\nSCAN_OFFAXIS_INPLANE={10 * i}\nMEAS_UNIT=GY\nBEGIN_DATA\n\t-10\t1\t#1\n\t0\t2\t#2\nEND_DATA\nEND_SCAN\n" for i in range(3)) + "END_SCAN_DATA\n")
write("opg", "small", "<opimrtascii>\nData Factor: 1.0\nData Unit: cGy\nLength Unit: mm\n<asciibody>\nPlane Position: 0 mm\nX[mm]\t-1\t0\t1\nY[mm]\n-1\t1\t2\t3\n0\t4\t5\t6\n</asciibody>\n")
write("xio", "small", "0001108e\nDoseUnits, Gy\nUpperleft,-1.0,5.0\nDosePtsxy,3,2\nDoseResmm,1.0\n1,2,3,\n4,5,6,\n")
write("csv", "comma", "1,2,3\n4,5,6\n")
write("csv", "tabs", "# film\n1.5\t2\n3\tnan\n")
write("openkbp", "dose", ",data\n5,1.25\n6,2.5\n2097151,3\n")
write("openkbp", "mask", ",data\n5,\n6,\n")
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
header += " " * (118 - len(header) - 1) + "\n"
write("npy", "small", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<6f", *range(6)))
columns = ["Time (s)", "Linac State/Actual Value (None)", "Actual Dose Rate/Actual Value (Mu/min)", "Step Dose/Actual Value (Mu)"]
items = [("Step Gantry", "deg"), ("Step Collimator", "deg"), ("Table Isocentric", "deg"), ("X1 Diaphragm", "mm"), ("X2 Diaphragm", "mm")] + [(f"Y{b} Leaf {i}", "mm") for b in (1, 2) for i in range(1, 81)]
for name, unit in items:
    columns += [f"{name}/Scaled Actual ({unit})", f"{name}/Positional Error ({unit})"]
log = "Version = 1\nLinac Id = 1\nTreatment Name = x\n\n" + ",".join(columns) + "\n"
for k in range(3):
    log += ",".join([str(0.04 * k), "Radiation On", "600", str(k)] + ["1.5", "0.1"] * len(items)) + "\n"
write("log", "small", log)
for reader in ("rtplan", "rtdose"):
    (out / reader).mkdir(parents=True, exist_ok=True)

for reader, pattern, most in [("rtplan", "rtplan/*.dcm", 40000), ("rtdose", "rtdose/*.dcm", 20000), ("rtdose", "yagit/*.dcm", 20000)]:
    for f in sorted(samples.glob(pattern)):
        if f.stat().st_size <= most:
            write(reader, f.name.replace(" ", "_"), f.read_bytes())
for reader, name, lines in [("mapcheck", "SNCTest10x10.txt", 80), ("mcc", "PTWTest20x20.mcc", 150), ("opg", "IBATest20x20.opg", 85), ("xio", "XiO-Patient-0.txt", 17)]:
    f = samples / "detector" / name
    if f.exists():
        write(reader, name, b"".join(f.read_bytes().splitlines(True)[:lines]))
