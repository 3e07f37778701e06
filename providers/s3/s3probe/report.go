package s3probe

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage/providers/s3"
)

// A Report is the result of [Run].
type Report struct {
	Server, Bucket string
	Checks         []Check
	// Profile has what was proven. Fields that were not tested are those of the
	// Config. It can be given to s3.Open, and is valid until the server changes.
	Profile s3.Profile
	// Left is the prefix of objects that could not be removed, usually "". In a
	// bucket with versions, a simultaneous write and delete may leave versions that
	// the server lists and cannot remove (versitygw 1.8).
	Left string
}

// A Check is one thing that a server may do or not.
type Check struct {
	Name    string
	Verdict Verdict
	Detail  string // what happened, if the verdict does not say it
}

// A Verdict is the result of a [Check]. Report.Profile declares only what was
// Enforced.
type Verdict int

// The verdicts.
const (
	Inconclusive Verdict = iota // something else failed: see Detail
	Enforced                    // the server does what the request says
	Ignored                     // the server reported success and did something else: the dangerous kind
	Refused                     // the server says that it cannot do this
)

// String returns the verdict in one word.
func (v Verdict) String() string {
	switch v {
	case Enforced:
		return "enforced"
	case Ignored:
		return "IGNORED"
	case Refused:
		return "refused"
	}
	return "inconclusive"
}

// String returns the report for a person, with one line for each check.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Checks of %s in bucket %q:\n", r.Server, r.Bucket)
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %-12s %s", c.Verdict, c.Name)
		if c.Detail != "" {
			fmt.Fprintf(&b, ": %s", c.Detail)
		}
		b.WriteByte('\n')
	}
	if r.Left != "" {
		fmt.Fprintf(&b, "Not everything could be removed. See the objects under %q.\n", r.Left)
	}
	return b.String()
}
