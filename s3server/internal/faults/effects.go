package faults

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// Effects are what a fault does to a request. The fields are those of s3server.Fault, whose
// comments describe them. The zero value has no effect.
type Effects struct {
	Error          string
	Status         int
	RetryAfter     time.Duration
	In200          bool
	Redirect       string
	DropConnection bool
	DropResponse   bool
	CutAfter       *int64
	StallAfter     *int64
	FlipAt         *int64
	Latency        time.Duration
	Bandwidth      int64
	ETag           string
	ClockSkew      time.Duration
	Stale          time.Duration
	Ignore         []string
	Hide           []string
	Deny           func(key, version string) (namedKey, namedVersion string, denied bool)
	Reverse        bool
}

// Failure returns the error with which the request fails after the check of its signature, or nil.
func (f *Effects) Failure() error {
	if f.Error == "" && f.Status == 0 {
		return nil
	}

	err := s3error.New(cmp.Or(f.Error, "InternalError"))
	if f.Status != 0 {
		err.Status = f.Status
	}
	if f.RetryAfter > 0 {
		err.WithHeader("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	// As in some responses of S3, the error is in the body of a success.
	if f.In200 {
		err.Status = 200
	}
	return err
}

// Ignores reports whether the request is handled without the header with this name.
func (f *Effects) Ignores(name string) bool {
	return slices.ContainsFunc(f.Ignore, func(n string) bool { return strings.EqualFold(n, name) })
}

// Denies reports whether DeleteObjects refuses an object, and by which key and version the error names it.
func (f *Effects) Denies(key, version string) (namedKey, namedVersion string, denied bool) {
	if f.Deny == nil {
		return "", "", false
	}
	return f.Deny(key, version)
}
