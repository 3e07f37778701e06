// Judges runs the test suites of S3's clients against the S3 server of this repository
// and, beside it, against others. It prints a table with the numbers of passed, failed
// and skipped tests.
//
//	go run -C dev/judges . [-suites s3-tests,s5cmd] [-servers ours,gofakes3] [-out DIR]
//	go run -C dev/testservers . -only minio,versitygw -- go run -C dev/judges . -servers ours,minio,versitygw
//
// It fails if a test fails on our server without a reason in exceptions/SUITE.tsv, or if
// a test with a reason passes. A gateway with layers is judged beside the same gateway
// without them, and exceptions/layers.tsv has the reasons. The other servers are only counted.
//
// Each suite is pinned: a module by its version and sum, packages of npm by a lock file,
// packages of Python by a release of Debian. Built suites are in omnibucket/judges below
// $OMNIBUCKET_CACHE, by default the user's cache directory. They can be deleted at any
// time. ceph/s3-tests is in no package registry: $OMNIBUCKET_S3TESTS names a directory
// with a checkout. Judges runs on Linux, macOS and FreeBSD.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	chosenSuites := flag.String("suites", strings.Join(names(suites), ","), "run these `suites`, separated by commas")
	chosenServers := flag.String("servers", "ours", "judge these `servers`, separated by commas: "+strings.Join(names(servers), ", "))
	out := flag.String("out", "", "write the log and the results of each suite to this `directory`; by default a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, strings.Split(*chosenSuites, ","), strings.Split(*chosenServers, ","), *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "judges:", err)
		os.Exit(1)
	}
}

// named is what flags choose from.
type named interface{ title() string }

func names[T named](all []T) []string {
	titles := make([]string, len(all))
	for i, one := range all {
		titles[i] = one.title()
	}
	return titles
}

func choose[T named](all []T, wanted []string) ([]T, error) {
	var chosen []T
	for _, name := range wanted {
		i := slices.Index(names(all), name)
		if i < 0 {
			return nil, fmt.Errorf("unknown name %q; the names are %s", name, strings.Join(names(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// run runs the suites on the servers, prints the table, and returns what is wrong with
// our server. Every suite gets a fresh server, except those of the environment.
func run(ctx context.Context, suiteNames, serverNames []string, out string) error {
	chosenSuites, err := choose(suites, suiteNames)
	if err != nil {
		return err
	}
	chosenServers, err := choose(servers, serverNames)
	if err != nil {
		return err
	}
	if out == "" {
		if out, err = os.MkdirTemp("", "omnibucket-judges-*"); err != nil {
			return err
		}
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	t := newTable(names(chosenServers))
	var wrong []error
	for _, suite := range chosenSuites {
		prepared, err := suite.prepare(ctx)
		if err != nil {
			return fmt.Errorf("preparing %s: %w", suite.name, err)
		}
		judged := map[string][]result{}
		for _, server := range chosenServers {
			results, err := judge(ctx, suite, prepared, server, filepath.Join(out, suite.name, server.name))
			if err != nil {
				return fmt.Errorf("%s on %s: %w", suite.name, server.name, err)
			}
			t.add(suite.name, server.name, results)
			judged[server.name] = results
			switch {
			case server.ours:
				wrong = append(wrong, compare(suite.name, results))
			case judged[server.like] != nil:
				wrong = append(wrong, compareBeside(suite.name, server, judged[server.like], results))
			}
		}
	}
	fmt.Print(t)
	fmt.Println("Results and logs:", out)
	return errors.Join(wrong...)
}

// judge runs a suite on a server, and writes its log and its results to dir.
func judge(ctx context.Context, s suite, prepared string, on server, dir string) ([]result, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	running, err := on.start(s.tls)
	if err != nil {
		return nil, err
	}
	defer running.stop()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	begun := time.Now()
	results, err := s.run(ctx, task{prepared: prepared, on: running, server: on.name, dir: dir, log: log})
	if err != nil {
		return nil, fmt.Errorf("%w; see %s", err, log.Name())
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("no test ran; see %s", log.Name())
	}
	results = merge(results)
	logf("%s on %s: %s in %s", s.name, on.name, count(results), time.Since(begun).Round(time.Second))
	return results, writeResults(filepath.Join(dir, "results.tsv"), results)
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "judges: "+format+"\n", args...) }
