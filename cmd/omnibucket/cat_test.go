package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// cat prints an object, or with --range a part of it.
func TestCat(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	digits := bucket + "/a"
	letters := bucket + "/b"
	s.put(digits, "0123456789")
	s.put(letters, "abc")
	// For the argument "-", cat prints this text.
	s.stdin = "typed"

	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "an object", args: []string{digits}, want: "0123456789"},
		{name: "several", args: []string{digits, "-", letters}, want: "0123456789typedabc"},
		{name: "from an offset", args: []string{"--range", "7", digits}, want: "789"},
		{name: "a number of bytes", args: []string{"--range", "3:3", digits}, want: "345"},
		{name: "more than the object has", args: []string{"--range", "8:100", digits}, want: "89"},
		{name: "none", args: []string{"--range", "3:0", digits}, want: ""},
		{name: "the last", args: []string{"--range", "-2", digits}, want: "89"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Equal(t, tt.want, s.run(append([]string{"cat"}, tt.args...)...))
		})
	}
}

// cat refuses a malformed --range, and a --range of standard input.
func TestCatRefusesInvalidRanges(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "0123456789")
	for _, text := range []string{"", "x", "1:", ":1", "1:-1", "1:2:3", "-2:1", "99999999999999999999"} {
		t.Run(text, func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(exitUsage, "cat", "--range", text, bucket+"/a")
		})
	}

	s.requireExit(exitUsage, "cat", "--range", "1", "-")
}

// cat fails if the range begins after the end of the object.
func TestCatRangeBeyondTheObject(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "0123456789")
	s.requireExit(exitFailure, "cat", "--range", "11", bucket+"/a")
}

// If an object is missing, cat prints the others and exits with code 3.
func TestCatContinuesAfterAMissingObject(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/b", "b")
	stdout, stderr := s.requireExit(exitNotFound, "cat", bucket+"/none", bucket+"/b")
	require.Equal(t, "b", stdout)
	require.Equal(t, 1, len(splitLines(stderr)), stderr)
}
