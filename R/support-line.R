# Behind supports: columns on the line, where flows are trained and closed forms work.

# Columns taken to the line by a support layer, list(data, slope): `slope` is a function of row numbers, the mean sum of
# log-derivatives there. Without such a layer, NULL, all stays as it is.
on_the_line <- function(data, layer) {
  slope <- 0
  for (j in seq_along(layer$scalar)) {
    if (is.null(layer$scalar[[j]]$lower) && is.null(layer$scalar[[j]]$upper)) next
    map <- with_seed(1, new_flow(layer_elementwise(layer$scalar[j]), 1L, base_normal(), 0L))
    moved <- native_map(map, list(column(data, j)), NULL, inverse = TRUE)
    slope <- slope + moved$logdet
    value <- moved$value
    rm(moved)
    dim(value) <- NULL
    collect_garbage(data)
    if (is.list(data)) data[[j]] <- value else data[, j] <- value
  }
  list(data = data, slope = slope)
}

# And back, list(value, logdet).
from_the_line <- function(z, layer) {
  if (is.null(layer)) return(list(value = z, logdet = 0))
  native_map(with_seed(1, new_flow(layer, ncol(z), base_normal(), 0L)), z, NULL, inverse = FALSE)
}

# Where a flow with a support layer is trained: list(flow, data, shift), the flow without that layer. The map is made
# once, not at every step, and noise leads nowhere out of the support. `shift` is what the change of units adds to the
# mean negative log density of training and of held-out rows. Without such a layer `flow` and `shift` are NULL.
# `mapped`: where data_end() has made the map already.
training_space <- function(flow, data, rows, weights, loss, mapped = on_the_line(data, outer)) {
  layers <- flow$layers$layers
  outer <- last_support_layer(layers)
  if (is.null(outer)) return(list(flow = NULL, data = data, shift = NULL))
  inner <- as_flow(flow)
  inner$layers$layers <- layers[-length(layers)]
  shift <- if (identical(loss$kind, "maximum_likelihood")) {
    -vapply(rows[c("train", "validation")], function(i) mean_of_rows(mapped$slope, i, weights), 0)
  }
  list(flow = inner, data = mapped$data, shift = shift)
}

mean_of_rows <- function(x, i, weights) {
  if (!is.null(weights)) i <- i[weights[i] > 0]
  if (!length(i)) return(0)
  if (is.null(weights)) mean(x[i]) else stats::weighted.mean(x[i], weights[i])
}
