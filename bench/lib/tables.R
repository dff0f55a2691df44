# Tables of numbers that R and its packages have.
numbers <- function(x) {
  x <- as.data.frame(x)
  x <- x[vapply(x, is.numeric, NA)]
  as.matrix(x[stats::complete.cases(x), , drop = FALSE])
}
of_package <- function(package, name, columns = NULL) {
  function() {
    envir <- new.env()
    utils::data(list = name, package = package, envir = envir)
    x <- envir[[name]]
    numbers(if (is.null(columns)) x else x[columns])
  }
}
tables <- list(
  geyser = of_package("MASS", "geyser"), crabs = of_package("MASS", "crabs", 4:8),
  USArrests = of_package("datasets", "USArrests"), trees = of_package("datasets", "trees"),
  attitude = of_package("datasets", "attitude"), swiss = of_package("datasets", "swiss"),
  stackloss = of_package("datasets", "stackloss"), mtcars = of_package("datasets", "mtcars", c(1, 3:7)),
  glass = of_package("mlbench", "Glass", 1:5), vowel = of_package("mlbench", "Vowel", 2:10),
  vehicle = of_package("mlbench", "Vehicle", 1:18),
  diamonds = function() {
    x <- of_package("ggplot2", "diamonds", c(1, 5:10))()
    set.seed(1)
    x[sample(nrow(x), 5000), ]
  },
  faithful = of_package("datasets", "faithful"), iris = of_package("datasets", "iris"),
  quakes = of_package("datasets", "quakes"), airquality = of_package("datasets", "airquality", 1:4),
  rock = of_package("datasets", "rock"), banknote = of_package("mclust", "banknote")
)
