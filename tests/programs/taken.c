/* Stands for a Kea that somebody has taken over: says what it can do where it is put.

       taken PID...    # of processes that it tries to signal

   Statically linked, so that it starts under a profile that lets Kea map its own libraries only. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(char *const argv[], char *const envp[]) {
    int answer[2], error = 0;
    if (pipe(answer) != 0) exit(1);
    pid_t child = fork();
    if (child == 0) {
        execve(argv[0], argv, envp);
        error = errno;
        _exit(write(answer[1], &error, sizeof error) < 0);
    }
    close(answer[1]);
    int denied = read(answer[0], &error, sizeof error) > 0;
    waitpid(child, NULL, 0);
    printf("run %s: %s\n", argv[0], denied ? strerror(error) : "done");
}

int main(int argc, char **argv) {
    char *none[] = {NULL}, *preload[] = {"LD_PRELOAD=/tmp/evil.so", NULL};
    char *shell[] = {"/bin/sh", "-c", "true", NULL}, *id[] = {"/usr/bin/id", NULL};
    char *runner[] = {"/usr/sbin/kea-runscript-runner", "run", "--", "/bin/sh", NULL};
    char *serve[] = {"/usr/sbin/kea-runscript-runner", "serve", "prefix-routes", NULL};
    run(shell, none);
    run(id, none);
    run(runner, none);
    run(runner, preload);
    run(serve, none);
    for (int i = 1; i < argc; i++) {
        int number = atoi(argv[i]);
        printf("signal: %s\n", kill(number, SIGTERM) ? strerror(errno) : "done");
        printf("signal: %s\n", kill(number, SIGKILL) ? strerror(errno) : "done");
    }
    return 0;
}
