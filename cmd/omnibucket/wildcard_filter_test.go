package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// In every command, the patterns of --exclude are relative to the folder in which the wildcards begin.
func TestFiltersWithWildcards(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.setLocation("box", bucket)
	s.putKeysAsContent("box:", "in/keep/a", "in/keep/deep/b", "in/other/c", "in/top")
	s.setLocation("in", bucket+"/in")

	// Each of these patterns for --exclude leaves these keys.
	want := []string{"in/other/c", "in/top"}
	for _, exclude := range []string{"keep/", "/keep/**", "keep/**"} {
		for _, args := range [][]string{
			{"ls", "-r", "box:in/*"},
			{"ls", "-r", "box:in/**"},
			{"find", "box:in/*"},
			{"find", "box:in/**"},
			{"rm", "--dry-run", "box:in/**"},
			{"rm", "--dry-run", "-r", "box:in/*"},
			{"rm", "--dry-run", "-r", "box:in"},
		} {
			got := splitLines(s.run(append(args, "--exclude", exclude)...))
			require.ElementsMatch(t, want, got, "%q --exclude %s", args, exclude)
		}
	}
	require.Equal(t, "in/other/\nin/top\n", s.run("ls", "box:in/*", "--exclude", "keep/"))
	require.NotContains(t, s.run("tree", "box:in/*", "--exclude", "keep/**"), "deep")

	// Remove and copy all but the excluded keys.
	s.run("rm", "-r", "box:in/*", "--exclude", "keep/")
	require.Equal(t, "in/keep/a\nin/keep/deep/b\n", s.run("ls", "-r", "box:in"))
	s.run("cp", "-r", "in:*", "box:copy/", "--exclude", "/keep/a")
	require.Equal(t, "copy/keep/deep/b\n", s.run("ls", "-r", "box:copy"))
}

// The destination of mv may be a folder beside the objects, or a folder that the pattern matches,
// too. As in a shell, mv moves the objects into it, and keeps what is already there.
func TestMvIntoAFolderBesideTheObjects(t *testing.T) {
	tests := []struct {
		name        string
		source      string // with wildcards
		destination string // a folder
		want        string // what ls prints
	}{
		{name: "beside", source: "a*.jpg", destination: "x/", want: "b.png\nx/a1.jpg\nx/a2.jpg\nx/old.jpg\n"},
		{
			name:        "below",
			source:      "**/*.jpg",
			destination: "x/deep/",
			want:        "b.png\nx/deep/a1.jpg\nx/deep/a2.jpg\nx/deep/x/old.jpg\n",
		},
		{
			name:        "what is there stays",
			source:      "**",
			destination: "x/",
			want:        "x/a1.jpg\nx/a2.jpg\nx/b.png\nx/old.jpg\n",
		},
		{
			name:        "the destination has characters of wildcards",
			source:      "*.jpg",
			destination: "%5By%5D/", // [y]/
			want:        "[y]/a1.jpg\n[y]/a2.jpg\nb.png\nx/old.jpg\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
				s := newShell(t)
				bucket := address
				s.setLocation("box", bucket)
				s.putKeysAsContent("box:", "a1.jpg", "a2.jpg", "b.png", "x/old.jpg")
				separator := "/" // before the key in an address
				if strings.HasPrefix(bucket, "file:") {
					separator = "#"
				}

				s.run("mv", "box:"+tt.source, bucket+separator+tt.destination)
				require.Equal(t, tt.want, s.run("ls", "-r", "box:"))
			}
		})
	}
}

// mv refuses to move a folder below itself, or objects onto themselves. If there is nothing else to
// move, mv changes nothing.
func TestMvOntoItself(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a/1", "a/2")
	s.requireExit(exitUsage, "mv", "-r", "box:a", "box:a/b/")
	s.requireExit(exitUsage, "mv", "box:a/*", "box:a/")
	s.run("mv", "-r", "box:*", "box:a/")
	require.Equal(t, "a/1\na/2\n", s.run("ls", "-r", "box:"))
}
