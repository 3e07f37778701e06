// Testservers runs a command with real object stores beside it: it builds the
// servers that are missing, starts each on a free loopback port with a data
// directory of its own, tells the command by environment variables where they
// are, and takes them away again when the command is done.
//
//	go run -C testservers . [-only minio,versitygw] [-dir ..] [--] COMMAND ARGS…
//
// For each server NAME (in upper case, "-" as "_") the command finds
//
//	OMNIBUCKET_TEST_NAME          its address: http://127.0.0.1:40123
//	OMNIBUCKET_TEST_NAME_KEY      the access key; on Azure the account's key
//	OMNIBUCKET_TEST_NAME_SECRET   the secret key, on S3
//	OMNIBUCKET_TEST_NAME_ACCOUNT  the account's name, on Azure
//	OMNIBUCKET_TEST_NAME_CA       with TLS: a file with the certificate to trust
//
// and for "chromium", which the tests start themselves, OMNIBUCKET_TEST_CHROMIUM,
// the program, and OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT, the Node.js module that
// drives it.
//
// Versions are pinned by a go.mod and go.sum, or a package.json and its lock
// file, for each server in a directory of its own. What they build lies in
// $OMNIBUCKET_CACHE, by default the user's cache directory, under
// omnibucket/testservers; it can be deleted at any time.
//
// The exit code is the command's own, and 1 where it never came to that. It
// runs on Linux, macOS and FreeBSD.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

func init() {
	// A server ends with the thread that started it (see dieWithParent): that
	// has to be one that lives as long as this process.
	runtime.LockOSThread()
}

func main() {
	only := flag.String("only", "", "start these servers: `names`, with commas between; all, if empty")
	dir := flag.String("dir", "..", "the `directory` in which the command runs")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() == 0 {
		usage()
		os.Exit(2)
	}
	code, err := run(*only, *dir, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "testservers:", err)
	}
	os.Exit(code)
}

func usage() {
	fmt.Fprintf(os.Stderr, "go run -C testservers . [flags] [--] COMMAND ARGS…\n\nservers: %s\nflags:\n", strings.Join(names(), ", "))
	flag.PrintDefaults()
}

// run runs the command beside the servers and answers with its exit code.
func run(only, dir string, command []string) (code int, err error) {
	chosen, err := choose(only)
	if err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 4)
	stopping := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	ctx, notYet := signal.NotifyContext(context.Background(), stopping...)
	var f fleet
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.start(ctx, chosen); err != nil {
		notYet()
		return 1, err
	}
	signal.Notify(signals, stopping...) // from here on they are the command's
	notYet()
	return runCommand(dir, command, f.variables, signals)
}
