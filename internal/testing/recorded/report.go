package recorded

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/suitelog"
)

// text returns the result as JSON, for a message.
func (r *Result) text() string {
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// normalize gives a result the form in which two results are compared. It leaves out what the oracle does
// not know: the name of the provider in a revision, and the value of the SDK.
func normalize(r *Result) {
	// For the comparison, an empty value and nil are the same.
	if len(r.Entries) == 0 {
		r.Entries = nil
	}
	if r.Attrs == nil {
		return
	}

	attrs := *r.Attrs
	for _, prefix := range []string{"s3:", "gcs:", "azure:"} {
		attrs.Revision = strings.TrimPrefix(attrs.Revision, prefix)
	}
	if len(attrs.Metadata) == 0 {
		attrs.Metadata = nil
	}
	if len(attrs.MD5) == 0 {
		attrs.MD5 = nil
	}
	attrs.Native = nil
	r.Attrs = &attrs
}

// A Summary is the result of playing one recording, for the page docs/support.md.
type Summary struct {
	Kind      string   `json:"kind"` // "recording"
	Name      string   `json:"name"`
	Provider  Provider `json:"provider"`
	First     string   `json:"first"` // months of the first and the last response, such as "2026-06"
	Last      string   `json:"last"`
	Exchanges int      `json:"exchanges"`
	Right     int      `json:"right"`
	Binary    int      `json:"binary"`
	Tallies   []Tally  `json:"tallies"`
}

// summarize returns the summary of a recording that was replayed.
func summarize(p Provider, r Recording, tallies map[Kind]*Tally) Summary {
	s := Summary{
		Kind:     "recording",
		Name:     r.Name,
		Provider: p,
		Binary:   r.Binary,
	}

	// Find the months of the first and the last response that has a date.
	for i := range r.Exchanges {
		date := r.Exchanges[i].Recorded()
		if date.IsZero() {
			continue
		}
		month := date.Format("2006-01")
		if s.First == "" || month < s.First {
			s.First = month
		}
		s.Last = max(s.Last, month)
	}

	for _, kind := range slices.Sorted(maps.Keys(tallies)) {
		tally := tallies[kind]
		s.Exchanges += tally.Exchanges
		s.Right += tally.Right
		s.Tallies = append(s.Tallies, *tally)
	}
	return s
}

// report logs the counts, or writes them to the directory in OMNIBUCKET_SUPPORT for the page of
// support.
func report(t *testing.T, p Provider, r Recording, tallies map[Kind]*Tally) {
	t.Helper()
	s := summarize(p, r, tallies)
	var lines strings.Builder
	for _, tally := range s.Tallies {
		fmt.Fprintf(&lines, "\n%s: %d of %d right", tally.Kind, tally.Right, tally.Exchanges)
		for _, reason := range slices.Sorted(maps.Keys(tally.Skipped)) {
			fmt.Fprintf(&lines, "; %d: %s", tally.Skipped[reason], reason)
		}
	}
	t.Logf("%s, %s to %s: %d of %d right, and %d files of gRPC%s",
		r.Name, s.First, s.Last, s.Right, s.Exchanges, r.Binary, lines.String())
	save(t, "recording-", r.Name+" "+string(p), s)
}

// A RequestSummary is the result of sending the requests of one recording to a server, for the page
// docs/support.md.
type RequestSummary struct {
	Kind      string         `json:"kind"` // "requests"
	Name      string         `json:"name"`
	Provider  Provider       `json:"provider"`
	Server    string         `json:"server"`
	Requests  int            `json:"requests"`
	Repeated  int            `json:"repeated"`
	Differing int            `json:"differing"` // responses with a difference that a row explains
	Skipped   map[string]int `json:"skipped"`   // numbers of requests by the reason
}

// Report logs the counts, or writes them to the directory in OMNIBUCKET_SUPPORT.
func (s *RequestSummary) Report(t *testing.T) {
	t.Helper()
	var lines strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(s.Skipped)) {
		fmt.Fprintf(&lines, "\n%d are not repeated: %s", s.Skipped[reason], reason)
	}
	t.Logf("%s to %s: %d of %d requests were repeated; %d responses differ in what a row explains%s",
		s.Name, s.Server, s.Repeated, s.Requests, s.Differing, lines.String())
	save(t, "requests-", s.Name+" "+string(s.Provider), s)
}

// save writes a result as JSON to the directory in OMNIBUCKET_SUPPORT, or logs it. A failed test
// writes nothing.
func save(t *testing.T, prefix, name string, result any) {
	t.Helper()
	dir := os.Getenv("OMNIBUCKET_SUPPORT")
	if dir == "" || t.Failed() {
		return
	}
	data, err := json.Marshal(result)
	require.NoError(t, err)
	if dir == "log" {
		t.Log(suitelog.Mark + string(data))
		return
	}
	file := prefix + strings.NewReplacer("/", "-", " ", "-").Replace(name) + ".json"
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o644))
}
