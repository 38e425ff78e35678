# What can be done with a checkout; `make` alone lists it.
# Ours where bin/setup has fetched one: the system's may not fit our Node.
NPM = $(if $(wildcard .tools/npm/bin/npm-cli.js),node .tools/npm/bin/npm-cli.js,npm)
export PATH := $(CURDIR)/.tools/node/bin:$(PATH)

.PHONY: help build test lint typecheck unused unit integration page simulation deploy fault audit demo bench chaos continuity manifests sbom clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16
	@echo '  make lint, typecheck, unused, unit, integration, page, simulation, deploy, fault: one part of the test alone'

build: ## install what is missing, so that bin/farlog runs
	@bin/setup run

test: ## all checks, unit tests, and integration tests against real Kafka
	@bin/setup test
	@node test/support/run-checks.ts

lint typecheck unused unit integration page simulation deploy fault:
	@bin/setup test
	@node test/support/run-checks.ts $@

audit: ## known vulnerabilities of the dependencies (asks the registry's advisory endpoint)
	@bin/setup run
	$(NPM) audit --omit=dev
	$(NPM) audit

demo: ## two clusters and a mirror between them, to watch (KEEP=1 leaves it running)
	@bin/setup demo
	@node test/demo/demo.ts

bench: ## farlog beside MirrorMaker 2 and others, 15 minutes (CASE=lz4: one case alone)
	@bin/setup test
	@CASE=$(CASE) node bench/bench.ts

chaos: ## faults of all kinds drawn from a seed, every record judged (SEED=7 MINUTES=10)
	@bin/setup test
	@node test/chaos/chaos.ts

continuity: ## a consumer group failed over at random instants, beside MirrorMaker 2 (SEED=7 FAILOVERS=20)
	@bin/setup test
	@node test/continuity/continuity.ts

manifests: ## render deploy/kubernetes anew from the chart
	@bin/setup test
	@node test/deploy/plain-manifests.ts

sbom: ## write farlog.cdx.json: the npm packages in the image, as CycloneDX
	@bin/setup run
	@node test/deploy/sbom.ts farlog.cdx.json

clean: ## remove everything that was installed into the checkout
	rm -rf node_modules .tools
