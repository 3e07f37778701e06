// Command certify runs the conformance suite on an account of a store, and writes what it saw
// into a file. It answers what emulators cannot: whether the real store keeps the contract.
//
//	go run github.com/omnibucket/storage/cmd/certify@latest 's3://?region=eu-west-1'
//	go run github.com/omnibucket/storage/cmd/certify@latest -o r2.json 's3://?endpoint=https://0123abcd.r2.cloudflarestorage.com'
//
// The address is that of an account, without a bucket, as [storage.OpenService] takes it. Each
// case creates a bucket "omnibucket-certify-…" or "storagetest-…" of its own and deletes it. No
// other bucket is touched. The program says beforehand how many requests it will make, and asks.
// It then tries the credentials on one bucket, before the first case.
//
// SIGINT and SIGTERM stop it: no further case begins, and its buckets are deleted. It names each
// bucket that it cannot delete. A second signal, a second later or more, ends it at once; it then
// names each bucket that may still exist.
//
// Flags:
//
//	-o FILE      the result; default certified.json
//	-yes         do not ask
//	-plan        say what would be done, and end
//	-run RULES   only the cases of these rules, as "W1,R2", and no questions; default all
//	-questions   only ask what an account alone can settle (docs/maintainers/questions.md), and run no case
//	-kms KEY     a key of the account's key management service, for the questions about it
//	-sas-limit D the limit of the account's SAS expiration policy, as "24h", for the question about it
//	-immutable C a container with version-level immutability, for the question about it: one object in it
//	             is locked for an hour, and removed at once
//	-defender    wait up to a minute for the verdict of Microsoft Defender, for the question about it
//	-parallel N  cases at the same time; default 4
//	-locks       run the cases of retention and legal hold, too. On Amazon they leave objects
//	             that nobody can remove before their retention ends
//
// The exit status is 0 if every case passed, and 2 if the program could not begin. It is 1 if a case
// failed, the program was interrupted, the result could not be written, or a bucket may still exist.
// With -locks, a bucket that stays does not count as a failure.
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

const usage = `usage: certify [-o FILE] [-yes] [-plan] [-run RULES] [-questions] [-kms KEY] [-sas-limit D] [-immutable C] [-defender] [-parallel N] [-locks] ADDRESS

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
  -locks       run the cases of retention and legal hold, too
`

func main() {
	testing.Init()
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	var s settings
	flag.StringVar(&s.out, "o", "certified.json", "")
	flag.BoolVar(&s.yes, "yes", false, "")
	flag.BoolVar(&s.planOnly, "plan", false, "")
	flag.StringVar(&s.rules, "run", "", "")
	flag.IntVar(&s.parallel, "parallel", 4, "")
	flag.BoolVar(&s.locks, "locks", false, "")
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
	c, err := begin(context.Background(), s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "certify:", err)
		os.Exit(2)
	}
	fmt.Print(c.plan)
	if s.planOnly {
		return
	}
	if !s.yes && !agreed(os.Stdin, os.Stdout) {
		fmt.Fprintln(os.Stderr, "certify: nothing was done")
		os.Exit(2)
	}
	if err := prepare(c); err != nil {
		fmt.Fprintln(os.Stderr, "certify:", err)
		os.Exit(2)
	}
	for name, value := range map[string]string{"test.parallel": strconv.Itoa(s.parallel), "test.timeout": "0"} {
		_ = flag.Set(name, value)
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, c.tests(), nil, nil)
}

// prepare makes sure, before any case, that the result can be written and that the credentials
// suffice. From then on, a signal ends the program in order.
func prepare(c *certification) error {
	if err := writable(c.out); err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		c.interrupted.Store(true)
		cancel()
		fmt.Fprintln(
			os.Stderr,
			"certify: stopping, and deleting the buckets of the cases that run; a second signal ends the program at once",
		)
		for first := time.Now(); time.Since(first) < time.Second; { // some senders signal the process and its group
			<-signals
		}
		_ = os.RemoveAll(c.dir)
		fmt.Fprintln(
			os.Stderr, "certify: ended at once; these buckets may still exist:", strings.Join(c.made.all(), " "),
		)
		os.Exit(1)
	}()
	if err := c.try(ctx); err != nil {
		return err
	}
	if c.interrupted.Load() {
		return errors.New("interrupted")
	}
	var err error
	c.dir, err = os.MkdirTemp("", "certify-")
	return err
}

// agreed asks whether to begin.
func agreed(in io.Reader, out io.Writer) bool {
	fmt.Fprint(out, "Begin? Type yes: ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	return strings.TrimSpace(answer) == "yes"
}
