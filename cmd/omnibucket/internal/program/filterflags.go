package program

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/transfer"
)

// FilterFlags are the flags that select files, such as --include. Every command that walks folders
// has them.
type FilterFlags struct {
	include, includeFrom           []string
	exclude, excludeFrom           []string
	minSize, maxSize, newer, older string
	names                          []string
	Flags                          *pflag.FlagSet
	now                            func() time.Time // nil means time.Now
}

// Register adds the flags to a command.
func (f *FilterFlags) Register(c *cobra.Command) {
	f.Flags = c.Flags()
	// A set of their own shows the names of these flags.
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.StringArrayVar(&f.include, "include", nil, "select only keys that match this `pattern`; may be repeated")
	set.StringArrayVar(
		&f.includeFrom, "include-from", nil,
		"select only keys that match a pattern in this `file`; may be repeated",
	)
	set.StringArrayVar(&f.exclude, "exclude", nil, "skip keys that match this `pattern`; may be repeated")
	set.StringArrayVar(
		&f.excludeFrom, "exclude-from", nil,
		"skip keys that match a pattern in this `file`; may be repeated",
	)
	set.StringVar(&f.minSize, "min-size", "", "select only files of at least this `size`, such as 10M")
	set.StringVar(&f.maxSize, "max-size", "", "select only files of at most this `size`")
	set.StringVar(
		&f.newer, "newer", "",
		"select only files that were modified since this `time`, such as 7d or 2026-11-21",
	)
	set.StringVar(&f.older, "older", "", "select only files that were modified before this `time`")
	set.VisitAll(func(flag *pflag.Flag) {
		f.names = append(f.names, flag.Name)
	})
	f.Flags.AddFlagSet(set)
}

// Given reports whether a flag of the filter was given.
func (f *FilterFlags) Given() bool {
	for _, name := range f.names {
		if f.Flags.Changed(name) {
			return true
		}
	}
	return false
}

// ByClockOf returns a copy of the flags in which --older and --newer count from the time of the store.
// The clock of this machine may be wrong. To read the time, ByClockOf stores a small object in the
// folder. If neither flag is a duration, it returns nil, because f does not depend on the time.
func (f *FilterFlags) ByClockOf(ctx context.Context, bucket storage.Bucket, folder string) (*FilterFlags, error) {
	if !f.countsFromNow() {
		return nil, nil
	}
	now, err := inquiry.AskTime(ctx, bucket, folder)
	if err != nil {
		return nil, err
	}
	flags := *f
	flags.now = func() time.Time { return now }
	return &flags, nil
}

// countsFromNow reports whether --older or --newer is a duration, and not a date.
func (f *FilterFlags) countsFromNow() bool {
	isDuration := func(value string) bool {
		// An error means that the value is a date, empty or invalid. Options reports an invalid one.
		_, err := argument.Duration("", value)
		return err == nil
	}
	return isDuration(f.older) || isDuration(f.newer)
}

// Options returns the options of a job that the flags describe.
func (f *FilterFlags) Options() ([]transfer.Option, error) {
	opts, err := f.patternOptions()
	if err != nil {
		return nil, err
	}

	if f.isSet("min-size") {
		size, err := argument.Size("--min-size", f.minSize)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithMinSize(size))
	}
	if f.isSet("max-size") {
		size, err := argument.Size("--max-size", f.maxSize)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithMaxSize(size))
	}

	// Ages such as 7d count from now.
	now := time.Now()
	if f.now != nil {
		now = f.now()
	}
	if f.isSet("newer") {
		start, err := argument.ParseTime("--newer", f.newer, now)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithModifiedAfter(start))
	}
	if f.isSet("older") {
		end, err := argument.ParseTime("--older", f.older, now)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithModifiedBefore(end))
	}
	return opts, nil
}

// isSet reports whether a flag was given. Without Register, as in a test, no flag was.
func (f *FilterFlags) isSet(name string) bool { return f.Flags != nil && f.Flags.Changed(name) }

// patternOptions returns the options for the patterns of the filter.
func (f *FilterFlags) patternOptions() ([]transfer.Option, error) {
	var opts []transfer.Option

	included, err := withPatternsOf(f.include, "--include-from", f.includeFrom)
	if err != nil {
		return nil, err
	}
	if len(included) > 0 {
		opts = append(opts, transfer.WithInclude(included...))
	} else if len(f.includeFrom) > 0 {
		// A file without patterns would select everything.
		return nil, argument.Invalid("--include-from must have a pattern", "")
	}

	excluded, err := withPatternsOf(f.exclude, "--exclude-from", f.excludeFrom)
	if err != nil {
		return nil, err
	}
	selectsNothing := len(included) > 0 && slices.ContainsFunc(excluded, matchesEverything)
	if selectsNothing {
		return nil, argument.Invalid("--exclude must leave what --include selects, but a pattern matches every key",
			"leave that pattern out: --include '*.jpg' alone selects nothing else, "+
				"and exclusions win, whatever their order is")
	}
	if len(excluded) > 0 {
		opts = append(opts, transfer.WithExclude(excluded...))
	}
	return opts, nil
}

// withPatternsOf returns patterns, followed by those in the files that are the values of flag.
func withPatternsOf(patterns []string, flag string, files []string) ([]string, error) {
	all := slices.Clone(patterns)
	for _, path := range files {
		fromFile, err := argument.ReadPatterns(flag, path)
		if err != nil {
			return nil, err
		}
		all = append(all, fromFile...)
	}
	return all, nil
}

// matchesEverything reports whether a pattern matches every key. Users of the AWS CLI write such an
// --exclude before an --include, which would select nothing in this program.
func matchesEverything(pattern string) bool {
	switch strings.TrimPrefix(strings.TrimPrefix(pattern, "./"), "/") {
	case "*", "**", "**/*", "**/**":
		return true
	}
	return false
}

// Filter returns the filter that the flags describe.
func (f *FilterFlags) Filter() (*transfer.Filter, error) {
	opts, err := f.Options()
	if err != nil {
		return nil, err
	}
	return transfer.NewFilter(opts...)
}

// SelectsBelow reports whether a filter selects an entry. The filter's patterns apply to the key
// relative to a folder.
func SelectsBelow(filter *transfer.Filter, folder string, e storage.ListEntry) bool {
	e.Key = strings.TrimPrefix(e.Key, folder)
	return filter.Selects(e)
}
