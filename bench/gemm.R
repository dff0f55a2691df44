# Dense products: GF/s by shape, for every instruction set of this machine, and the probe of its multiply-adds; beside
# them R's %*%, which is the machine's BLAS. y = W x for W of m x k and 128 rows of data (a chunk of four blocks), and the
# gradient of W. The call from R, which allocates and clears the result, is in the time: read the small shapes with care.
#
# The package itself uses no BLAS: its figures do not depend on which one R has.
suppressMessages(library(bijectr))
shapes <- rbind(c(50, 4), c(8, 50), c(50, 50), c(104, 50), c(256, 32), c(64, 256), c(512, 64), c(128, 512), c(512, 512))
blocks <- 4L

rate <- function(f, flops) {
  inner <- max(1, round(2e6 / flops))
  times <- replicate(150, {
    begun <- Sys.time()
    for (i in seq_len(inner)) f()
    as.double(Sys.time() - begun, units = "secs")
  })
  flops * inner / min(times) * 1e-9
}

table <- NULL
for (i in seq_len(nrow(shapes))) {
  m <- shapes[i, 1]
  k <- shapes[i, 2]
  rows <- 32 * blocks
  w <- rnorm(m * k)
  x <- rnorm(rows * k)
  gy <- rnorm(rows * m)
  line <- c(m = m, k = k)
  for (isa in bijectr:::native_isa()) {
    options(bijectr.isa = isa)
    line[paste(isa, "W x")] <- rate(function() bijectr:::native_num_gemm("product", w, x, m, k, blocks), 2 * m * k * rows)
    line[paste(isa, "grad")] <- rate(
      function() bijectr:::native_num_gemm("weight_grad", gy, x, m, k, blocks), 2 * m * k * rows
    )
  }
  big_w <- matrix(w, m)
  big_x <- matrix(x, k)
  line["R's %*%"] <- rate(function() big_w %*% big_x, 2 * m * k * rows)
  table <- rbind(table, line)
}
rownames(table) <- rep("", nrow(table))
print(round(table, 1))
for (isa in bijectr:::native_isa()) {
  options(bijectr.isa = isa)
  cat(sprintf("%s: %.1f GF/s of multiply-adds\n", isa, bijectr:::native_probe("fma", 500L)))
}
library_file <- getLoadedDLLs()[["bijectr"]][["path"]]
bytes <- readBin(library_file, "raw", file.size(library_file))
bytes[bytes == 0] <- as.raw(10)
cat("Names of BLAS routines in the package's library:", sum(grepl("d(gemm|gemv|ger|syrk|axpy)_", rawToChar(bytes))), "\n")
