package main

import (
	"bufio"
	"errors"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// filterFlags are the flags that select files, of each command that walks.
type filterFlags struct {
	include, includeFrom           []string
	exclude, excludeFrom           []string
	minSize, maxSize, newer, older string
	names                          []string
	flags                          *pflag.FlagSet
	now                            func() time.Time // nil is time.Now
}

func (f *filterFlags) register(c *cobra.Command) {
	f.flags = c.Flags()
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.StringArrayVar(&f.include, "include", nil, "select only keys that match this `pattern`; may be repeated")
	own.StringArrayVar(&f.includeFrom, "include-from", nil, "select only keys that match a pattern in this `file`; may be repeated")
	own.StringArrayVar(&f.exclude, "exclude", nil, "skip keys that match this `pattern`; may be repeated")
	own.StringArrayVar(&f.excludeFrom, "exclude-from", nil, "skip keys that match a pattern in this `file`; may be repeated")
	own.StringVar(&f.minSize, "min-size", "", "select only files of at least this `size`, such as 10M")
	own.StringVar(&f.maxSize, "max-size", "", "select only files of at most this `size`")
	own.StringVar(&f.newer, "newer", "", "select only files that were modified since this `time`, such as 7d or 2026-11-21")
	own.StringVar(&f.older, "older", "", "select only files that were modified before this `time`")
	own.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	f.flags.AddFlagSet(own)
}

// given reports whether a flag of the filter was given.
func (f *filterFlags) given() bool {
	for _, name := range f.names {
		if f.flags.Changed(name) {
			return true
		}
	}
	return false
}

// options returns the filter as options of a job.
func (f *filterFlags) options() ([]transfer.Option, error) {
	var opts []transfer.Option
	for _, list := range []struct {
		name            string
		patterns, files []string
		with            func(...string) transfer.Option
	}{{"--include-from", f.include, f.includeFrom, transfer.WithInclude}, {"--exclude-from", f.exclude, f.excludeFrom, transfer.WithExclude}} {
		patterns := slices.Clone(list.patterns)
		for _, path := range list.files {
			more, err := readPatterns(list.name, path)
			if err != nil {
				return nil, err
			}
			patterns = append(patterns, more...)
		}
		switch {
		case len(patterns) > 0:
			opts = append(opts, list.with(patterns...))
		case len(list.files) > 0 && list.name == "--include-from": // nothing would mean everything
			return nil, invalid("--include-from must have a pattern", "")
		}
	}
	for _, flag := range []struct {
		name, value string
		with        func(int64) transfer.Option
	}{{"min-size", f.minSize, transfer.WithMinSize}, {"max-size", f.maxSize, transfer.WithMaxSize}} {
		if f.flags == nil || !f.flags.Changed(flag.name) {
			continue
		}
		size, err := parseSize("--"+flag.name, flag.value)
		if err != nil {
			return nil, err
		}
		opts = append(opts, flag.with(size))
	}
	now := time.Now()
	if f.now != nil {
		now = f.now()
	}
	for _, flag := range []struct {
		name, value string
		with        func(time.Time) transfer.Option
	}{{"newer", f.newer, transfer.WithModifiedAfter}, {"older", f.older, transfer.WithModifiedBefore}} {
		if f.flags == nil || !f.flags.Changed(flag.name) {
			continue
		}
		at, err := parseTime("--"+flag.name, flag.value, now)
		if err != nil {
			return nil, err
		}
		opts = append(opts, flag.with(at))
	}
	return opts, nil
}

// filter returns the filter for a listing.
func (f *filterFlags) filter() (*transfer.Filter, error) {
	opts, err := f.options()
	if err != nil {
		return nil, err
	}
	return transfer.NewFilter(opts...)
}

// selectsBelow reports whether a filter selects an entry, whose key it takes relative to a
// folder.
func selectsBelow(filter *transfer.Filter, folder string, e storage.ListEntry) bool {
	e.Key = strings.TrimPrefix(e.Key, folder)
	return filter.Selects(e)
}

// readPatterns reads the patterns of a file, one in each line, without comments.
func readPatterns(flag, path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &storage.Error{Code: storage.ObjectNotFound, Key: path, Err: err}
	}
	defer func() { _ = file.Close() }()
	var patterns []string
	lines := bufio.NewScanner(withoutMark(file))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " \t\r")
		switch {
		case strings.IndexByte(line, 0) >= 0: // UTF-16, as PowerShell writes: no pattern would match
			return nil, invalid(flag+" must name a file of text in UTF-8", "")
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "!"):
			return nil, invalid(flag+` must not have a pattern that begins with "!"`, `write "\!" for a name that begins with "!"`)
		default:
			patterns = append(patterns, line)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, invalid(flag+" must have patterns of at most 64 KiB", "")
	case err != nil:
		return nil, invalid(flag+" must name a file that can be read: "+err.Error(), "")
	}
	return patterns, nil
}

var sizeForm = regexp.MustCompile(`^(\d+(?:\.\d+)?)([kKMGTP]?)(?:i?B)?$`)

// parseSize parses a size in bytes, or in units of 1024.
func parseSize(flag, text string) (int64, error) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, invalid(flag+" must be a size, such as 1024, 10k, 1.5M or 2GiB", "")
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	if err == nil && parts[2] != "" {
		number *= math.Pow(1024, float64(strings.Index("KMGTP", strings.ToUpper(parts[2]))+1))
	}
	if err != nil || number >= math.MaxInt64 {
		return 0, invalid(flag+" must be below 8 EiB", "")
	}
	return int64(number), nil
}

var dayForm = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)

// parseDuration parses a duration of Go, which may begin with weeks and days: 2w, 1d12h.
func parseDuration(flag, text string) (time.Duration, error) {
	malformed := invalid(flag+" must be a duration, such as 90m, 36h, 7d or 2w", "")
	parts := dayForm.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, malformed
	}
	var total time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil || n > int64(math.MaxInt64/unit)/2 {
			return 0, malformed
		}
		total += time.Duration(n) * unit
	}
	if parts[3] != "" {
		rest, err := time.ParseDuration(parts[3])
		if err != nil {
			return 0, malformed
		}
		total += rest
	}
	if total < 0 {
		return 0, malformed
	}
	return total, nil
}

// parseTime parses a duration before now or a time, which is local if it has no zone.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if before, err := parseDuration(flag, text); err == nil {
		return now.Add(-before), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, invalid(flag+" must be a time, such as 2026-11-21, 2026-11-21T08:00:00Z, or 7d for that long ago", "")
}
