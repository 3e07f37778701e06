package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBucketsAreCreatedAndRemoved(t *testing.T) {
	for _, row := range []struct {
		name, address string
		versions      string
		key           func(address string) string
	}{
		{"memory", "mem://test-made", "?versions=true", func(a string) string { return a + "/a" }},
		{"directory", directory(t) + "/made", "?versions=true", func(a string) string { return a + "#a" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			s.ok("mb", row.address)
			_, stderr := s.exits(1, "mb", row.address)
			require.Contains(t, stderr, "bucket exists")
			s.put(row.key(row.address), "x")
			_, stderr = s.exits(1, "rb", row.address)
			require.Contains(t, stderr, "bucket not empty")
			s.ok("rb", "--force", row.address)
			s.exits(3, "rb", row.address)
			s.exits(3, "rb", "--force", row.address)

			s.ok("mb", "--versioned", "--public", row.address)
			require.Regexp(t, `(?m)^public +true$`, s.ok("stat", row.address))
			kept := row.key(row.address)
			if row.name == "memory" {
				kept += row.versions
			} else {
				kept = row.key(row.address + row.versions)
			}
			for range 3 {
				s.put(kept, "x")
			}
			s.ok("rm", kept)
			s.exits(1, "rb", row.address)
			s.ok("rb", "--force", row.address)
			s.exits(3, "stat", row.address)
		})
	}
}

func TestBucketsThatCannotBeCreated(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{"mem://", "mem://made/a", "mem://No_Name", "photos", "file:///"} {
		t.Run(address, func(t *testing.T) {
			s.t = t
			s.exits(2, "mb", address)
			s.exits(2, "rb", address+"?x=1")
		})
	}
}
