package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tag prints, sets, removes and clears tags of objects, and changes nothing else of them.
func TestTag(t *testing.T) {
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		s.stdin = "a"
		s.run("cp", "--tag", "state=new", "-", "box:p/a")
		s.run("cp", "-", "box:p/b")

		// Without a flag, the command "tag" prints the tags.
		require.Equal(t, "p/a  state=new\n", s.run("tag", "box:p/a"))
		require.Equal(t, "p/b\n", s.run("tag", "box:p/b"))

		// A tag is added to each object that matches.
		modified := statOf(s, "box:p/a").Modified
		require.Equal(t, "changed p/a\nchanged p/b\n", s.run("tag", "-v", "--set", "owner=me", "box:p/*"))
		require.Equal(t, "p/a  owner=me  state=new\np/b  owner=me\n", s.run("tag", "box:p/*"))
		require.Equal(t, modified, statOf(s, "box:p/a").Modified)

		// One command removes, replaces and adds tags. A value may contain an equals sign.
		s.run("tag", "--remove", "state", "--set", "owner=you", "--set", "x=a=b", "box:p/a")
		require.Equal(t, `{"key":"p/a","tags":{"owner":"you","x":"a=b"}}`+"\n", s.run("tag", "--json", "box:p/a"))

		// After --clear with --set, the object has only the tag of --set.
		s.run("tag", "--clear", "--dry-run", "box:p/a")
		s.run("tag", "--clear", "--set", "z=1", "box:p/a")
		require.Equal(t, "p/a  z=1\n", s.run("tag", "box:p/a"))

		// After --clear alone, the object has no tag.
		s.run("tag", "--clear", "box:p/a")
		require.Equal(t, "p/a\n", s.run("tag", "box:p/a"))

		// With --json, tag prints each change as an event.
		lines, _ := s.events(exitOK, "tag", "--set", "a=b", "box:p/a")
		require.Equal(t, []map[string]any{{"event": "changed", "key": "p/a"}}, lines)
	}
}

// tag refuses invalid tags and combinations of flags, and fails if the object does not exist.
func TestTagFails(t *testing.T) {
	tests := []struct {
		name     string
		args     []string
		wantExit int
	}{
		{name: "a tag without a value", args: []string{"--set", "a", "box:p/a"}, wantExit: exitUsage},
		{name: "two values", args: []string{"--set", "a=1", "--set", "a=2", "box:p/a"}, wantExit: exitUsage},
		{name: "--clear and --remove", args: []string{"--clear", "--remove", "a", "box:p/a"}, wantExit: exitUsage},
		{
			name:     "a name that is too long",
			args:     []string{"--set", strings.Repeat("k", 200) + "=v", "box:p/a"},
			wantExit: exitUsage,
		},
		{name: "tags of a missing object", args: []string{"box:none"}, wantExit: exitNotFound},
		{name: "--set of a missing object", args: []string{"--set", "a=b", "box:none"}, wantExit: exitNotFound},
		{name: "--clear of a missing object", args: []string{"--clear", "box:none"}, wantExit: exitNotFound},
		{name: "a pattern without a match", args: []string{"box:none*"}, wantExit: exitNotFound},
	}
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		s.put("box:p/a", "a")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := s.inSubtest(t)
				s.requireExit(tt.wantExit, append([]string{"tag"}, tt.args...)...)
			})
		}
	}
}
