# One image for every process of ours; compose.yaml says which one a container runs.
FROM python:3.12-slim
WORKDIR /app
COPY requirements/base.txt requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .
ENV PYTHONPATH=/app
ENTRYPOINT ["python", "-m", "countinghouse"]
