package metadata

import (
	"time"

	"github.com/omnibucket/storage/internal/redact"
)

// RoundUpTime returns t in UTC, rounded up to a whole second. Every provider can store such a time.
func RoundUpTime(t time.Time) time.Time { return t.UTC().Add(time.Second - 1).Truncate(time.Second) }

// CheckRetention returns the rule that a retention breaks, with which no provider accepts it, or
// "".
func CheckRetention(mode string, retainUntil, now time.Time) string {
	if mode != "governance" && mode != "compliance" {
		return "must have the mode Governance or Compliance, not " + redact.Quoted(mode)
	}
	if !retainUntil.After(now) {
		return "must end after now"
	}
	if retainUntil.Year() > 9999 {
		return "must end before the year 10000"
	}
	return ""
}
