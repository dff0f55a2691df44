# The data end of a flow: what stands between the data and the trained layers. From the data on: supports, robust
# scales, tails, whitening; the last alone where columns need no more.

# Of encoded data, as list(layers, start, found, line): the layers, from base to data; start(flow), which gives a flow
# that ends in them the parameters that they start from; centre and root of the columns on the line; and these columns.
# `earlier`: a flow that brings a data end of its own. `auto`: whether supports and tails are looked for.
data_end <- function(data, rows, weights, rules, auto, earlier = NULL) {
  outer <- if (is.null(earlier)) {
    given <- given_supports(rules$support, rules$lower, rules$upper, n_columns(data), column_names(data))
    auto_support <- auto || identical(rules$support, "auto")
    support_layer(find_supports(data, given, auto_support, rows, weights))
  } else {
    if (!all(vapply(rules[c("support", "lower", "upper")], is.null, NA)) && !identical(rules$support, "real")) {
      stop_arg("{.arg support} was given, but {.arg layers} is a flow that has been fitted, with its own.")
    }
    last_support_layer(earlier$layers$layers)
  }
  line <- if (is.null(outer)) data else on_the_line(data, outer)$data
  found <- center_and_root(line, rows, weights, rules$standardize)
  start <- function(flow) flow
  layers <- if (is.null(earlier)) c(list(standardizing_layer(found, rules$standardize)), list(outer)[!is.null(outer)])
  list(layers = as.list(layers), start = start, found = found, line = line)
}
