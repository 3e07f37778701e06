// Judges runs the test suites of S3 clients against the S3 server of this repository and, for
// comparison, against other servers. It prints a table with the numbers of passed, failed and
// skipped tests.
//
//	go run -C tools/judges . [-suites s3-tests,s5cmd] [-servers ours,gofakes3] [-schemes http,https] [-out DIR] [-page FILE]
//	go run -C tools/testservers . -only minio,versitygw -- go run -C tools/judges . -servers ours,minio,versitygw
//
// The name of a suite selects all of its versions. A name with a version, such as restic-0.18.1,
// selects one of them.
//
// Judges fails if a test fails on our server and exceptions/SUITE.tsv has no reason for that. It
// also fails if a test passes although the file has a reason. Two other files can have reasons:
// exceptions/SUITE-VERSION.tsv for one version of a suite, and exceptions/SERVER.tsv for one of our
// servers.
//
// A gateway with layers is compared with the same gateway without layers. The reasons for
// differences are in exceptions/layers.tsv. For other servers, results are only counted.
//
// Each suite is pinned: a Go module by its version and hash, npm packages by a lock file, and
// Python packages by a release of Debian. Built suites are stored in omnibucket/judges below
// $OMNIBUCKET_CACHE, which is by default the cache directory of the user. They may be deleted at
// any time. The suite ceph/s3-tests is not in a package registry, so $OMNIBUCKET_S3TESTS must name
// a directory with a checkout. Judges runs on Linux, macOS and FreeBSD.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	var c config
	chosenSuites := flag.String("suites", strings.Join(names(suites), ","), "run these `suites`, separated by commas")
	chosenServers := flag.String(
		"servers", "ours",
		"judge these `servers`, separated by commas: "+strings.Join(names(servers), ", "),
	)
	chosenSchemes := flag.String(
		"schemes", "",
		"run each suite over these `schemes`, http and https; by default over the one that the suite prefers",
	)
	flag.StringVar(
		&c.out, "out", "",
		"write the log and the results of each suite to this `directory`, from which the table is drawn; by default a temporary one",
	)
	flag.StringVar(
		&c.page, "page", "",
		"write the results into the table of this `file`, between its marks, which keeps those of other runs",
	)
	flag.Parse()
	c.suites = strings.Split(*chosenSuites, ",")
	c.servers = strings.Split(*chosenServers, ",")
	c.schemes = strings.Split(*chosenSchemes, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "judges:", err)
		os.Exit(1)
	}
}

// A config holds the values of the flags. The scheme "" means that each suite uses
// its preferred scheme.
type config struct {
	suites, servers, schemes []string
	out, page                string
}

// A named is a suite or a server that flags can select by either of two names. title() returns a
// unique name. baseName() returns a name that several suites or servers may share. For example, all
// versions of a suite share a name.
type named interface {
	title() string
	baseName() string
}

func names[T named](all []T) []string {
	titles := make([]string, len(all))
	for i, one := range all {
		titles[i] = one.title()
	}
	return titles
}

// choose returns the suites or servers with the wanted names, in the order of the names. It fails if a
// name selects none.
func choose[T named](all []T, wanted []string) ([]T, error) {
	var chosen []T
	for _, name := range wanted {
		before := len(chosen)
		for _, one := range all {
			if name == one.title() || name == one.baseName() {
				chosen = append(chosen, one)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("unknown name %q; the names are %s", name, strings.Join(names(all), ", "))
		}
	}
	return chosen, nil
}

// run runs the chosen suites on the chosen servers, and prints the table. It returns an error if
// our server has faults. Each suite gets a new server, unless testservers has started the server.
// If a suite cannot be prepared, or does not end, the other suites still run.
func run(ctx context.Context, c config) error {
	chosenSuites, err := choose(suites, c.suites)
	if err != nil {
		return err
	}
	chosenServers, err := choose(servers, c.servers)
	if err != nil {
		return err
	}
	if c.out == "" {
		if c.out, err = os.MkdirTemp("", "omnibucket-judges-*"); err != nil {
			return err
		}
	}
	if c.out, err = filepath.Abs(c.out); err != nil {
		return err
	}

	var errs []error
	for _, suite := range chosenSuites {
		suitePath, err := suite.prepare(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("preparing %s: %w", suite.title(), err))
			continue
		}
		for _, scheme := range c.schemes {
			errs = append(errs, runSuite(ctx, suite, suitePath, chosenServers, scheme, c.out))
		}
	}

	measured, err := readCells(c.out)
	if err != nil {
		return err
	}
	fmt.Println("Tests that passed, failed and were skipped:\n\n" + measured.table())
	fmt.Println("Results and logs:", c.out)
	if c.page != "" {
		errs = append(errs, writeTable(c.page, measured))
	}
	return errors.Join(errs...)
}

// runSuite runs one suite on all chosen servers. It returns an error if a test fails on our server
// without a listed reason. If the suite cannot run on a server, the others still count.
func runSuite(ctx context.Context, s suite, suitePath string, servers []server, scheme, dir string) error {
	var errs []error
	resultsByServer := map[string][]result{}
	for _, server := range servers {
		if ctx.Err() != nil {
			break
		}
		results, err := runOnServer(ctx, s, suitePath, server, scheme, dir)
		if errors.Is(err, errLacksScheme) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s on %s: %w", s.title(), server.name, err))
			continue
		}

		resultsByServer[server.name] = results
		if server.ours {
			errs = append(errs, checkResults(s, server, results))
			continue
		}
		// The results without layers are missing if the flags have not selected that server.
		if direct := resultsByServer[server.like]; direct != nil {
			errs = append(errs, checkLayers(s.name, server, direct, results))
		}
	}
	return errors.Join(errs...)
}

// errLacksScheme is the error if a server has no TLS, or if a suite needs TLS and the scheme is
// http.
var errLacksScheme = errors.New("not over this scheme")

// runOnServer runs a suite on a server, and returns the results. It writes the log and the results to
// a directory below dir. If scheme is "", the suite chooses the scheme. If the server does not support
// the scheme, runOnServer returns errLacksScheme.
func runOnServer(
	ctx context.Context, s suite, suitePath string, srv server, scheme, dir string,
) ([]result, error) {
	overTLS := s.tls || s.needsTLS
	column := srv.name // of the table of results
	if scheme != "" {
		overTLS = scheme == "https"
		column = srv.name + " " + scheme
	}

	running, err := srv.start(overTLS)
	if err != nil {
		return nil, err
	}
	defer running.stop()

	// A server that testservers has started may have no TLS.
	hasOtherScheme := running.tls() != overTLS
	if scheme != "" && hasOtherScheme {
		return nil, errLacksScheme
	}
	if s.needsTLS && !running.tls() {
		return nil, errLacksScheme
	}

	dir = filepath.Join(dir, s.title(), column)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()

	start := time.Now()
	t := task{suitePath: suitePath, server: running, serverName: srv.name, dir: dir, log: log}
	results, err := s.run(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("%w; see %s", err, log.Name())
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("no test ran; see %s", log.Name())
	}
	results = merge(results)
	logf("%s on %s: %s in %s", s.title(), column, count(results), time.Since(start).Round(time.Second))
	return results, writeResults(filepath.Join(dir, "results.tsv"), results)
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "judges: "+format+"\n", args...) }
