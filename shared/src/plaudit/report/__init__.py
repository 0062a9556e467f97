"""Reading run directories and writing report.html."""

from plaudit.report.files import RunFiles, read_run, read_summary
from plaudit.report.render import REPORT_NAME, render_report, write_report

__all__ = ["REPORT_NAME", "RunFiles", "read_run", "read_summary", "render_report", "write_report"]
