package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// mb creates a bucket, and rb removes it. rb removes objects and versions only with --force.
func TestMbAndRb(t *testing.T) {
	const inMemory = "mem://test-made"
	inDirectory := newDirectoryAddress(t) + "/made"
	tests := []struct {
		name, address                string
		object, objectWithVersioning string
	}{
		{
			name:                 "memory",
			address:              inMemory,
			object:               inMemory + "/a",
			objectWithVersioning: inMemory + "/a?versions=true",
		},
		{
			name:                 "directory",
			address:              inDirectory,
			object:               inDirectory + "#a",
			objectWithVersioning: inDirectory + "?versions=true#a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)

			// mb creates a bucket, and fails if the bucket exists.
			s.run("mb", tt.address)
			_, stderr := s.requireExit(exitFailure, "mb", tt.address)
			require.Contains(t, stderr, "bucket exists")

			// A bucket with an object is removed only with --force.
			s.put(tt.object, "x")
			_, stderr = s.requireExit(exitFailure, "rb", tt.address)
			require.Contains(t, stderr, "bucket not empty\nhint: use --force")
			s.run("rb", "--force", tt.address)

			// A bucket that does not exist cannot be removed.
			s.requireExit(exitNotFound, "rb", tt.address)
			s.requireExit(exitNotFound, "rb", "--force", tt.address)

			// The flags of mb are settings of the new bucket.
			s.run("mb", "--versioned", "--public", tt.address)
			require.Regexp(t, `(?m)^public +true$`, s.run("stat", tt.address))

			// A bucket that has nothing but old versions is also removed only with --force.
			for range 3 {
				s.put(tt.objectWithVersioning, "x")
			}
			s.run("rm", tt.objectWithVersioning)
			s.requireExit(exitFailure, "rb", tt.address)
			s.run("rb", "--force", tt.address)
			s.requireExit(exitNotFound, "stat", tt.address)
		})
	}
}

// If an address declares versions or object locks, mb creates the bucket with them.
func TestMbAsTheAddressDeclares(t *testing.T) {
	s := newShell(t)
	endpoint := s.startS3Location("box", s3server.Config{}).URL
	server := "?path_style=true&region=us-east-1&profile=omnibucket&endpoint=" + endpoint
	tests := []struct{ name, address, parameter, shows string }{
		{
			name:      "versions of a directory",
			address:   newDirectoryAddress(t) + "/kept",
			parameter: "?versions=true",
			shows:     `(?m)^versioning +true$`,
		},
		{
			name:      "locks of a directory",
			address:   newDirectoryAddress(t) + "/locked",
			parameter: "?object_lock=true",
			shows:     `(?m)^object lock +true$`,
		},
		{
			name:      "versions on S3",
			address:   "s3://kept" + server,
			parameter: "&versions=true",
			shows:     `(?m)^versioning +true$`,
		},
		{
			name:      "locks on S3",
			address:   "s3://locked" + server,
			parameter: "&object_lock=true",
			shows:     `(?m)^object lock +true$`,
		},
		{
			name:      "neither",
			address:   "s3://plain" + server,
			parameter: "&versions=false",
			shows:     `(?m)^versioning +false$`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.run("mb", tt.address+tt.parameter)
			require.Regexp(t, tt.shows, s.run("stat", tt.address))
		})
	}
}

// mb and rb refuse addresses that name no bucket.
func TestMbFails(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{"mem://", "mem://made/a", "mem://No_Name", "photos", "file:///"} {
		t.Run(address, func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(exitUsage, "mb", address)
			s.requireExit(exitUsage, "rb", address+"?x=1")
		})
	}
}
