# Raw parameters of bases from plain numbers, for what fits them by other means than gradients: one flat vector in the
# order of the core. A root is the lower triangular L of a covariance or scale matrix L L', with a positive diagonal;
# what stands above the diagonal is not read.

raw_mvnormal <- function(mean, root) c(mean, raw_root(root))

raw_mvstudent_t <- function(mean, root, df) c(mean, raw_root(root), inverse_softplus(df))

# `mean` has one row a component, `roots` is an array d x d x components. A weight of 0 becomes one of 1e-300.
raw_gaussian_mixture <- function(weight, mean, roots) {
  c(log(pmax(weight / sum(weight), 1e-300)), mean, apply(roots, 3, raw_root))
}

raw_root <- function(root) {
  root <- as.matrix(root)
  diagonal <- inverse_softplus(diag(root))
  root[upper.tri(root, diag = TRUE)] <- 0
  diag(root) <- diagonal
  as.vector(root)
}

# The x for which softplus(x) is y > 0: log(exp(y) - 1), without overflow for large y or cancellation for small y.
inverse_softplus <- function(y) ifelse(y < 0.5, log(expm1(y)), y + log1p(-exp(-y)))
