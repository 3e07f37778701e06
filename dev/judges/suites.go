package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"
)

// A suite is a set of tests of others. To add one, add a row here.
type suite struct {
	name string
	tls  bool // run it over TLS if the server has it
	// prepare builds or installs the suite, and returns where it is.
	prepare func(context.Context) (string, error)
	run     func(context.Context, task) ([]result, error)
}

var suites = []suite{
	{name: "s3-tests", tls: true, prepare: prepareS3Tests, run: runS3Tests},
	{name: "minio-go", tls: true, prepare: minioGo.build, run: runMinioGo},
	{name: "s5cmd", prepare: s5cmd.build, run: runS5cmd},
	{name: "rclone", prepare: rclone.build, run: runRclone},
	{name: "restic", prepare: restic.build, run: runRestic},
	{name: "kopia", prepare: kopia.build, run: runKopia},
	{name: "kopia-locks", tls: true, prepare: kopia.build, run: runKopiaLocks},
	{name: "boto3", prepare: preparePython, run: runBoto3},
	{name: "aws", prepare: prepareCommand, run: runCommand},
	{name: "javascript", prepare: prepareJavaScript, run: runJavaScript},
}

func (s suite) title() string { return s.name }

// A task is one run of a suite.
type task struct {
	prepared string // as prepare returned it
	on       running
	server   string   // its name
	dir      string   // for files of the run
	log      *os.File // for the suite's output
}

// timeout is the time that a suite may take.
const timeout = 30 * time.Minute

// command runs a program in dir. Its output goes to the log, and its standard output
// also to out if that is not nil. It returns no error if the program ends with an exit
// code, because failed tests cause one, too.
func (t task) command(ctx context.Context, dir string, env []string, out io.Writer, name string, args ...string) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := exec.CommandContext(limited, name, args...)
	c.Dir = dir
	c.Env = append(append(c.Environ(), t.on.environment()...), env...)
	c.Stdout, c.Stderr = t.log, t.log
	if out != nil {
		c.Stdout = io.MultiWriter(t.log, out)
	}
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	err := c.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		logf("%s did not end in %s", name, timeout)
		return nil
	case errors.As(err, &ended):
		return nil
	}
	return err
}
