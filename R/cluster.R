#' Processes that fit together under MPI
#'
#' `mpirun -n 4 Rscript fit.R` runs a script in four processes, the ranks 0 to 3, and [fit_flow()] in it trains one flow
#' with all of them: each takes its share of the rows of a batch, and the gradients are added up. Nothing in the script
#' changes, and it runs without MPI as well. `mpi_cluster()` tells a script which of the processes it is.
#'
#' @section What ranks share:
#' * A training on rows: batches are those of one process. The gradient is the same up to rounding, so that the result
#'   is the same up to that, too, and bit for bit from run to run with as many ranks. Every rank has the whole table in
#'   memory, or reads its part of a [data_source()], of which each rank holds a buffer of its own. It pays where a step
#'   takes a millisecond and more: see `vignette("many-machines")`.
#' * Stacks: the flows of a stack are shared out, each is fitted by one rank, with the bits of one process.
#' * All else, fits to log densities among it, is done by every rank, with the same result (but where `seconds` end it).
#'
#' All ranks run the whole script, and each has the result. So they must call `fit_flow()` with the same arguments in
#' the same order; they begin with the random numbers of rank 0. What the script prints or writes is printed and written
#' by all, unless it asks: `if (mpi_cluster()$rank == 0) saveRDS(fit, "fit.rds")`. Bars of progress, checkpoints and the
#' calls of `callback` are those of rank 0. Each rank uses as many threads as the machine has processors for each of its
#' ranks, two at the most, unless `options(bijectr.threads =)` says so.
#'
#' @section Failures:
#' An error or an interrupt of one rank ends the training of all at the same step: on the other ranks it is an error of
#' class `bijectr_error_rank` that names the rank and its error. Each has the training so far, as in the section on
#' errors of [fit_flow()], and rank 0 has written the `checkpoint`. An error that the script does not catch ends all
#' processes. So does a process that is killed: `mpirun` sees to it. The last checkpoint is whole, and
#' [resume()] goes on from it with any number of ranks, or without MPI. Every 1000 steps ranks compare their parameters,
#' which are the same to the bit; where they are not, as on processors of different kinds, that is an error of that
#' class, too.
#'
#' @section Setting up: Debian has all it needs in `r-cran-rmpi` and `libopenmpi-dev`. The package pbdMPI does as well.
#'   Without either of them ranks know nothing of each other, and each fits for itself, which is said in a warning of
#'   class `bijectr_warning_cluster`. `fit_flow(cluster = FALSE)`, see [fit_control()], and `options(bijectr.cluster =
#'   FALSE)` do so on purpose: for a fit that not all ranks make, as one of several fits that a script shares out.
#'   Processes that a rank starts, as workers of the future package, are no ranks.
#' @return A list of class `bijectr_cluster`: `rank`, the number of this process from 0 on; `size`, how many there are;
#'   `here`, how many of them are on this machine; `engine`, the package that passes messages; and its functions `sum`
#'   (of a numeric vector over all processes, elementwise) and `gather` (of any object: a list of those of all), which
#'   all ranks must call; `parts` is `sum` as the training uses it. Without MPI `rank` is 0 and `size` and `here` are 1.
#' @seealso [fit_control()], [data_source()]
#' @family training
#' @examples
#' ranks <- mpi_cluster()
#' if (ranks$rank == 0) cat("one of", ranks$size, "\n")
#' @export
mpi_cluster <- function() {
  current_cluster() %||% new_cluster("none", 0L, 1L, 1L, identity, list)
}

# `parts(x)`: sums, or the numbers of all ranks one after the other, for the core, which adds these up in that order.
new_cluster <- function(engine, rank, size, here, sum, gather, parts = sum) {
  structure(list(rank = rank, size = size, here = here, engine = engine, sum = sum, gather = gather, parts = parts),
    class = "bijectr_cluster"
  )
}

#' @export
print.bijectr_cluster <- function(x, ...) {
  cat("<cluster> rank ", x$rank, " of ", x$size, ", by ", x$engine, "\n", sep = "")
  invisible(x)
}

# ---- which ----------------------------------------------------------------------------------------------------------

# The ranks that fit together, NULL for a process alone. Option bijectr.cluster: FALSE for none, or another cluster.
current_cluster <- function() {
  said <- getOption("bijectr.cluster")
  if (isFALSE(said)) return(NULL)
  cluster <- if (inherits(said, "bijectr_cluster")) said else found_cluster()
  if (!is.null(cluster) && cluster$size > 1) cluster
}

# Whether this process speaks for all.
is_lead <- function() (current_cluster()$rank %||% 0) == 0

# Processes of this machine, by the variables of the launchers: of Open MPI, of MPICH and Intel, of Slurm.
RANK_VARIABLES <- list(
  size = c("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"),
  here = c("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE")
)

of_launcher <- function(what) {
  found <- suppressWarnings(as.integer(Sys.getenv(RANK_VARIABLES[[what]])))
  c(found[!is.na(found)], 1L)[1]
}

# How many processes were started together; those that a rank has started have its variables, but not its number.
launched_processes <- function() {
  if (!Sys.getenv("BIJECTR_RANK_PROCESS") %in% c("", Sys.getpid())) return(1L)
  of_launcher("size")
}

# Once a session, as messages are passed from then on until its end.
found_cluster <- local({
  known <- NULL
  function() {
    if (is.null(known)) known <<- list(if (launched_processes() > 1) start_cluster())
    known[[1]]
  }
})

start_cluster <- function() {
  Sys.setenv(BIJECTR_RANK_PROCESS = Sys.getpid())
  engine <- Filter(function(package) requireNamespace(package, quietly = TRUE), c("Rmpi", "pbdMPI"))
  if (!length(engine)) {
    cli::cli_warn(c("This is one of {of_launcher('size')} processes, which cannot fit together: neither Rmpi nor pbdMPI
        is installed.",
      i = "Each fits for itself."
    ), class = "bijectr_warning_cluster")
    return(NULL)
  }
  if (!interactive() && is.null(getOption("error"))) options(error = end_failed_rank)
  if (engine[1] == "Rmpi") rmpi_cluster() else pbdmpi_cluster()
}

# A process that ends counts as one that failed, and all others are killed, unless it says that it has ended well. That
# waits for all others to say so, too.
ends_well <- new.env()

say_at_end <- function(say) {
  force(say)
  reg.finalizer(ends_well, function(e) if (!isTRUE(e$failed)) say(), onexit = TRUE)
}

# What the script does not catch: the other ranks would wait for this one.
end_failed_rank <- function() {
  ends_well$failed <- TRUE
  quit(save = "no", status = 1, runLast = FALSE)
}

# ---- engines --------------------------------------------------------------------------------------------------------

# Not by `::`, for which R CMD check would load these packages: that begins MPI, and leaves a folder behind.
rmpi_cluster <- function() {
  mpi <- asNamespace("Rmpi")
  world <- 0
  rank <- mpi$mpi.comm.rank(world)
  size <- mpi$mpi.comm.size(world)
  gather <- function(object) {
    sent <- serialize(object, NULL)
    counts <- mpi$mpi.allgather(length(sent), 1, integer(size), comm = world)
    all <- mpi$mpi.allgatherv(sent, 4, raw(sum(counts)), counts, comm = world)
    end <- cumsum(counts)
    Map(function(first, last) unserialize(all[first:last]), end - counts + 1, end)
  }
  sum_all <- function(x) mpi$mpi.allreduce(as.double(x), type = 2, op = "sum", comm = world)
  # Rmpi makes a new vector of each sum, which for a large gradient costs R's collector ten times what the messages
  # take; what is gathered goes into one that is there
  room <- NULL
  parts <- function(x) {
    if (size > GATHERING_RANKS) return(sum_all(x))
    if (length(room) != size * length(x)) room <<- numeric(size * length(x))
    mpi$mpi.allgather(x, 2, room, comm = world)
  }
  say_at_end(mpi$mpi.finalize)
  new_cluster("Rmpi", rank, size, of_launcher("here"), sum_all, gather, parts)
}

# Of more ranks so many gradients would be more to move than what sums have to.
GATHERING_RANKS <- 8

pbdmpi_cluster <- function() {
  mpi <- asNamespace("pbdMPI")
  mpi$init()
  say_at_end(mpi$finalize)
  new_cluster("pbdMPI", mpi$comm.rank(), mpi$comm.size(), of_launcher("here"),
    sum = function(x) mpi$allreduce(as.double(x), op = "sum"),
    gather = function(object) lapply(mpi$allgather(serialize(object, NULL)), unserialize)
  )
}

# ---- what ranks do together -----------------------------------------------------------------------------------------

# What fit_flow() does first: `cluster` of the settings is that of the calling function, until it ends, and ranks begin
# with the random numbers of rank 0. Gives the other settings.
joined_settings <- function(settings, control = NULL, frame = parent.frame()) {
  said <- settings$cluster %||% control$cluster
  if (!is.null(said)) rlang::local_options(bijectr.cluster = check_cluster(said), .frame = frame)
  share_random(current_cluster())
  settings[names(settings) != "cluster"]
}

check_cluster <- function(cluster) {
  if (is.null(cluster) || isFALSE(cluster) || inherits(cluster, "bijectr_cluster")) return(cluster)
  stop_arg("{.arg cluster} must be {.code NULL}, {.code FALSE} or come from {.fn mpi_cluster}, not
    {.obj_type_friendly {cluster}}.")
}

share_random <- function(cluster) {
  if (is.null(cluster)) return()
  seed <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  if (is.null(seed)) {
    stats::runif(1)
    seed <- get(".Random.seed", envir = globalenv())
  }
  assign(".Random.seed", cluster$gather(if (cluster$rank == 0) seed)[[1]], envir = globalenv())
}

# The values of `expr` on all ranks, in their order; an error of one is one of all. Without a cluster a list of one.
on_all_ranks <- function(cluster, expr) {
  value <- tryCatch(expr, error = identity)
  failed <- inherits(value, "error")
  if (is.null(cluster)) return(if (failed) stop(value) else list(value))
  told <- cluster$gather(list(error = if (failed) conditionMessage(value), value = if (!failed) value))
  if (failed) stop(value)
  errors <- lapply(told, `[[`, "error")
  other <- which(!vapply(errors, is.null, NA))
  if (length(other)) stop(rank_error(other[1] - 1, errors[[other[1]]]))
  lapply(told, `[[`, "value")
}

# What rank 0 has, for what depends on its clock.
of_lead <- function(x) on_all_ranks(current_cluster(), x)[[1]]

rank_error <- function(rank, why) {
  rlang::error_cnd(c("bijectr_error_rank", "bijectr_error"),
    message = paste0("Rank ", rank, " of the cluster has ended in an error: ", why)
  )
}

# The share of rank r of the rows of a batch, for the core (core/share.h), whose rows are in so many lanes: all rows of
# some lanes, or with more ranks than lanes a part of the rows of one. NULL: all rows are taken here.
rank_share <- function(cluster, n_lane = 1) {
  if (is.null(cluster) && n_lane == 1) return(NULL)
  rank <- cluster$rank %||% 0
  size <- cluster$size %||% 1
  lane <- (rank * n_lane) %/% size
  first <- if (size > n_lane) ceiling(lane * size / n_lane) else rank
  end <- if (size > n_lane) ceiling((lane + 1) * size / n_lane) else rank + 1
  list(
    rank = rank, n_rank = size, n_lane = n_lane, lane = lane, part = rank - first, n_part = end - first,
    lane_end = if (size > n_lane) lane + 1 else ((rank + 1) * n_lane) %/% size
  )
}
