// Omnibucket is the library as a program: it copies, lists, reads, removes, syncs,
// signs and serves the objects of any store, and creates and removes buckets.
//
//	omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
//	omnibucket ls -l file:///srv/files
//	omnibucket sync --delete ./public gs://site
//
// This package handles only arguments, output and exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	_ "github.com/omnibucket/storage/layers/diskcache"
	_ "github.com/omnibucket/storage/layers/encrypt"
	_ "github.com/omnibucket/storage/layers/encrypt/awskms"
	_ "github.com/omnibucket/storage/layers/encrypt/azurekeyvault"
	_ "github.com/omnibucket/storage/layers/encrypt/googlekms"
	_ "github.com/omnibucket/storage/layers/limit"
	_ "github.com/omnibucket/storage/layers/mirror"
	_ "github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/layers/readonly"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

// main runs the command of the arguments, whose context ends at the first signal, and exits with its exit code.
func main() {
	limitMemory()

	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		// SIGHUP means that the terminal was closed. The command nohup makes a program ignore it.
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// A second signal ends the program immediately.
	context.AfterFunc(ctx, stop)
	// Without SIGPIPE, a write to a broken pipe returns an error, and run can clean up.
	signal.Ignore(syscall.SIGPIPE)

	env := program.Environment{
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Lookup: os.LookupEnv,
		Ends:   true,
	}
	os.Exit(run(ctx, os.Args[1:], env))
}
