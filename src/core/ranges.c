/* Long vectors of parameters, range by range: what is done to a range one thing after the other stays in cache, and
 * ranges go to threads. Short vectors are one range. See flow.h. */
#include "flow.h"

typedef struct {
  long n;
  void (*task)(void *arg, long first, long end);
  void *arg;
} ranges;

static void ranges_one(void *arg, int index) {
  const ranges *all = arg;
  const long first = index * RANGE_SIZE, left = all->n - first;
  all->task(all->arg, first, first + (left < RANGE_SIZE ? left : RANGE_SIZE));
}

static int ranges_count(long n) { return n < 2 * RANGE_SIZE ? 1 : (int)((n + RANGE_SIZE - 1) / RANGE_SIZE); }

static void ranges_run(const bj_workers *workers, int threaded, long n, void (*task)(void *arg, long first, long end),
                       void *arg) {
  const int count = ranges_count(n);
  ranges all = {n, task, arg};
  if (count == 1) {
    task(arg, 0, n);
  } else {
    tasks_run(workers, threaded, count, ranges_one, &all);
  }
}
