# `make demo` and `make test` start from nothing but make: see tools/install-deps.sh. The package goes into .lib/.
# Other targets expect the tools they name.

export R_LIBS := $(CURDIR)/.lib
export ONE

.PHONY: demo test check document lint format sanitize valgrind gctorture bench vignettes figures logo spelling \
  links site check-extending core-check core-check-arm float alone fuzz clean

demo: # fit a flow to the faithful data; writes demo-density.png
	@sh tools/install-deps.sh demo
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/demo.R

test: # the test suite; FILTER=planar runs the files whose names match, ONE=avx2 compiles for one instruction set
	@sh tools/install-deps.sh test
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/test.R "$(FILTER)"

check: # R CMD check --as-cran, tests included
	@bash tools/check.sh

document: # NAMESPACE and man/ from the roxygen comments, src/Makevars from the files there are; compiles nothing
	@sh tools/makevars.sh
	@Rscript --vanilla -e 'roxygen2::roxygenise(load_code = roxygen2::load_source)'

lint: # house rules, formatting of C, lintr where it is installed
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/lint/run.R
	@sh tools/format.sh check
	@Rscript --vanilla tools/lintr.R

format: # clang-format over src/
	@sh tools/format.sh

sanitize: # the tests under gcc's address and undefined-behaviour sanitizers
	@bash tools/sanitize.sh "$(FILTER)"

valgrind: # the tests under valgrind
	@bash tools/valgrind.sh "$(FILTER)"

gctorture: # the tests with R's collector forced inside every native call; slow, use FILTER
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/gctorture.R "$(FILTER)"

bench:
	@sh tools/install.sh .lib
	@for f in bench/*.R; do echo "== $$f"; Rscript --vanilla "$$f" || exit 1; done

vignettes: # renders them into doc/; FILTER=layers renders those whose names match, FULL=1 computes long runs anew
	@sh tools/install.sh .lib
	@BIJECTR_FULL=$(FULL) Rscript --vanilla tools/vignettes.R "$(FILTER)"

figures: # those of README.md
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/figures.R

logo: # man/figures/logo.svg and logo.png, and the icons of the website
	@Rscript --vanilla tools/logo.R

spelling: # of help pages, vignettes and the pages beside them
	@Rscript --vanilla tools/spelling.R

links: # whether every link of help pages, vignettes and the pages beside them leads somewhere; needs no network
	@Rscript --vanilla tools/links.R

site: # the website, by pkgdown, into docs/; needs no network
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/site.R

check-extending: # does in a copy of the sources what vignettes/extending.Rmd says; SAVE=1 stores what it shows
	@Rscript --vanilla tools/check-extending.R $(if $(SAVE),save)

fuzz: # damages flows and fits and hands them to the public functions; INPUTS=100000 SEED=2
	@sh tools/install.sh .lib
	@Rscript --vanilla tools/fuzz.R $(or $(INPUTS),10000) $(or $(SEED),1)

float: # whether the core compiles in single precision
	@bash tools/core-float.sh

alone: # whether every file of the core includes what it uses
	@bash tools/core-alone.sh

core-check: # the core without R
	@bash tools/core-check.sh

core-check-arm: # the same for Arm, under an emulator
	@bash tools/core-check-arm.sh

clean:
	rm -rf .lib .lib-* .check doc demo-density.png
	rm -f src/*.o src/*.so src/*.dll
