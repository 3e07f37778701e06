// Command certify runs the conformance suite in an account of a real store, and writes the results
// to a file. Unlike a test with an emulator, it shows whether the store itself keeps the contract.
//
//	go run github.com/omnibucket/storage/cmd/certify@latest 's3://?region=eu-west-1'
//	go run github.com/omnibucket/storage/cmd/certify@latest -o r2.json 's3://?endpoint=https://0123abcd.r2.cloudflarestorage.com'
//
// The address names an account without a bucket, as for [storage.OpenService]. Each case creates its
// own bucket, named "omnibucket-certify-…" or "storagetest-…", and deletes it. No other bucket is
// touched. The program first prints how many requests it will make, and asks whether to begin.
// Before the first case, it tries the credentials on one bucket.
//
// After SIGINT or SIGTERM, no further case begins, and the program deletes its buckets. It names
// each bucket that it cannot delete. If a second signal follows at least a second later, the program
// ends immediately and names each bucket that may still exist.
//
// Flags:
//
//	-o FILE      the result; default certified.json
//	-yes         do not ask
//	-plan        print what would be done, and end
//	-run RULES   run only the cases of these rules, such as "W1,R2", and ask no questions; default all
//	-questions   run no case, and only ask the questions in docs/maintainers/questions.md, which
//	             need a real account
//	-kms KEY     a key of the account's key management service, for the questions about it
//	-sas-limit D the limit of the account's SAS expiration policy, such as "24h", for the question about it
//	-immutable C a container with version-level immutability, for the question about it. The question
//	             stores an object there with a lock of an hour, and then removes the lock and the object
//	-defender    wait up to a minute for the verdict of Microsoft Defender, for the question about it
//	-parallel N  number of cases that run at the same time; default 4
//	-record DIR  write each request about a bucket of this run, and its response, to files in a new
//	             or empty folder, for the maintainers' tests, when the run ends. What tells about you is
//	             replaced: see docs/certified.md
//	-locks       also run the cases about retention and legal hold. On Amazon they leave objects
//	             that nobody can remove before their retention ends
//
// The exit status is 0 if every case passed, and 2 if the program could not begin. It is 1 if a case
// failed, the program was interrupted, the result or the recording could not be written, or a bucket
// may still exist.
// With -locks, a bucket that cannot be deleted does not count as a failure.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file://
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

const usage = `usage: certify [-o FILE] [-yes] [-plan] [-run RULES] [-questions] [-kms KEY] [-sas-limit D] [-immutable C] [-defender] [-parallel N] [-record DIR] [-locks] ADDRESS

It runs the conformance suite on an account of a store: s3://?region=eu-west-1, gs://?project=mine,
azblob://?account=name or file:///an/empty/directory?create=true. Each case makes a bucket of its own
and deletes it.

  -o FILE      the result; default certified.json
  -yes         do not ask
  -plan        say what would be done, and end
  -run RULES   only the cases of these rules, as "W1,R2", and no questions; default all
  -questions   only ask what an account alone can settle, and run no case
  -kms KEY     a key of the account's key management service, for the questions about it
  -sas-limit D the limit of the account's SAS expiration policy, as "24h"
  -immutable C a container with version-level immutability: one object in it is locked, and removed
  -defender    wait up to a minute for the verdict of Microsoft Defender
  -parallel N  cases at the same time; default 4
  -record DIR  at the end, write what was exchanged to a new folder, without secrets and names, for
               the maintainers' tests
  -locks       run the cases of retention and legal hold, too
`

// main prints the plan of a certification, asks for a confirmation, and runs the cases as tests of
// the package testing.
func main() {
	testing.Init()
	s := parseFlags()

	c, err := begin(context.Background(), s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "certify:", err)
		os.Exit(2)
	}
	fmt.Print(c.plan)
	if s.planOnly {
		return
	}

	if !s.yes && !confirm(os.Stdin, os.Stdout) {
		fmt.Fprintln(os.Stderr, "certify: nothing was done")
		os.Exit(2)
	}
	if err := prepare(c); err != nil {
		fmt.Fprintln(os.Stderr, "certify:", err)
		os.Exit(2)
	}

	// testing.Init has defined these flags, so Set does not fail.
	_ = flag.Set("test.parallel", strconv.Itoa(s.parallel))
	_ = flag.Set("test.timeout", "0")
	runAll := func(string, string) (bool, error) { return true, nil }
	testing.Main(runAll, c.tests(), nil, nil)
}

// parseFlags parses the command line. If it is invalid, parseFlags prints the usage and exits.
func parseFlags() settings {
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
	}

	// The usage describes the flags, so they have no texts here.
	var s settings
	flag.StringVar(&s.out, "o", "certified.json", "")
	flag.BoolVar(&s.yes, "yes", false, "")
	flag.BoolVar(&s.planOnly, "plan", false, "")
	flag.StringVar(&s.rules, "run", "", "")
	flag.IntVar(&s.parallel, "parallel", 4, "")
	flag.BoolVar(&s.locks, "locks", false, "")
	flag.StringVar(&s.record, "record", "", "")
	flag.BoolVar(&s.questions, "questions", false, "")
	flag.StringVar(&s.kms, "kms", "", "")
	flag.BoolVar(&s.defender, "defender", false, "")
	flag.StringVar(&s.immutable, "immutable", "", "")
	flag.DurationVar(&s.sasLimit, "sas-limit", 0, "")
	flag.Parse()

	if flag.NArg() != 1 || s.parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	s.address = flag.Arg(0)
	return s
}

// prepare checks before the first case that the result can be written and that the credentials suffice.
// It also begins to handle signals.
func prepare(c *certification) error {
	if err := checkWritable(c.out); err != nil {
		return fmt.Errorf("-o: %w", err)
	}

	if c.recorder != nil {
		if err := c.recorder.Begin(); err != nil {
			return fmt.Errorf("-record: %w", err)
		}
	}

	// From here on, a first signal cancels the trial of the credentials, and later the cases. The goroutine
	// runs until the program ends.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go c.endOnSignals(signals, cancel)

	// Try the credentials on one bucket.
	if err := c.try(ctx); err != nil {
		return err
	}
	if c.interrupted.Load() {
		// The signal came too late to make try fail.
		return errors.New("interrupted")
	}

	dir, err := os.MkdirTemp("", "certify-")
	if err != nil {
		return err
	}
	c.dir = dir
	return nil
}

// endOnSignals waits for signals. At the first one, it calls cancel and lets no further case begin. The
// second one ends the program.
func (c *certification) endOnSignals(signals <-chan os.Signal, cancel context.CancelFunc) {
	<-signals
	c.interrupted.Store(true)
	cancel()
	fmt.Fprintln(
		os.Stderr,
		"certify: stopping, and deleting the buckets of the cases that run; a second signal ends the program at once",
	)

	// Signals within the first second are ignored, because a sender may signal both the process and
	// its process group.
	for first := time.Now(); time.Since(first) < time.Second; {
		<-signals
	}

	// The operating system removes temporary files at some time.
	_ = os.RemoveAll(c.dir)
	fmt.Fprintln(os.Stderr, "certify: ended at once; these buckets may still exist:", strings.Join(c.ledger.all(), " "))
	os.Exit(1)
}

// confirm asks the user whether to begin, and reports whether the user agrees.
func confirm(r io.Reader, w io.Writer) bool {
	fmt.Fprint(w, "Begin? Type yes: ")
	answer, _ := bufio.NewReader(r).ReadString('\n')
	return strings.TrimSpace(answer) == "yes"
}
