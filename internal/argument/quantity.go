package argument

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Few programs parse sizes and durations, so the regular expressions are compiled on first use.
var sizeForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d+(?:\.\d+)?)([kKMGTP]?)(?:i?B)?$`)
})

// Size parses a size in bytes, or in units of 1024, such as 10k or 2GiB. name is the name of the
// flag or field, for errors.
func Size(name, text string) (int64, error) {
	match := sizeForm().FindStringSubmatch(text)
	if match == nil {
		return 0, Invalid(name, "must be a size, such as 1024, 10k, 1.5M or 2GiB", "")
	}

	digits := match[1]
	unit := strings.ToUpper(match[2])
	const belowMax = "must be below 8 EiB"
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		// The text has the form of a number, so it is too large for a float64.
		return 0, Invalid(name, belowMax, "")
	}
	if unit != "" {
		// The power of 1024 is 1 for K, 2 for M, and so on.
		power := strings.Index("KMGTP", unit) + 1
		number *= math.Pow(1024, float64(power))
	}
	if number >= math.MaxInt64 {
		return 0, Invalid(name, belowMax, "")
	}
	return int64(number), nil
}

var dayForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)
})

// Duration parses a Go duration, which weeks and days may precede, as in 2w or 1d12h. name is the
// name of the flag or field, for errors.
func Duration(name, text string) (time.Duration, error) {
	malformed := Invalid(name, "must be a duration, such as 90m, 36h, 7d or 2w", "")
	match := dayForm().FindStringSubmatch(text)
	if match == nil || text == "" {
		return 0, malformed
	}

	const day = 24 * time.Hour
	weeks, ok := parseCount(match[1], 7*day)
	if !ok {
		return 0, malformed
	}
	days, ok := parseCount(match[2], day)
	if !ok {
		return 0, malformed
	}

	total := weeks + days
	if rest := match[3]; rest != "" {
		duration, err := time.ParseDuration(rest)
		if err != nil {
			return 0, malformed
		}
		total += duration
	}
	if total < 0 {
		return 0, malformed
	}
	return total, nil
}

// parseCount returns as many units as the digits say, or 0 if there are none. It returns false if
// that is more than half of the longest Duration, so that the sum of two never overflows.
func parseCount(digits string, unit time.Duration) (total time.Duration, ok bool) {
	if digits == "" {
		return 0, true
	}
	count, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || count > int64(math.MaxInt64/unit)/2 {
		return 0, false
	}
	return time.Duration(count) * unit, true
}
