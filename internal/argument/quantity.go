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
	parts := sizeForm().FindStringSubmatch(text)
	if parts == nil {
		return 0, Invalid(name, "must be a size, such as 1024, 10k, 1.5M or 2GiB", "")
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	if err == nil && parts[2] != "" {
		number *= math.Pow(1024, float64(strings.Index("KMGTP", strings.ToUpper(parts[2]))+1))
	}
	if err != nil || number >= math.MaxInt64 {
		return 0, Invalid(name, "must be below 8 EiB", "")
	}
	return int64(number), nil
}

var dayForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)
})

// Duration parses a Go duration. Weeks and days may precede it, as in 2w or 1d12h. name is the name
// of the flag or field, for errors.
func Duration(name, text string) (time.Duration, error) {
	malformed := Invalid(name, "must be a duration, such as 90m, 36h, 7d or 2w", "")
	parts := dayForm().FindStringSubmatch(text)
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
