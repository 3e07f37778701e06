package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tag prints, sets, removes and clears tags of objects. It changes nothing else of them.
func TestTag(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.setBox(bucket(t))
		s.in = "a"
		s.ok("cp", "--tag", "state=new", "-", "box:p/a")

		s.ok("cp", "-", "box:p/b")
		require.Equal(t, "p/a  state=new\n", s.ok("tag", "box:p/a"))
		require.Equal(t, "p/b\n", s.ok("tag", "box:p/b"))

		modified := statOf(s, "box:p/a").Modified
		require.Equal(t, "changed p/a\nchanged p/b\n", s.ok("tag", "-v", "--set", "owner=me", "box:p/*"))
		require.Equal(t, "p/a  owner=me  state=new\np/b  owner=me\n", s.ok("tag", "box:p/*"))
		require.Equal(t, modified, statOf(s, "box:p/a").Modified)

		s.ok("tag", "--remove", "state", "--set", "owner=you", "--set", "x=a=b", "box:p/a")
		require.Equal(t, `{"key":"p/a","tags":{"owner":"you","x":"a=b"}}`+"\n", s.ok("tag", "--json", "box:p/a"))
		s.ok("tag", "--clear", "--dry-run", "box:p/a")
		s.ok("tag", "--clear", "--set", "z=1", "box:p/a")
		require.Equal(t, "p/a  z=1\n", s.ok("tag", "box:p/a"))

		s.ok("tag", "--clear", "box:p/a")
		require.Equal(t, "p/a\n", s.ok("tag", "box:p/a"))
		lines, _ := s.events(exitOK, "tag", "--set", "a=b", "box:p/a")
		require.Equal(t, []map[string]any{{"event": "changed", "key": "p/a"}}, lines)

		for code, rows := range map[int][][]string{
			2: {{"--set", "a", "box:p/a"}, {"--set", "a=1", "--set", "a=2", "box:p/a"}, {"--clear", "--remove", "a", "box:p/a"}, {"--set", strings.Repeat("k", 200) + "=v", "box:p/a"}},
			3: {{"box:none"}, {"--set", "a=b", "box:none"}, {"--clear", "box:none"}, {"box:none*"}},
		} {
			for _, args := range rows {
				s.exits(code, append([]string{"tag"}, args...)...)
			}
		}
	}
}
