package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Buckets are created and removed.
func TestMbAndRb(t *testing.T) {
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
			require.Contains(t, stderr, "bucket not empty\nhint: use --force")
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

// If an address declares versions or object locks, mb creates the bucket with them. Object locks cannot be enabled
// later.
func TestMbAsTheAddressDeclares(t *testing.T) {
	s := newShell(t)
	server := "?path_style=true&region=us-east-1&profile=omnibucket&endpoint=" + s3Box(t, s, s3server.Config{}).URL
	for _, row := range []struct{ name, address, parameter, shows string }{
		{"versions of a directory", directory(t) + "/kept", "?versions=true", `(?m)^versioning +true$`},
		{"locks of a directory", directory(t) + "/locked", "?object_lock=true", `(?m)^object lock +true$`},
		{"versions on S3", "s3://kept" + server, "&versions=true", `(?m)^versioning +true$`},
		{"locks on S3", "s3://locked" + server, "&object_lock=true", `(?m)^object lock +true$`},
		{"neither", "s3://plain" + server, "&versions=false", `(?m)^versioning +false$`},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			s.ok("mb", row.address+row.parameter)
			require.Regexp(t, row.shows, s.ok("stat", row.address))
		})
	}
}

func TestMbFails(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{"mem://", "mem://made/a", "mem://No_Name", "photos", "file:///"} {
		t.Run(address, func(t *testing.T) {
			s.t = t
			s.exits(2, "mb", address)
			s.exits(2, "rb", address+"?x=1")
		})
	}
}
