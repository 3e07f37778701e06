// Package argument refuses invalid arguments, and parses values of flags.
package argument

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var sizeForm = regexp.MustCompile(`^(\d+(?:\.\d+)?)([kKMGTP]?)(?:i?B)?$`)

// ParseSize parses a size in bytes, or in units of 1024.
func ParseSize(flag, text string) (int64, error) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, Invalid(flag+" must be a size, such as 1024, 10k, 1.5M or 2GiB", "")
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	if err == nil && parts[2] != "" {
		number *= math.Pow(1024, float64(strings.Index("KMGTP", strings.ToUpper(parts[2]))+1))
	}
	if err != nil || number >= math.MaxInt64 {
		return 0, Invalid(flag+" must be below 8 EiB", "")
	}
	return int64(number), nil
}

var dayForm = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)

// ParseDuration parses a duration of Go, which may begin with weeks and days: 2w, 1d12h.
func ParseDuration(flag, text string) (time.Duration, error) {
	malformed := Invalid(flag+" must be a duration, such as 90m, 36h, 7d or 2w", "")
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

// ParseTime parses a duration before now or a time, which is local if it has no zone.
func ParseTime(flag, text string, now time.Time) (time.Time, error) {
	if before, err := ParseDuration(flag, text); err == nil {
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
	return time.Time{}, Invalid(
		flag+" must be a time, such as 2026-11-21, 2026-11-21T08:00:00Z, or 7d for that long ago", "",
	)
}

// ParsePairs parses pairs of the form key=value.
func ParsePairs(flag string, pairs []string) (map[string]string, error) {
	parsed := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		_, twice := parsed[key]
		if !ok || twice {
			return nil, Invalid(flag+" must have the form key=value, with each key only once", "")
		}
		parsed[key] = value
	}
	return parsed, nil
}
