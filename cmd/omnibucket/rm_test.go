package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRm(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string // keys
		says string
		left string
	}{
		{"an object", []string{"photos"}, "", "photos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"several, and what is not there", []string{"photos", "none", "photos/1"}, "", "photos-old\nphotos/2/3\nvideos/4\n"},
		{"a folder, and nothing else", []string{"-r", "photos"}, "", "photos\nphotos-old\nvideos/4\n"},
		{"a folder with its slash", []string{"-r", "photos/"}, "", "photos\nphotos-old\nvideos/4\n"},
		{"several folders, with each key", []string{"-r", "-v", "photos", "videos"}, "photos/1\nphotos/2/3\nvideos/4\n", "photos\nphotos-old\n"},
		{"an object, with its key", []string{"-v", "photos/1"}, "photos/1\n", "photos\nphotos-old\nphotos/2/3\nvideos/4\n"},
		{"nothing, in a dry run", []string{"-r", "--dry-run", "photos"}, "photos/1\nphotos/2/3\n", "photos\nphotos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"nothing, in a dry run of objects", []string{"--dry-run", "photos", "none"}, "photos\n", "photos\nphotos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"a whole bucket", []string{"-r", "--all", ""}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			s.env["OMNIBUCKET_BOX"] = memory(t)
			for _, key := range []string{"photos", "photos-old", "photos/1", "photos/2/3", "videos/4"} {
				s.put("box:"+key, "x")
			}
			args := []string{"rm"}
			for _, arg := range row.args {
				if arg == "" || arg[0] != '-' {
					arg = "box:" + arg
				}
				args = append(args, arg)
			}
			require.Equal(t, row.says, s.ok(args...))
			require.Equal(t, row.left, s.ok("ls", "-r", "box:"))
		})
	}
}

func TestRmRefuses(t *testing.T) {
	s := newShell(t)
	bucket := memory(t)
	s.env["OMNIBUCKET_BOX"] = bucket + "/a"
	s.put(bucket+"/a/b", "x")
	for _, row := range []struct {
		name, says string
		args       []string
	}{
		{"a whole bucket", "-r --all does", []string{"-r", bucket}},
		{"all that a name stands for", "-r --all does", []string{"-r", "box:"}},
		{"a folder", "-r removes", []string{bucket + "/a/"}},
		{"a bucket", "-r removes", []string{"--all", bucket}},
		{"a version of a folder", "do not fit -r", []string{"-r", "--version", "1", bucket + "/a"}},
		{"a revision of a folder", "do not fit -r", []string{"-r", "--if-revision", "1", bucket + "/a"}},
		{"a path", "this is no address", []string{"a"}},
		{"standard input", "this is no address", []string{"-"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			_, stderr := s.exits(2, append([]string{"rm"}, row.args...)...)
			require.Contains(t, stderr, row.says)
		})
	}
	s.t = t
	require.Equal(t, "a/b\n", s.ok("ls", "-r", bucket))
}
