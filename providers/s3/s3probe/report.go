package s3probe

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/omnibucket/storage/providers/s3"
)

// A Report is the result of [Run].
type Report struct {
	Server, Bucket string
	// Answers is the name of the profile that fits the server according to its responses.
	// [s3.NamedProfile] returns that profile. Answers is "" if the responses do not show a profile.
	Answers string
	Checks  []Check
	// Profile declares the features that were proven. Some fields are not tested by any check, and
	// have the values of the Config's profile. Profile can be given to s3.Open, and is valid until
	// the server changes.
	Profile s3.Profile
	// Left is the prefix of the objects that could not be removed. It is "" if none are left, which
	// is usual. In a bucket with versions, a simultaneous write and delete may leave versions that
	// the server lists and cannot remove (versitygw 1.8).
	Left string
}

// A Check is the result for one feature that a server may have.
type Check struct {
	Name    string
	Verdict Verdict
	Detail  string // what happened, if the verdict does not say so
}

// A Verdict is the result of a [Check]. Report.Profile declares only what was
// Enforced.
type Verdict int

// The verdicts.
const (
	Inconclusive Verdict = iota // something else failed: see Detail
	Enforced                    // the server does what the request asks for
	Ignored                     // the server reported success and did something else, which is dangerous
	Refused                     // the server says that it cannot do this
)

// String returns the verdict in one word. IGNORED is in capitals because it is dangerous.
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
			fmt.Fprintf(&b, ": %s", oneLine(c.Detail))
		}
		b.WriteByte('\n')
	}

	// Compare the result with the profile of the server that it claims to be.
	if profile, ok := s3.NamedProfile(r.Answers); ok {
		fmt.Fprintf(&b, "The server answers as %s", profile.Name)
		names := missingFeatures(&profile, &r.Profile)
		if len(names) > 0 {
			fmt.Fprintf(&b, ", but profile=%s declares what was not proven here: %s.\n", profile.Name, strings.Join(names, ", "))
		} else {
			fmt.Fprintf(&b, ": open it with profile=%s.\n", profile.Name)
		}
	}
	isUnknown := r.Answers == "" && r.Profile.Name == "unknown"+s3.ProbedSuffix
	if isUnknown {
		b.WriteString("The server does not name itself. If you know its kind, add profile= to the address: " +
			strings.Join(s3.ProfileNames(), ", ") + ". In Go, give Report.Profile to s3.Open.\n")
	}

	if r.Left != "" {
		fmt.Fprintf(&b, "Not everything could be removed. See the objects under %q.\n", r.Left)
	}
	return b.String()
}

// oneLine replaces the line breaks in a server's text, and all other characters that a terminal may
// interpret.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// missingFeatures returns the names of the features that profile declares and that the checks did
// not prove. It compares only features that a server without them may ignore silently: conditions,
// tags, the listing of uploads, and checksums.
func missingFeatures(profile, checked *s3.Profile) (names []string) {
	// The table compares each of these features in both profiles.
	declared := profile.Conditions
	proven := checked.Conditions

	for _, c := range []struct {
		name             string
		declared, proven bool
	}{
		{name: "create-only on Put", declared: declared.Create, proven: proven.Create},
		{name: "compare-and-swap on Put", declared: declared.Update, proven: proven.Update},
		{name: "both on completing a multipart upload", declared: declared.Complete, proven: proven.Complete},
		{name: "both on a copy", declared: declared.Copy, proven: proven.Copy},
		{name: "a conditional delete", declared: declared.Remove, proven: proven.Remove},
		{name: "tags", declared: profile.Tags, proven: checked.Tags},
		{name: "the listing of uploads", declared: !profile.HidesUploads, proven: !checked.HidesUploads},
		{
			name:     "the CRC32C of a body",
			declared: profile.Checksum >= s3.ChecksumHeader,
			proven:   checked.Checksum >= s3.ChecksumHeader,
		},
		{
			name:     "the CRC32C of a multipart upload",
			declared: profile.Checksum >= s3.ChecksumFullObject,
			proven:   checked.Checksum >= s3.ChecksumFullObject,
		},
	} {
		if c.declared && !c.proven {
			names = append(names, c.name)
		}
	}
	return names
}
