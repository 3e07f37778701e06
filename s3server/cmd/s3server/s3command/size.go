package s3command

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// A size is a flag whose value is a number of bytes, with an optional unit such as MiB.
type size int64

// units has the suffixes of a size. If one suffix ends with another, such as MiB with B, the longer
// one must come first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set sets s to the number of bytes in text, which is a positive whole number with an optional unit.
func (s *size) Set(text string) error {
	errInvalid := errors.New("must be a number of bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB")
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 1 || n > math.MaxInt64/unit.bytes {
			return errInvalid
		}
		*s = size(n * unit.bytes)
		return nil
	}
	return errInvalid
}
