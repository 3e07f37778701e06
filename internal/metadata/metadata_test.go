package metadata

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Decode returns the metadata that was encoded.
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
		t.Run(tt.name, func(t *testing.T) {
			encoded := tt.coding.Encode(values, tt.writeID)
			require.Equal(t, tt.stored, encoded)
			require.Equal(t, values, tt.coding.Decode(t.Context(), encoded))
		})
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

// HoldsWriteID also finds a write ID under the metadata names of earlier releases.
func TestWriteIDByItsOldNames(t *testing.T) {
	for _, name := range []string{WriteIDName, "omnibucket_write_id", "omnibucket-write-id"} {
		require.True(t, HoldsWriteID(map[string]string{name: "1"}, "1"), name)
		require.False(t, HoldsWriteID(map[string]string{name: "1"}, "2"), name)
		require.False(t, HoldsWriteID(map[string]string{name: ""}, ""), name)
	}
}

// Decode changes only the ASCII letters of names to lower case, so that the name of another tool
// does not hide one of ours.
func TestMetadataFoldsOnlyASCII(t *testing.T) {
	const kelvin = "\u212A" // its lower case is the letter k
	stored := map[string]string{kelvin + "ey": "theirs", "KEY": "v"}
	want := map[string]string{kelvin + "ey": "theirs", "key": "v"}
	require.Equal(t, want, Coding{}.Decode(t.Context(), stored))
}

// A valid name of metadata begins with a lower-case letter, and has up to 64 lower-case letters,
// digits, hyphens and underscores.
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
