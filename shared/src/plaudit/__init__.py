"""What every Plaudit service and every outside user of one shares."""

__version__ = "0.1.0"
