package s3

import (
	"fmt"
	"strings"
)

// A Report is what Probe found out.
type Report struct {
	Server, Bucket string
	Checks         []Check
	// Profile has what was proven, and of the rest what the Config had. It can
	// be given to Open, and stays true for as long as the server stays the same.
	Profile Profile
	// Left is the prefix under which something of the probing remained, because
	// it could not be removed; as a rule "". In a bucket with versions a server may
	// come to list some that it does not know, by a delete and a write at once
	// (versitygw 1.8): nobody removes those.
	Left string
}

// A Check is one thing that a server may do or not.
type Check struct {
	Name    string
	Verdict Verdict
	Detail  string // what happened, where that says more than the verdict
}

// A Verdict is how a check ended. Whatever is not Enforced is not declared by
// Report.Profile.
type Verdict int

// The verdicts.
const (
	Unclear  Verdict = iota // something else went wrong: Detail says what
	Enforced                // the server does what it is asked
	Ignored                 // it answered success and did not: the dangerous kind
	Refused                 // it says that it does not do this
)

// String is the verdict in a word.
func (v Verdict) String() string {
	switch v {
	case Enforced:
		return "enforced"
	case Ignored:
		return "IGNORED"
	case Refused:
		return "refused"
	}
	return "unclear"
}

// String is the report for a person, a line for each check.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "What %s enforces, tried in bucket %q:\n", r.Server, r.Bucket)
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %-9s %s", c.Verdict, c.Name)
		if c.Detail != "" {
			fmt.Fprintf(&b, ": %s", c.Detail)
		}
		b.WriteByte('\n')
	}
	if r.Left != "" {
		fmt.Fprintf(&b, "Not everything could be removed: see what lies under %q.\n", r.Left)
	}
	return b.String()
}
