# The README's two commands on the CPU, as a user without rights:
#   docker build -t cptlab .
# (on Linux --build-arg PIP_EXTRA_INDEX_URL=... with torch's index for the CPU saves some gigabytes)
#   docker run --name study cptlab && docker cp study:/study/figures/demo .
#   docker run --rm cptlab make test
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 cptlab \
    && install --directory --owner=1000 --group=1000 /study
USER 1000:1000
WORKDIR /study

ARG PIP_EXTRA_INDEX_URL=
# downloads stay out of the image
ENV PIP_NO_CACHE_DIR=1
COPY --chown=1000:1000 . .
RUN make env

CMD ["make", "figures"]
