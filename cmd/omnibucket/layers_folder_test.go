package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// finish and repair refuse a folder, because a layer of two stores works on whole buckets.
func TestFinishAndRepairRefuseAFolder(t *testing.T) {
	first := newDirectoryAddress(t)
	second := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, `locations:
  first: `+first+`
  second: `+second+`
  mirrored:
    address: `+first+`?prefix=tenant/
    layers: [{mirror: second}]
  moving:
    address: `+first+`?prefix=tenant/
    layers: [{overlay: {old: second}}]
`)
	// The stores also have objects of another tenant. These must stay.
	s.put("first:other/a", "of another tenant")
	s.put("second:other/b", "of another tenant")

	for _, args := range [][]string{
		{"finish", "moving:"},
		{"finish", "--dry-run", "moving:"},
		{"repair", "mirrored:"},
		{"repair", "--all", "mirrored:"},
		{"repair", "--all", "--primary-is-right", "mirrored:"},
	} {
		_, stderr := s.requireExit(exitUsage, args...)
		require.Contains(t, stderr, "must be a whole bucket", args)
	}
	require.Equal(t, "other/a\n", s.run("find", "first:"))
	require.Equal(t, "other/b\n", s.run("find", "second:"))
}
