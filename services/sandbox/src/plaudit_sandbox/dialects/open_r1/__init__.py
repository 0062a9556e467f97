"""Open-R1's own packages for Piston: they judge a submission on one test and say so in words.

Source: https://github.com/guipenedo/piston (packages/cms_ioi, packages/codeforces), and what reads
them, https://github.com/huggingface/open-r1 (src/open_r1/utils/competitive_programming).
What differs: the submission and the checker are two runs, neither in reach of the other, and the
right output is beside the checker's only. CPU time counts, so that a busy machine fails nobody.
What the submission prints to standard error is not passed on. A checker that does not work is an
error of the request, not the submission's.
"""

from plaudit_sandbox.dialects.open_r1.codeforces import execute_cpp, execute_python
from plaudit_sandbox.dialects.open_r1.ioi import execute_ioi
from plaudit_sandbox.dialects.open_r1.package import VERSION, Execute, Package, Run

PACKAGES = (
    Package("cms_ioi", ("cms",), "cpp", execute_ioi),
    Package("c++17", ("cf_c++17",), "cpp", execute_cpp),
    Package("cf_python3", (), "python", execute_python),
)

__all__ = ["PACKAGES", "VERSION", "Execute", "Package", "Run"]
