// Package argument has the errors for invalid arguments, and parses values of flags.
package argument

import (
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
)

// Size parses a size in bytes, or in units of 1024, such as 10k or 2GiB.
func Size(flag, text string) (int64, error) { return argument.Size(flag, text) }

// Duration parses a Go duration. Weeks and days may precede it, as in 2w or 1d12h.
func Duration(flag, text string) (time.Duration, error) { return argument.Duration(flag, text) }

// localLayouts are the forms of a time without a zone.
var localLayouts = []string{
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	time.DateOnly,
}

// ParseTime parses the value of a flag: a time, which is local if it has no zone, or a duration before now.
func ParseTime(flag, text string, now time.Time) (time.Time, error) {
	if age, err := Duration(flag, text); err == nil {
		return now.Add(-age), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}

	for _, layout := range localLayouts {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}

	return time.Time{}, Invalid(flag+
		" must be a time, such as 2026-11-21, 2026-11-21T08:00:00Z, or 7d for that long ago", "")
}

// ParsePairs parses the values of a flag, each of the form key=value, into a map.
func ParsePairs(flag string, pairs []string) (map[string]string, error) {
	parsed := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, hasValue := strings.Cut(pair, "=")
		_, isRepeated := parsed[key]
		if !hasValue || isRepeated {
			return nil, Invalid(flag+" must have the form key=value, with each key only once", "")
		}
		parsed[key] = value
	}
	return parsed, nil
}
