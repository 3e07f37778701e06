package metadata

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Decode returns the metadata that Encode got.
func TestMetadataSurvivesItsCoding(t *testing.T) {
	values := map[string]string{"a": "plain", "b": "é"}
	tests := []struct {
		name    string
		coding  Coding
		writeID string
		stored  map[string]string
	}{
		{name: "as it is", coding: Coding{}, stored: values},
		{
			name:    "with a write id",
			coding:  Coding{},
			writeID: "1",
			stored:  map[string]string{"a": "plain", "b": "é", WriteIDName: "1"},
		},
		{
			name:   "as ASCII",
			coding: Coding{ASCII: true},
			stored: map[string]string{"a": "plain", "b": "=?utf-8?b?w6k=?="},
		},
	}
	for _, tt := range tests {
		encoded := tt.coding.Encode(values, tt.writeID)
		require.Equal(t, tt.stored, encoded, tt.name)
		require.Equal(t, values, tt.coding.Decode(t.Context(), encoded), tt.name)
	}
}

// Decode leaves out the library's own metadata, such as the ID of a write.
func TestMetadataHidesOwnNames(t *testing.T) {
	withWriteID := Coding{}.Encode(nil, "1")
	require.Nil(t, Coding{}.Decode(t.Context(), withWriteID))
}

// HoldsReserved finds the library's own metadata, also under names of earlier releases.
func TestHoldsReserved(t *testing.T) {
	require.True(t, HoldsReserved(Coding{}.Encode(nil, "1")))
	require.True(t, HoldsReserved(map[string]string{"OmnibucketWriteId": "1"}))
	require.False(t, HoldsReserved(map[string]string{"omni": "1"}))
}

// A write ID is also found under the metadata names of earlier releases.
func TestWriteIDByItsOldNames(t *testing.T) {
	for _, name := range []string{WriteIDName, "omnibucket_write_id", "omnibucket-write-id"} {
		require.True(t, HoldsWriteID(map[string]string{name: "1"}, "1"), name)
		require.False(t, HoldsWriteID(map[string]string{name: "1"}, "2"), name)
		require.False(t, HoldsWriteID(map[string]string{name: ""}, ""), name)
	}
}

// Decode changes only ASCII letters of names to lower case.
func TestMetadataFoldsOnlyASCII(t *testing.T) {
	const kelvin = "\u212A" // whose lower case is the letter k
	stored := map[string]string{kelvin + "ey": "theirs", "KEY": "v"}
	require.Equal(t, map[string]string{kelvin + "ey": "theirs", "key": "v"},
		Coding{}.Decode(t.Context(), stored), "a name of another tool does not hide ours")
}

// A name of metadata is 1 to 64 lower-case letters, digits, hyphens and underscores, and begins with a
// letter.
func TestMetadataNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"a":                     true,
		"a-b_1":                 true,
		strings.Repeat("a", 64): true,
		"":                      false,
		"1a":                    false,
		"-":                     false,
		"A":                     false,
		"a b":                   false,
		"é":                     false,
		strings.Repeat("a", 65): false,
	} {
		require.Equal(t, valid, validName(name), name)
	}
}
