package storagetest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/suitelog"
)

// supportDir is the environment variable with the directory for the results of each run, which
// become the table in docs/support.md. If its value is "log", results are logged instead, so that
// even a cached test prints them.
const supportDir = "OMNIBUCKET_SUPPORT"

// A Support is the result of one run of the suite on one bucket.
type Support struct {
	Name string `json:"name"` // heading in the support table
	// Kind is what was tested: "bucket", "service" or "driver". A test of a driver also runs the cases
	// of a bucket.
	Kind     string            `json:"kind"`
	Provider string            `json:"provider"`          //
	Features []string          `json:"features"`          // features that the driver declares
	Passed   int               `json:"passed"`            // number of cases that passed
	Refused  []string          `json:"refused,omitempty"` // cases that proved that a feature is Unsupported
	Without  map[string]string `json:"without,omitempty"` // reason, by name of a skipped case
	Rules    map[string]int    `json:"rules"`             // number of cases that passed, by rule
}

// A report collects the results of a run while its cases run in parallel.
type report struct {
	mu      sync.Mutex
	support Support
	direct  []string // failed cases that call the driver directly
}

// newReport returns an empty report, named as the options say or else after the provider.
func newReport(kind string, desc driver.Description, o *options) *report {
	name := o.name
	if name == "" {
		name = desc.Provider
	}
	return &report{support: Support{
		Name:     name,
		Kind:     kind,
		Provider: desc.Provider,
		Features: namesOf(desc.Features),
		Without:  map[string]string{},
		Rules:    map[string]int{},
	}}
}

// setProvider records the provider's name, which is known only once a service has created a bucket. It
// ignores "". The report keeps its own name if it has one.
func (r *report) setProvider(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		return
	}
	r.support.Provider = name
	if r.support.Name == "" {
		r.support.Name = name
	}
}

// pass records that c has passed.
func (r *report) pass(c Case) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.support.Passed++
	r.support.Rules[c.Rule]++
}

// fail records that c has failed, if it is a case that calls the driver directly.
func (r *report) fail(c Case) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.direct {
		r.direct = append(r.direct, c.Rule+"/"+c.Name)
	}
}

// advise logs the failed cases that call the driver directly, which its author should mend first.
func (r *report) advise(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.direct) > 0 {
		slices.Sort(r.direct)
		t.Logf("mend these first, because other cases may fail for the same reason:\n%s", strings.Join(r.direct, "\n"))
	}
}

// refuse records that c has proved that a feature is Unsupported.
func (r *report) refuse(c Case) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.support.Refused = append(r.support.Refused, c.Name)
}

// skip records that c was skipped, and why.
func (r *report) skip(c Case, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.support.Without[c.Name] = reason
}

// write writes the report to the directory in OMNIBUCKET_SUPPORT, or logs it. A failed run writes
// nothing, so that the table contains only proved results.
func (r *report) write(t *testing.T) {
	t.Helper()
	dir := os.Getenv(supportDir)
	if dir == "" || t.Failed() {
		return
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.support.Refused)
	if dir == "log" {
		// A program that reads the output of the tests finds the line by its mark.
		data, err := json.Marshal(r.support)
		require.NoError(t, err)
		t.Log(suitelog.Mark + string(data))
		return
	}

	data, err := json.MarshalIndent(r.support, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))

	// Tests of several packages may write the same report at the same time, so the file is renamed
	// when it is complete.
	file, err := os.CreateTemp(dir, ".support-*")
	require.NoError(t, err)
	_, err = file.Write(append(data, '\n'))
	require.NoError(t, errors.Join(err, file.Close()))
	require.NoError(t, os.Rename(file.Name(), filepath.Join(dir, fileName(r.support))))
}

// fileName returns the name of a report's file, without characters that some file systems refuse.
func fileName(s Support) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s.Name))
	if s.Kind != "bucket" {
		name += "-" + s.Kind
	}
	return name + ".json"
}
