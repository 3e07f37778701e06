package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// cat prints an object, or the range of it that --range names.
func TestCat(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "0123456789")
	s.put(bucket+"/b", "abc")
	s.in = "typed"

	tests := []struct {
		name, want string
		args       []string
	}{
		{"an object", "0123456789", []string{bucket + "/a"}},
		{"several", "0123456789typedabc", []string{bucket + "/a", "-", bucket + "/b"}},
		{"from an offset", "789", []string{"--range", "7", bucket + "/a"}},
		{"a number of bytes", "345", []string{"--range", "3:3", bucket + "/a"}},
		{"more than the object has", "89", []string{"--range", "8:100", bucket + "/a"}},
		{"none", "", []string{"--range", "3:0", bucket + "/a"}},
		{"the last", "89", []string{"--range", "-2", bucket + "/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			require.Equal(t, tt.want, s.ok(append([]string{"cat"}, tt.args...)...))
		})
	}
}

// cat refuses a --range that is none.
func TestCatRefusesInvalidRanges(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "0123456789")
	for _, text := range []string{"", "x", "1:", ":1", "1:-1", "1:2:3", "-2:1", "99999999999999999999"} {
		t.Run(text, func(t *testing.T) {
			s.t = t
			s.exits(2, "cat", "--range", text, bucket+"/a")
		})
	}
	s.t = t
	s.exits(1, "cat", "--range", "11", bucket+"/a")
	s.exits(2, "cat", "--range", "1", "-")
}

// If an object is missing, cat prints the others, and exits with 3.
func TestCatContinuesAfterAMissingObject(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/b", "b")
	stdout, stderr := s.exits(3, "cat", bucket+"/none", bucket+"/b")
	require.Equal(t, "b", stdout)
	require.Equal(t, 1, len(splitLines(stderr)), stderr)
}
