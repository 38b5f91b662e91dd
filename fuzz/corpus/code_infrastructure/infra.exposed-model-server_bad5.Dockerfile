FROM python:3.12.1
RUN pip install mlflow
CMD ["mlflow", "server", "--host", "0.0.0.0"]
