#!/usr/bin/env python3
"""make_package.py FOLDER: compiles the network of scripted.pt by AOTInductor into packages, encoder.pt2 with a dynamic
number of records and fixed.pt2 for five of them. Tests run them where EQUIPOISE_PACKAGES names the folder. A package fits
the machine that made it, so none is checked in. Needs torch 2.13 with its dependencies and a C++ compiler."""
import pathlib, sys

import torch
from make_reference import Script, filled, input_of

net, folder = filled(Script()), pathlib.Path(sys.argv[1])
for name, shapes in (("encoder", ({0: torch.export.Dim("records")},)), ("fixed", None)):
    if (folder / f"{name}.pt2").exists():
        continue
    with torch.no_grad():
        program = torch.export.export(net, (input_of("columns", 5, 4),), dynamic_shapes=shapes)
        torch._inductor.aoti_compile_and_package(program, package_path=str(folder / f"{name}.pt2"))
