/*
 * The physical limit: sends so many bytes in so many writes to so many sockets of this machine, evenly over a time, and does nothing else. A second process
 * reads them. A frame is one write to each socket of a board, one after the other, as a board's tick is. Prints the CPU seconds of the sender, and how long
 * after the time at which they were due the bytes were read: p50 and p99 in ms.
 *
 *   limit SOCKETS BOARD-SIZE SECONDS FRAMES BYTES [SENDER-CORE READER-CORE]
 *
 * FRAMES are of all boards together, BYTES of one write.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 1000000 /* of 10 us: up to 10 s */

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void stay_on(const char *core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(atoi(core), &set);
  if (sched_setaffinity(0, sizeof set, &set)) fail("sched_setaffinity");
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double quantile(const uint32_t *counts, uint64_t total, double part) {
  uint64_t left = (uint64_t)(total * part);
  for (int bucket = 0; bucket < BUCKETS; bucket++) {
    if (counts[bucket] > left) return (bucket + 1) / 100.0;
    left -= counts[bucket];
  }
  return BUCKETS / 100.0;
}

/* Each write begins with the time at which it was due. A read may hold several. */
static void read_all(int *sockets, int count, size_t size) {
  int poll = epoll_create1(0);
  size_t *had = calloc(count, sizeof *had);
  char *partly = calloc(count, 8);
  uint32_t *counts = calloc(BUCKETS, sizeof *counts);
  uint64_t total = 0;
  char buffer[65536];
  for (int nth = 0; nth < count; nth++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = nth};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[nth], &event)) fail("epoll_ctl");
  }
  for (int open = count; open > 0;) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, -1);
    for (int at = 0; at < ready; at++) {
      uint32_t nth = events[at].data.u32;
      ssize_t got = read(sockets[nth], buffer, sizeof buffer);
      if (got <= 0) {
        close(sockets[nth]);
        open--;
        continue;
      }
      int64_t now = now_ns();
      for (ssize_t byte = 0; byte < got;) {
        if (had[nth] < 8) {
          partly[nth * 8 + had[nth]] = buffer[byte++];
          if (++had[nth] == 8) {
            int64_t due;
            memcpy(&due, partly + nth * 8, 8);
            int64_t bucket = (now - due) / 10000;
            counts[bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : bucket]++;
            total++;
          }
        } else {
          size_t rest = size - had[nth];
          size_t skipped = rest < (size_t)(got - byte) ? rest : (size_t)(got - byte);
          had[nth] += skipped;
          byte += skipped;
        }
        if (had[nth] == size) had[nth] = 0;
      }
    }
  }
  printf("%.2f %.2f\n", quantile(counts, total, 0.5), quantile(counts, total, 0.99));
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 6 && argc != 8) {
    fprintf(stderr, "usage: limit SOCKETS BOARD-SIZE SECONDS FRAMES BYTES [SENDER-CORE READER-CORE]\n");
    return 64;
  }
  int count = atoi(argv[1]), board = atoi(argv[2]);
  double seconds = atof(argv[3]);
  int64_t frames = atoll(argv[4]);
  size_t size = atoll(argv[5]) < 8 ? 8 : atoll(argv[5]);
  int boards = count / board;
  if (boards < 1 || frames < 1 || seconds <= 0) fail("nothing to do");

  int *senders = calloc(count, sizeof *senders), *readers = calloc(count, sizeof *readers);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 128)) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  for (int nth = 0; nth < count; nth++) {
    readers[nth] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(readers[nth], (struct sockaddr *)&address, length)) fail("connect");
    senders[nth] = accept(listener, NULL, NULL);
    if (senders[nth] < 0) fail("accept");
    setsockopt(senders[nth], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }

  pid_t reader = fork();
  if (reader < 0) fail("fork");
  if (reader == 0) {
    if (argc == 8) stay_on(argv[7]);
    for (int nth = 0; nth < count; nth++) close(senders[nth]);
    read_all(readers, count, size);
    return 0;
  }
  if (argc == 8) stay_on(argv[6]);
  for (int nth = 0; nth < count; nth++) close(readers[nth]);

  char *bytes = calloc(1, size);
  int64_t started = now_ns();
  double cpu_before = cpu_seconds();
  for (int64_t frame = 0; frame < frames; frame++) {
    int64_t due = started + (int64_t)(frame * seconds * 1e9 / frames);
    struct timespec at = {due / 1000000000LL, due % 1000000000LL};
    if (due > now_ns()) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    memcpy(bytes, &due, 8);
    int first = (int)(frame % boards) * board;
    for (int nth = first; nth < first + board; nth++)
      for (size_t done = 0; done < size;) {
        ssize_t wrote = write(senders[nth], bytes + done, size - done);
        if (wrote < 0) fail("write");
        done += wrote;
      }
  }
  printf("%.6f %.6f\n", cpu_seconds() - cpu_before, (now_ns() - started) / 1e9);
  fflush(stdout);
  for (int nth = 0; nth < count; nth++) close(senders[nth]);
  waitpid(reader, NULL, 0);
  return 0;
}
