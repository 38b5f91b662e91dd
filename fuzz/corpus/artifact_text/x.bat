@echo off
powershell -enc ZQBjAGgAbwA=
