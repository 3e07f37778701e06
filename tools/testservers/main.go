// Testservers runs a command together with real object stores. It builds the servers that are
// missing, and starts each on a free loopback port with its own data directory. Environment
// variables tell the command the addresses of the servers. When the command ends, Testservers ends
// the servers and removes their data.
//
//	go run -C tools/testservers . [-only minio,versitygw] [-dir ..] [--] COMMAND ARGS…
//
// For each server NAME, these variables are set. NAME is in upper case, with "_" in place of "-":
//
//	OMNIBUCKET_TEST_NAME          its address: http://127.0.0.1:40123
//	OMNIBUCKET_TEST_NAME_KEY      the access key; on Azure the account's key
//	OMNIBUCKET_TEST_NAME_SECRET   the secret key, on S3
//	OMNIBUCKET_TEST_NAME_ACCOUNT  the account's name, on Azure
//	OMNIBUCKET_TEST_NAME_CA       with TLS: a file with the certificate to trust
//	OMNIBUCKET_TEST_NAME_KMS_KEY  the name of a key for SSE-KMS, on MinIO
//
// Tests start the browser "chromium" themselves. OMNIBUCKET_TEST_CHROMIUM is the path of the
// program, and OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT is the path of the Node.js module that controls
// it. OMNIBUCKET_TEST_UPLOADCLIENTS is a directory with scripts for web pages: tus.js, uppy.js and
// aws-s3.js.
//
// The version of each server is pinned by a directory with a go.mod and go.sum, or with a
// package.json and its lock file. Built programs are stored in omnibucket/testservers below
// $OMNIBUCKET_CACHE, which is by default the cache directory of the user. They may be deleted at
// any time.
//
// The exit code is that of the command, or 1 if the command did not start. Testservers runs on
// Linux, macOS and FreeBSD.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func init() {
	// A server ends with the thread that has started it (see dieWithParent). So this thread must
	// live as long as the process.
	runtime.LockOSThread()
}

func main() {
	filter := flag.String("only", "", "start only these servers: `names`, separated by commas")
	dir := flag.String("dir", filepath.Join("..", ".."), "run the command in this `directory`")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() == 0 {
		usage()
		os.Exit(2)
	}
	code, err := run(*filter, *dir, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "testservers:", err)
	}
	os.Exit(code)
}

func usage() {
	fmt.Fprintf(
		os.Stderr, "go run -C tools/testservers . [flags] [--] COMMAND ARGS…\n\nservers: %s\nflags:\n",
		strings.Join(names(), ", "),
	)
	flag.PrintDefaults()
}

// run starts the servers, runs the command, and returns the exit code of the command.
func run(filter, dir string, command []string) (code int, err error) {
	chosen, err := choose(filter)
	if err != nil {
		return 1, err
	}

	// Until all servers have started, a signal ends the start.
	stopSignals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	startCtx, stopNotify := signal.NotifyContext(context.Background(), stopSignals...)
	var f fleet
	defer func() {
		err = errors.Join(err, f.stop())
	}()
	if err := f.start(startCtx, chosen); err != nil {
		stopNotify()
		return 1, err
	}

	// From now on, the command receives the signals. Notify comes before stopNotify, so that no signal
	// ends this program in between.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, stopSignals...)
	stopNotify()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.watch(ctx, func(err error) {
		fmt.Fprintln(os.Stderr, "testservers:", err)
	})

	// The command may have failed because of a server.
	code, err = runCommand(dir, command, f.variables, signals)
	if code != 0 {
		err = errors.Join(err, f.check(ctx))
	}
	return code, err
}
