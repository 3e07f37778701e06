package storagetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Each case of the table has a function, an explanation and a unique name. The name can be that of
// a subtest.
func TestTableIsInOrder(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Cases() {
		require.False(t, names[c.Name], "two cases are named %q", c.Name)
		names[c.Name] = true
		require.NotEmpty(t, c.Explanation, c.Name)
		require.NotNil(t, c.run, c.Name)
		require.Zero(t, c.Needs&^optionalFeatures(),
			"%s needs a feature that no call uses by name, so that it would be skipped silently", c.Name)
		require.NotContains(t, c.Name, "/", "the name must be one subtest")
	}
}

// The table has a case for each rule.
func TestTableHasACaseForEachRule(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range Cases() {
		covered[c.Rule] = true
	}
	for _, rule := range []string{
		"K1", "K2", "K3", "K4", "K5",
		"W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12",
		"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "D1", "D2", "D3", "L1", "L2", "L3", "L4",
		"V1", "V2", "V3", "S1", "S2", "S3", "S6", "G1", "G2", "G3", "E1", "E2", "E3", "E4",
		"T1", "T2", "T3", "O2", "O3", "A1", "V-FS",
	} {
		require.True(t, covered[rule], "no case has the rule %s", rule)
	}
}

// A report says what a store supports. It is written as a JSON file that is named after the store.
func TestSupportIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	t.Setenv(supportDir, dir) // the variable says where reports are written
	r := newReport("bucket", driver.Description{
		Provider: "some:Store",
		Features: driver.StreamingPut | storage.OrderedListing,
	}, readOptions(nil))
	r.pass(Case{Name: "one", Rule: "K1"})
	r.refuse(Case{Name: "z"})
	r.refuse(Case{Name: "b"})
	r.skip(Case{Name: "left"}, "because")

	r.write(t)

	data, err := os.ReadFile(filepath.Join(dir, "some-store.json"))
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"some:Store","kind":"bucket","provider":"some:Store",
		"features":["OrderedListing", "StreamingPut"],
		"passed":1,"refused":["b","z"],"without":{"left":"because"},"rules":{"K1":1}}`, string(data))
}

// The model lists the keys after startAfter that begin with prefix. Keys that are equal up to a
// delimiter after the prefix have one common prefix instead. The model shows it with a leading ">".
func TestModelOfListings(t *testing.T) {
	keys := []string{"a", "a-b", "a/b", "a/c", "b"}
	tests := []struct {
		name       string
		prefix     string
		delimiter  string
		startAfter string
		want       []string
	}{
		{name: "a delimiter", delimiter: "/", want: []string{"a", "a-b", ">a/", "b"}},
		{name: "a prefix", prefix: "a/", delimiter: "/", want: []string{"a/b", "a/c"}},
		{name: "after a common prefix", delimiter: "/", startAfter: "a/", want: []string{"b"}},
		{name: "after a key", startAfter: "a/b", want: []string{"a/c", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, model(keys, tt.prefix, tt.delimiter, tt.startAfter))
		})
	}
}
