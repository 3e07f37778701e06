package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A suite is a set of tests of another project. To add a suite, add a row to the table suites.
type suite struct {
	name     string
	version  string // "" if only one version is used
	tls      bool   // true to run over TLS if the server has it
	needsTLS bool   // true to leave the suite out if the server has no TLS
	// prepare builds or installs the suite. It returns the path of the program or of its directory.
	prepare func(context.Context) (string, error)
	run     func(context.Context, task) ([]result, error)
}

var suites = slices.Concat([]suite{
	{name: "s3-tests", tls: true, prepare: prepareS3Tests, run: runS3Tests},
	{name: "boto3", prepare: preparePython, run: runBoto3},
	released("aws", "aws.sh", "aws"),
	released("aws-debian", "aws.sh", "/usr/bin/aws"),
	released("s3cmd", "s3cmd.sh", "s3cmd"),
	released("s3fs", "s3fs.sh", "s3fs"),
	released("restic-debian", "restic.sh", "/usr/bin/restic"),
	released("rclone-debian", "rclone.sh", "/usr/bin/rclone"),
	released("duplicity", "duplicity.sh", "duplicity"),
	{name: "javascript", prepare: prepareJavaScript, run: runJavaScript},
	{name: "s5cmd", prepare: s5cmd.build, run: runS5cmd},
}, versions(minioGo, suite{name: "minio-go", tls: true, run: runMinioGo}),
	versions(rclone, suite{name: "rclone", run: runRclone}),
	versions(restic, suite{name: "restic", run: runRestic}),
	versions(kopia, suite{name: "kopia", run: runKopia}),
	versions(kopia, suite{name: "kopia-locks", needsTLS: true, run: runKopiaLocks}),
	versions(distribution, suite{name: "distribution", run: runDistribution}),
	versions(litestream, suite{name: "litestream", run: runLitestream}),
	versions(objstore, suite{name: "objstore", run: runObjstore}),
	versions(opentofu, suite{name: "opentofu", run: runOpenTofu}),
)

// versions returns a copy of the suite for each version of its module.
func versions(all []goModule, s suite) []suite {
	suites := make([]suite, len(all))
	for i, m := range all {
		suites[i] = s
		suites[i].version = strings.TrimPrefix(m.version, "v")
		suites[i].prepare = m.build
		suites[i].run = func(ctx context.Context, t task) ([]result, error) {
			t.module = m
			return s.run(ctx, t)
		}
	}
	return suites
}

func (s suite) title() string {
	if s.version == "" {
		return s.name
	}
	return s.name + "-" + s.version
}

func (s suite) baseName() string { return s.name }

// A task is one run of a suite on one server.
type task struct {
	suitePath  string   // result of suite.prepare
	module     goModule // module that contains the tests
	server     runningServer
	serverName string
	dir        string   // directory for files of this run
	log        *os.File // receives the output of the suite
}

// timeout is the longest time that a command may take.
const timeout = 30 * time.Minute

// command runs a program in the directory dir, and returns its standard output. All output is also
// written to the log. command adds env to the variables with which clients find the server.
//
// A program that fails is no error, because failed tests cause a failure, too. A program that takes
// longer than timeout is ended. This is no error either, so that the results so far count.
func (t task) command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	timeoutCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	var stdout bytes.Buffer
	c := exec.CommandContext(timeoutCtx, name, args...)
	c.Dir = dir
	c.Env = slices.Concat(c.Environ(), t.server.environment(), env)
	c.Stdout = io.MultiWriter(t.log, &stdout)
	c.Stderr = t.log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	err := c.Run()

	// If the context of the caller has ended, the results are not complete.
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if timeoutCtx.Err() != nil {
		logf("%s did not end in %s", name, timeout)
		return stdout.Bytes(), nil
	}
	var exitErr *exec.ExitError
	if err != nil && !errors.As(err, &exitErr) {
		return nil, err
	}
	return stdout.Bytes(), nil
}

// goTests runs the compiled Go tests of the suite in the directory dir, and returns their results.
func (t task) goTests(ctx context.Context, dir string, env []string, flags ...string) ([]result, error) {
	args := append([]string{"-test.v", "-test.timeout", testTimeout}, flags...)
	output, err := t.command(ctx, dir, env, t.suitePath, args...)
	if err != nil {
		return nil, err
	}
	return readGoTests(output), nil
}
