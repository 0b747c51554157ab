/* Starts a program under a system-call filter, where no bubblewrap does it.
 *
 *   launch exec FILTER PROGRAM ARGUMENT...         becomes the program
 *   launch watch FILTER USER PROGRAM ARGUMENT...   stays beside it; when it has ended, on SIGTERM, or when the caller has died, ends
 *                                                  whatever the program started, also what left its group and its session
 *
 * FILTER is the descriptor that the filter's bytes (struct sock_filter[]) are read from. USER is the number of the user whom the program
 * runs as, who then cannot stop this one; "same" changes nothing. The status is the program's, 128 and the signal for one that a signal
 * ended, 126 when it did not begin. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  _exit(126);
}

static void install(int descriptor) {
  static char bytes[4096 * sizeof(struct sock_filter)];
  size_t length = 0;
  for (ssize_t part; (part = read(descriptor, bytes + length, sizeof bytes - length)) != 0; length += part)
    if (part < 0) fail("launch: the filter");
  close(descriptor);
  struct sock_fprog filter = {length / sizeof(struct sock_filter), (struct sock_filter *)bytes};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("launch: no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) fail("launch: seccomp");
}

static void become(char **argv) {
  execvp(argv[0], argv);
  int status = errno == ENOENT ? 127 : 126;
  perror(argv[0]);
  _exit(status);
}

/* Kills the children of this process. What they started becomes a child of it in turn, since it is the reaper of orphans. */
static void kill_children(void) {
  DIR *processes = opendir("/proc");
  if (processes == NULL) fail("launch: /proc");
  for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
    int pid = atoi(entry->d_name), parent = 0;
    char path[64], line[512];
    if (pid <= 0) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    /* The name, which may hold anything, ends at the last parenthesis. */
    char *end = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
    fclose(file);
    if (end != NULL && sscanf(end + 1, " %*c %d", &parent) == 1 && parent == getpid()) kill(pid, SIGKILL);
  }
  closedir(processes);
}

static void end_all(pid_t group) {
  kill(-group, SIGKILL);
  for (;;) {
    kill_children();
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) continue;
    if (ended < 0 && errno == ECHILD) return;
    usleep(1000);
  }
}

static void change_user(const char *user) {
  if (strcmp(user, "same") == 0) return;
  uid_t id = (uid_t)strtoul(user, NULL, 10);
  if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) fail("launch: the user");
}

static int watch(int descriptor, const char *user, char **argv) {
  sigset_t awaited, before;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &awaited, &before);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail("launch: subreaper");
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  pid_t program = fork();
  if (program < 0) fail("launch: fork");
  if (program == 0) {
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    change_user(user);
    install(descriptor);
    become(argv);
  }
  setpgid(program, program);
  /* The caller waits until nobody holds what the program writes to. */
  for (int i = 0; i <= descriptor; i++) close(i);
  for (;;) {
    int signal, status;
    sigwait(&awaited, &signal);
    if (signal == SIGTERM) {
      end_all(program);
      return 128 + SIGKILL;
    }
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
      if (ended == program) {
        end_all(program);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      }
  }
}

int main(int count, char **argv) {
  if (count < 4) return 126;
  int descriptor = atoi(argv[2]);
  if (strcmp(argv[1], "watch") == 0) return count < 5 ? 126 : watch(descriptor, argv[3], argv + 4);
  install(descriptor);
  become(argv + 3);
}
