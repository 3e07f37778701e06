// Migrate copies a directory into a bucket of any provider. It skips files that the bucket already
// has. So if a migration was interrupted or had failures, run it again to complete it.
//
//	go run ./examples/migrate                                          this repository, into a temporary bucket
//	go run ./examples/migrate ./uploads file:///srv/uploads?create=true
//	go run ./examples/migrate -dry-run ./uploads 's3://photos?region=eu-west-1'
//	go run ./examples/migrate -delete -exclude '**/*.tmp' ./public gs://site
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
	"github.com/omnibucket/storage/transfer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

// A migration holds the arguments and flags of one run.
type migration struct {
	dir     string
	address string
	resume  string // directory for the state of large files; "" means that no state is kept
	options []transfer.Option
	dryRun  bool
}

// run copies the directory. If ctx ends, it stops.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	m, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if m.address == "" {
		temp, err := os.MkdirTemp("", "omnibucket-migrate-")
		if err != nil {
			return err
		}
		defer func() {
			result = errors.Join(result, os.RemoveAll(temp))
		}()
		m.address = directoryAddress(temp)
		_, _ = fmt.Fprintln(stdout, "No bucket was named: using a temporary one, which is removed at the end.")
	}
	if m.resume != "" {
		m.options = append(m.options, transfer.WithResume(m.resume))
	}

	bucket, err := storage.Open(ctx, m.address)
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, storage.Close(bucket))
	}()

	_, _ = fmt.Fprintf(stdout, "%s -> %s\n", m.dir, m.address)
	screen := newScreen(stdout)
	options := append(m.options, transfer.WithProgress(screen.progress), transfer.WithChanges(screen.change(m.dryRun)))
	report, err := transfer.Upload(ctx, bucket, m.dir, options...)
	screen.done()
	_, _ = fmt.Fprintf(stdout, "%s: %v\n", outcome(ctx, report, err), report)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, advice(ctx, report))
	}
	return nil
}

// outcome returns a few words that describe the result of the migration.
func outcome(ctx context.Context, report *transfer.Report, err error) string {
	if err == nil && report.DryRun {
		return "Nothing was changed"
	}
	if err == nil {
		return "Migration complete"
	}
	if ctx.Err() != nil {
		return "Migration interrupted"
	}
	if report.Failed > 0 {
		return fmt.Sprintf("Migration INCOMPLETE, %d failed", report.Failed)
	}
	return "Migration INCOMPLETE"
}

// advice returns a sentence that tells the user how to complete a migration with failures.
func advice(ctx context.Context, report *transfer.Report) string {
	// An error of the library has no status, but an error of the store has one.
	inUse := func(f transfer.Failure) bool {
		var own *storage.Error
		return errors.As(f.Err, &own) && own.Code == storage.Locked && own.Status == 0
	}
	if ctx.Err() == nil && slices.ContainsFunc(report.Failures, inUse) {
		return "Is the same migration running elsewhere? When it has ended, run the same command to complete this one"
	}
	return "Run the same command to complete it"
}

// parse reads the command line.
func parse(args []string, stdout io.Writer) (*migration, error) {
	m := &migration{}
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: migrate [flags] [DIR [ADDRESS]]")
		flags.PrintDefaults()
	}

	flags.BoolVar(&m.dryRun, "dry-run", false, "print what would be done, and do nothing")
	remove := flags.Bool("delete", false, "remove objects from the bucket that the directory does not have")
	checksum := flags.Bool("checksum", false, "compare checksums, not times")
	links := flags.Bool("links", false, "follow symbolic links that stay in the directory")
	flags.Func(
		"concurrency",
		"`number` of requests at the same time (default: as many as help)",
		func(text string) error {
			n, err := strconv.Atoi(text)
			m.options = append(m.options, transfer.WithConcurrency(n))
			return err
		},
	)
	flags.StringVar(
		&m.resume, "resume", "",
		"`directory` for the state of large uploads, so that they can be resumed (default: one for this job in the user's cache)",
	)

	patterns := func(name, usage string, newOption func(...string) transfer.Option) {
		flags.Func(name, usage, func(pattern string) error {
			m.options = append(m.options, newOption(pattern))
			return nil
		})
	}
	patterns(
		"include",
		"upload only files that match `pattern`, such as **/*.jpg; may be given several times",
		transfer.WithInclude,
	)
	patterns(
		"exclude",
		"leave out files that match `pattern`, such as .git/**; may be given several times",
		transfer.WithExclude,
	)

	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 2 {
		return nil, fmt.Errorf(
			"want at most a directory and an address, not %d arguments: %s", flags.NArg(),
			strings.Join(flags.Args(), " "),
		)
	}

	if m.dryRun {
		m.options = append(m.options, transfer.WithDryRun())
	}
	if *remove {
		m.options = append(m.options, transfer.WithDelete())
	}
	if *checksum {
		m.options = append(m.options, transfer.WithChecksum())
	}
	if *links {
		m.options = append(m.options, transfer.WithLinks())
	}

	// Without a directory, the example uploads the repository that it is part of.
	m.dir = flags.Arg(0)
	m.address = flags.Arg(1)
	if m.dir == "" {
		m.options = append(m.options, transfer.WithExclude(".git/**"))
		return m, m.useRepository()
	}
	if m.resume == "" && m.address != "" {
		m.resume = m.cache()
	}
	return m, nil
}

// cache returns the directory of this migration in the user's cache. If it cannot be created, cache
// returns "". That happens if the user has no home directory, as in some services.
func (m *migration) cache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir, err := filepath.Abs(m.dir)
	if err != nil {
		return ""
	}
	job := sha256.Sum256([]byte(dir + "\x00" + m.address))
	path := filepath.Join(cache, "omnibucket", "migrate", hex.EncodeToString(job[:8]))
	if !m.dryRun && os.MkdirAll(path, 0o700) != nil {
		return ""
	}
	return path
}

var ownModule = regexp.MustCompile(`(?m)^module github\.com/omnibucket/storage$`)

// useRepository sets the source to the repository that contains the working directory.
func (m *migration) useRepository() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && ownModule.Match(gomod) {
			m.dir = dir
			return nil
		}
		isRoot := dir == filepath.Dir(dir)
		if isRoot {
			return errors.New("name a directory: migrate DIR ADDRESS (this is not the repository of omnibucket)")
		}
	}
}

// directoryAddress returns the address of a directory. It works on Windows, too.
func directoryAddress(dir string) string {
	path := filepath.ToSlash(dir)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
