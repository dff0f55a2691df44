# A training whose rows come from the blocks of a source. What the core trains on is a buffer of rows that changes:
#
#   pass s over the source takes the blocks in an order of its own, that of hashes of their numbers by (seed, s); their
#   training rows, one block after the other, are cut into buffers of equal size, a multiple of the batch, but for the
#   last; a buffer is an epoch of the core, which shuffles its rows by (seed, epoch).
#
# Of several ranks each takes some lanes (core/train-rows.c): a buffer is in as many lanes as there were ranks when the
# fit was begun, one after the other, and a rank reads the rows of its lanes alone.
#
# So where a training stands is in its state alone, and it goes on from there to the bit. The held-out rows are the same
# all along and stay in memory before those of the buffer.

# What a training needs of a stream, list(stream, flow, outer, held_out, rows, batch, size, buffers, steps, share):
# `size` rows a buffer, `buffers` and `steps` a pass over the source, `held_out` list(data, condition) as the training
# has them, `rows` those of training_rows(), `outer` the column layer that is not trained, `share` that of this rank.
plan_stream <- function(stream, flow, space, condition, rows, control, lanes = current_cluster()$size %||% 1) {
  held_out <- rows$validation
  train <- stream$n - length(held_out)
  batch <- min(control$batch_size, train)
  size <- batch * max(1, floor(lanes * buffer_rows(stream$source$memory, flow) / batch))
  list(
    share = rank_share(current_cluster(), lanes),
    stream = stream, flow = flow, outer = last_support_layer(flow$layers$layers),
    held_out = list(data = columns_at(space$data, held_out), condition = columns_at(condition, held_out)),
    rows = training_rows(stream, held_out), batch = batch, size = size, buffers = ceiling(train / size),
    steps = ceiling(train / batch)
  )
}

# A buffer is a quarter of what the source may take: beside it there are the block that is read, its columns as they
# came, and the next buffer while it is put together.
buffer_rows <- function(memory, flow) floor(memory * 2^20 / 4 / (8 * (flow$d + flow$d_condition)))

# list(count, out): how many rows to train on each block has, and the numbers in it, from 1, of those that are held out.
training_rows <- function(stream, held_out) {
  first <- cumsum(c(0, stream$rows))
  number <- sort(stream$number[held_out])
  block <- findInterval(number, first, left.open = FALSE)
  out <- split(number - first[block] + 1, factor(block, seq_along(stream$rows)))
  list(count = stream$rows - lengths(out), out = unname(out))
}

# The settings of a training in these terms, for what data_setup() gives.
stream_setup <- function(setup, plan, control) {
  steps <- budget_steps(control, plan$steps)
  setup[c("max_step", "max_epoch", "schedule_steps")] <- list(steps, 0, steps)
  setup$record_every <- steps_per_record(steps)
  setup$batch_size <- plan$batch
  setup$validate_every <- control$validate_every %||% plan$steps
  setup$validation_row <- seq_along(setup$validation_row) - 1L
  setup$feed <- stream_feed(plan)
  setup
}

# What brings a training its rows, list(rows, end, size): `rows(setup, state)` puts those in which a state stands into
# the settings, `size` at the most; `end()` ends what is under way for the next ones.
stream_feed <- function(plan) {
  at <- -1
  buffer <- NULL
  blocks <- block_reader(plan)
  ahead <- read_ahead(plan)
  held <- length(plan$held_out$data[[1]])
  rows <- function(setup, state) {
    epoch <- state$counters[["epoch"]]
    if (epoch != at) {
      buffer <<- NULL # its room is for the next one
      setup[c("data", "condition")] <- list(NULL)
      buffer <<- ahead$take(epoch) %||% read_buffer(plan, blocks, epoch, state$seed)
      at <<- epoch
      more <- setup$max_step - state$counters[["step"]] > ceiling(buffer$n / plan$batch)
      if (more) ahead$begin(epoch + 1, state$seed)
    }
    if (!is.null(plan$share)) setup$share <- c(plan$share, list(n = buffer$n, sum = setup$share$sum))
    setup$data <- buffer$data
    setup["condition"] <- list(buffer$condition)
    setup$train_row <- held + seq_len(buffer$here) - 1L
    setup$pause_epoch <- epoch + 1
    setup
  }
  list(rows = rows, end = ahead$end, size = plan$size)
}

# list(begin, take, end) of the buffer that is read ahead while the core works, by a worker of the user's plan of the
# future package, with connections of its own: forks of a process of this size took longer than the reading. What a
# worker has not brought, for whatever reason, take() gives as NULL, and it is read here.
read_ahead <- function(plan) {
  job <- NULL
  of <- NULL
  can <- !is.null(plan$stream$source$reopen) && has_future_plan()
  plan$stream$table <- plan$stream$table[1, , drop = FALSE] # which goes to the worker
  begin <- function(epoch, seed) {
    if (!can) return()
    job <<- future::future(read_elsewhere(plan, epoch, seed),
      packages = "bijectr", seed = NULL,
      globals = list(read_elsewhere = read_elsewhere, plan = plan, epoch = epoch, seed = seed)
    )
    of <<- epoch
  }
  take <- function(epoch) {
    if (is.null(job)) return(NULL)
    got <- tryCatch(future::value(job), error = function(e) NULL)
    job <<- NULL
    if (epoch == of) got
  }
  list(begin = begin, take = take, end = function() take(of))
}

read_elsewhere <- function(plan, epoch, seed) {
  plan$stream$source <- plan$stream$source$reopen()
  on.exit(if (!is.null(plan$stream$source$close)) plan$stream$source$close())
  read_buffer(plan, block_reader(plan), epoch, seed)
}

# What is here of buffer number `epoch`, of all from 0: list(data, condition, here, n), `n` the rows of the whole.
read_buffer <- function(plan, blocks, epoch, seed) {
  pass <- epoch %/% plan$buffers
  k <- epoch %% plan$buffers
  order <- order(native_row_hash(pass * length(plan$rows$count), length(plan$rows$count), seed))
  end <- cumsum(plan$rows$count[order])
  start <- end - plan$rows$count[order]
  from <- k * plan$size
  n <- min(from + plan$size, end[length(end)]) - from
  lanes <- plan$share %||% list(lane = 0, lane_end = 1, n_lane = 1)
  to <- from + (n * lanes$lane_end) %/% lanes$n_lane
  from <- from + (n * lanes$lane) %/% lanes$n_lane
  parts <- lapply(which(end > from & start < to), function(j) {
    taken <- (max(from, start[j]) - start[j] + 1):(min(to, end[j]) - start[j])
    block <- blocks(order[j])
    list(data = columns_at(block$data, taken), condition = columns_at(block$condition, taken))
  })
  joined <- function(side) {
    of <- c(list(plan$held_out), parts)
    if (length(plan$held_out[[side]])) {
      lapply(seq_along(plan$held_out[[side]]), function(j) {
        unlist(lapply(of, function(part) part[[side]][[j]]), use.names = FALSE)
      })
    }
  }
  list(data = joined("data"), condition = joined("condition"), here = to - from, n = n)
}

# A function that gives the training rows of block i, as list(data, condition). The last one stays: the end of one
# buffer and the beginning of the next are of the same block.
block_reader <- function(plan) {
  stream <- plan$stream
  kept <- 0
  block <- NULL
  function(i) {
    if (i == kept) return(block)
    table <- read_block(stream$source, i, stream$columns, stream$table[1, , drop = FALSE])
    if (NROW(table) != stream$rows[i]) {
      stop_block(stream$source, i, "it has {NROW(table)} row{?s}, and had {stream$rows[i]} when it was first read")
    }
    out <- plan$rows$out[[i]]
    if (length(out)) table <- table[-out, , drop = FALSE]
    block <<- in_block(stream$source, i, encoded_block(plan, table))
    kept <<- i
    block
  }
}

# What a fit takes in, without the column layer that is not trained; conditions beyond those that were learned from are
# to be expected.
encoded_block <- function(plan, table) {
  suppressWarnings(at <- take_in(plan$flow, table, "data"), classes = "bijectr_warning_extrapolation")
  off <- which(at$off %||% FALSE)
  if (length(off)) stop_arg("Row {off[1]} of {.arg data} has no density under what was learned of the columns.")
  line <- on_the_line(at$points, plan$outer)$data
  list(data = columns_at(line, seq_len(at$n)), condition = columns_at(at$condition, seq_len(at$n)))
}

# Fields of the evaluation, which is that of the rows in memory: the log likelihood of all rows is estimated by theirs.
stream_evaluation <- function(evaluate, stream) {
  force(list(evaluate, stream))
  function(fit) {
    found <- evaluate(fit)
    found$loglik <- found$loglik * (stream$n / nrow(stream$table))
    found
  }
}
