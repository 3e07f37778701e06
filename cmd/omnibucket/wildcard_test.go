package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/s3server"
)

// Wildcards match names within a folder, and ** matches any depth.
func TestWildcardExpansion(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:",
		"a.jpg", "b.jpg", "b.png", "c[1].jpg",
		"photos/2025/1.jpg", "photos/2026/1.jpg", "photos/2026/2.png", "photos/2026/deep/3.jpg", "photos/note",
		"{x}")
	tests := []struct{ name, pattern, want string }{
		{name: "an asterisk stays in its folder", pattern: "*", want: "a.jpg b.jpg b.png c[1].jpg photos/ {x}"},
		{name: "the end of a name", pattern: "*.jpg", want: "a.jpg b.jpg c[1].jpg"},
		{name: "a question mark", pattern: "?.jpg", want: "a.jpg b.jpg"},
		{name: "a class of characters", pattern: "[ac].jpg", want: "a.jpg"},
		{name: "a negated class", pattern: "[^a].jpg", want: "b.jpg"},
		{name: "a range of characters", pattern: "b.[a-j]*", want: "b.jpg"},
		{name: "braces are literal", pattern: "{?}", want: "{x}"},
		{name: "a literal bracket", pattern: "c[[]1].*", want: "c[1].jpg"},
		{
			name:    "a name in a folder",
			pattern: "photos/2026/*",
			want:    "photos/2026/1.jpg photos/2026/2.png photos/2026/deep/",
		},
		{name: "a folder and a name", pattern: "photos/*/1.jpg", want: "photos/2025/1.jpg photos/2026/1.jpg"},
		{name: "two folders and a name", pattern: "ph*/202?/*.png", want: "photos/2026/2.png"},
		{name: "folders only", pattern: "photos/*/", want: "photos/2025/ photos/2026/"},
		{
			name:    "any depth",
			pattern: "**/*.jpg",
			want:    "a.jpg b.jpg c[1].jpg photos/2025/1.jpg photos/2026/1.jpg photos/2026/deep/3.jpg",
		},
		{
			name:    "any depth below a folder",
			pattern: "photos/2026/**",
			want:    "photos/2026/1.jpg photos/2026/2.png photos/2026/deep/3.jpg",
		},
		{
			name:    "any depth below folders",
			pattern: "photos/*6/**/*.jpg",
			want:    "photos/2026/1.jpg photos/2026/deep/3.jpg",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Equal(t, strings.Fields(tt.want), strings.Fields(s.run("ls", "box:"+tt.pattern)))
		})
	}
}

// If the wildcards of cp or mv match only folders, a hint says how to copy them.
func TestWildcardsThatMatchOnlyFolders(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"d/sub/a": "a"})
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "d/sub/a")

	for _, source := range []string{"box:d/*", "./d/*"} {
		for _, command := range []string{"cp", "mv"} {
			_, stderr := s.requireExit(exitNotFound, command, source, "./out/")
			require.Contains(t, stderr, "hint: folders match: to copy everything")
			require.NoDirExists(t, "out")
		}
	}

	// cp succeeds even if a filter leaves out an object that the wildcard matches.
	s.run("cp", "--older", "1d", "box:d/sub/*", "./out/")

	// With -r, as the hint says, cp copies the folder.
	s.run("cp", "-r", "box:d/*", "./out/")
	require.FileExists(t, filepath.Join(dir, "out", "sub", "a"))
}

// In an address, a percent-encoded wildcard becomes a literal one in the pattern.
func TestWildcardEscapedIsLiteral(t *testing.T) {
	tests := []struct {
		text    string
		escaped bool   // text is of an address, and may have percent-encoded characters
		want    string // pattern, in which a backslash makes a character literal
	}{
		{text: "a*", escaped: true, want: "a*"},
		{text: "a%2A", escaped: true, want: `a\*`},
		{text: "a%2A*", escaped: true, want: `a\**`},
		{text: "%5Ba%5D?", escaped: true, want: `\[a\]?`},
		{text: "{a}", escaped: true, want: `\{a\}`},
		{text: `a\b`, escaped: true, want: `a\\b`},
		{text: "100%25", escaped: true, want: "100%"},
		{text: "a%2A", escaped: false, want: "a%2A"},
		{text: "é%C3%A9*", escaped: true, want: "éé*"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, location.PatternOf(tt.text, tt.escaped), tt.text)
	}
}

// In an argument, a percent-encoded wildcard is literal. With --literal, any wildcard is.
func TestWildcardEscapedInACommand(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.setLocation("box", bucket)
	s.putKeysAsContent("box:", "a*", "ab", "a*c")
	require.Equal(t, "a*\n", s.run("ls", bucket+"#a%2A"))
	require.Equal(t, "a*\na*c\n", s.run("ls", bucket+"#a%2A*"))
	require.ElementsMatch(t, []string{"a*", "ab", "a*c"}, splitLines(s.run("ls", "box:a*")))
	require.Equal(t, "a*\n", s.run("ls", "--literal", "box:a*"))
}

// Wildcards that match nothing are an error. Otherwise a script could believe that a command did
// something.
func TestWildcardsMatchNothing(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	s.setLocation("box", newDirectoryAddress(t))
	s.putKeysAsContent("box:", "ex/1", "a[1]")

	for _, args := range [][]string{
		{"ls", "box:no*"},
		{"ls", "-r", "box:no*"},
		{"cp", "box:no*", dir + "/"},
		{"cp", "-r", "box:ex/no*", dir + "/"},
		{"mv", "box:no*", dir + "/"},
		{"rm", "box:no*"},
		{"rm", "-r", "box:no*"},
		{"rm", "--dry-run", "box:no*"},
		{"cat", "box:no*"},
		{"stat", "box:no*"},
		{"du", "box:no*"},
		{"sign", "box:no*"},
		{"head", "box:no*"},
		{"hash", "box:no*"},
		{"find", "box:no*"},
		{"tree", "box:no*"},
		{"cat", "box:no?e"},
		{"rm", "box:a[1]"},
	} {
		_, stderr := s.requireExit(exitNotFound, args...)
		require.Contains(t, stderr, "matches the wildcards", args)
		require.Contains(t, stderr, "--literal", args)
	}

	// Only a folder matches.
	_, stderr := s.requireExit(exitNotFound, "rm", "box:e*")
	require.Contains(t, stderr, "use -r")

	// A bracket without its end is no pattern.
	for _, command := range []string{"ls", "rm", "cat", "stat", "du", "head", "hash"} {
		_, stderr := s.requireExit(exitUsage, command, "box:a[")
		require.Contains(t, stderr, "malformed wildcards", command)
	}

	// Nothing was removed.
	require.Equal(t, "a[1]\nex/1\n", s.run("ls", "-r", "box:"))

	// With --literal, the text is the key of an object.
	s.run("rm", "--literal", "box:a[1]")
	require.Equal(t, "ex/1\n", s.run("ls", "-r", "box:"))
}

// putPhotos stores the objects that the wildcards of these tests match. The content of each object is its key.
func putPhotos(s *shell) {
	s.t.Helper()
	s.putKeysAsContent("box:",
		"a.jpg", "b.jpg", "b.png", "c[1].jpg",
		"photos/2025/1.jpg", "photos/2026/1.jpg", "photos/2026/2.png", "photos/2026/deep/3.jpg", "photos/note",
		"{x}")
}

// ls, cat, stat and du expand wildcards.
func TestWildcardsOfCommandsThatRead(t *testing.T) {
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		putPhotos(s)

		require.Equal(t, "photos/2025/1.jpg\nphotos/2026/1.jpg\nphotos/2026/2.png\nphotos/2026/deep/3.jpg\n",
			s.run("ls", "-r", "box:photos/20*"))
		require.Equal(t, "a.jpgb.jpg", s.run("cat", "box:?.jpg"), "the contents of a.jpg and b.jpg")
		require.Equal(t, 2, strings.Count(s.run("stat", "box:?.jpg"), "\nsize "))
		require.Len(t, splitLines(s.run("stat", "--json", "box:?.jpg")), 2)

		// The columns are the bytes, the objects and the folder.
		const size2025 = len("photos/2025/1.jpg")
		const size2026 = len("photos/2026/1.jpg" + "photos/2026/2.png" + "photos/2026/deep/3.jpg")
		require.Regexp(t,
			fmt.Sprintf(`^ +%d +1  photos/2025/\n +%d +3  photos/2026/\n$`, size2025, size2026),
			s.run("du", "box:photos/*/"))
	}
}

// cp expands the wildcards in its source. Below the destination, the name of a copy begins at the
// first segment with a wildcard.
func TestWildcardsOfCp(t *testing.T) {
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		putPhotos(s)
		dir := t.TempDir()

		// Copy objects in one folder.
		s.run("cp", "box:*.jpg", dir)
		require.Equal(t, "b.jpg", readFile(t, filepath.Join(dir, "b.jpg")))

		// Copy objects at any depth. The folder photos is not part of their new names.
		s.run("cp", "box:photos/**/*.jpg", filepath.Join(dir, "new")+"/")
		require.Equal(t, "photos/2026/deep/3.jpg", readFile(t, filepath.Join(dir, "new", "2026", "deep", "3.jpg")))
		require.NoFileExists(t, filepath.Join(dir, "photos"))

		// Folders.
		s.run("cp", "-r", "box:photos/*6", filepath.Join(dir, "tree")+"/")
		require.FileExists(t, filepath.Join(dir, "tree", "2026", "2.png"))
		require.FileExists(t, filepath.Join(dir, "tree", "2026", "deep", "3.jpg"))

		// If there are several sources, the destination must be a folder. Its name is no pattern.
		s.requireExit(exitUsage, "cp", "box:*.jpg", filepath.Join(dir, "none"))
		s.requireExit(exitUsage, "cp", "box:?.jpg", "box:*/")

		// In a destination, an asterisk is literal.
		s.run("cp", "box:a.jpg", "box:*")
		require.Equal(t, "a.jpg", s.run("cat", "--literal", "box:*"))
	}
}

// mv and rm expand wildcards.
func TestWildcardsOfMvAndRm(t *testing.T) {
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		putPhotos(s)

		// mv moves the pictures of the folders 2025 and 2026, but none below these folders.
		s.run("mv", "box:photos/*/*.jpg", "box:moved/")
		require.Equal(t, "moved/2025/1.jpg\nmoved/2026/1.jpg\n", s.run("ls", "-r", "box:moved"))
		require.Equal(t, "photos/2026/2.png\nphotos/2026/deep/3.jpg\nphotos/note\n", s.run("ls", "-r", "box:photos"))

		// rm removes objects, or with -r folders.
		require.Equal(t, "a.jpg\nb.jpg\n", s.run("rm", "-v", "box:?.jpg"))
		require.Equal(t, "moved/2025/1.jpg\nmoved/2026/1.jpg\n", s.run("rm", "-r", "--dry-run", "box:mov*"))
		s.run("rm", "-r", "box:mov*", "box:p*/20*")
		require.Equal(t, "b.png\nc[1].jpg\nphotos/note\n{x}\n", s.run("ls", "-r", "box:"))
	}
}

// If the wildcards of one argument match nothing, cat prints its other arguments and then fails.
func TestWildcardsOneFailure(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b")
	stdout, _ := s.requireExit(exitNotFound, "cat", "box:none*", "box:a*", "box:b*")
	require.Equal(t, "ab", stdout)
}

// Expand lists only the folders that can match.
func TestExpandListsLittle(t *testing.T) {
	l := &recordingLister{folders: map[string][]storage.ListEntry{
		"":        {{Key: "a/", IsPrefix: true}, {Key: "b/", IsPrefix: true}, {Key: "x", Size: 1}},
		"a/":      {{Key: "a/1.jpg"}, {Key: "a/deep/", IsPrefix: true}},
		"b/":      {{Key: "b/1.jpg"}},
		"a/deep/": {{Key: "a/deep/1.jpg"}},
	}}

	var matches []string
	for entry, err := range location.Expand(t.Context(), l, location.Location{Key: "*/1.jpg"}) {
		require.NoError(t, err)
		matches = append(matches, entry.Key)
	}

	require.Equal(t, []string{"a/1.jpg", "b/1.jpg"}, matches)
	require.Equal(t, []string{"", "a/1.jpg", "b/1.jpg"}, l.prefixes, "must not list a/deep/")
}

// In an address, ? within a name is a wildcard, and %3F is a literal question mark.
func TestWildcardsOfAnAddress(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a.jpg", "a")
	s.put(bucket+"/"+url.PathEscape("a?.jpg"), "b")
	require.Equal(t, "a.jpg\na?.jpg\n", s.run("ls", bucket+"/a*.jpg"))
	require.Equal(t, "b", s.run("cat", bucket+"/a%3F.jpg"))
}

// Commands expand wildcards of local paths, unless a file has exactly this name.
func TestWildcardsOfAPath(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"a.jpg": "a", "b.jpg": "b", "c.png": "c", "sub/1.jpg": "1", "sub/deep/2.jpg": "2"})
	bucket := newMemoryAddress(t)

	// Wildcards match in one directory, or with ** at any depth.
	s.run("cp", "*.jpg", bucket)
	require.Equal(t, "a.jpg\nb.jpg\n", s.run("ls", "-r", bucket))
	s.run("cp", "./**/*.jpg", bucket+"/all/")
	require.Equal(t, "all/a.jpg\nall/b.jpg\nall/sub/1.jpg\nall/sub/deep/2.jpg\n", s.run("ls", "-r", bucket+"/all"))

	// Other commands expand wildcards of local paths, too.
	s.run("mv", "-r", "./s*", bucket+"/moved/")
	require.Equal(t, "moved/sub/1.jpg\nmoved/sub/deep/2.jpg\n", s.run("ls", "-r", bucket+"/moved"))
	require.NoFileExists(t, "sub/1.jpg")
	require.Equal(t, "ab", s.run("cat", "./?.jpg"))
	require.Equal(t, "a.jpg\nb.jpg\n", s.run("ls", "*.jpg"))

	// A pattern without a match is an error.
	s.requireExit(exitNotFound, "cp", "./no*", bucket)
	s.requireExit(exitNotFound, "rm", "./no*")
	s.run("rm", "./*.png")
	require.NoFileExists(t, "c.png")

	// A file has exactly the name [x].txt, so [x] is no class that matches x.txt.
	writeFiles(t, dir, map[string]string{"[x].txt": "x", "x.txt": "other"})
	s.run("cp", "[x].txt", bucket)
	require.Equal(t, "x", s.run("cat", "--literal", bucket+"/[x].txt"))

	// Even if the name of a file is an asterisk, the argument means this file and not the pattern.
	writeFiles(t, dir, map[string]string{"*": "star"})
	require.Equal(t, "star", s.run("cat", "./*"))
	s.run("rm", "./*")
	require.Equal(t, "x", s.run("cat", "./[x].txt"), "only the file of this name was removed")
}

// A command lists only keys that begin with the text before its first wildcard, and not the whole folder.
func TestWildcardsLimitTheListing(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	s.putKeysAsContent("box:", "in/a1", "in/a2", "in/b1", "in/b2", "in/bb/3", "in/c1")

	tests := []struct {
		name   string
		args   []string
		prefix string
	}{
		{name: "cp", args: []string{"cp", "box:in/b*", t.TempDir() + "/"}, prefix: "in/b"},
		{name: "cp -r", args: []string{"cp", "-r", "box:in/b*", t.TempDir() + "/"}, prefix: "in/b"},
		{name: "any depth", args: []string{"cp", "box:in/b**/*", t.TempDir() + "/"}, prefix: "in/b"},
		{name: "a class", args: []string{"cp", "-r", "box:i[n]/b*", t.TempDir() + "/"}, prefix: "i"},
		{name: "mv", args: []string{"mv", "box:in/c*", t.TempDir() + "/"}, prefix: "in/c"},
		{name: "rm", args: []string{"rm", "box:in/a1*"}, prefix: "in/a1"},
		{name: "ls", args: []string{"ls", "box:in/b*"}, prefix: "in/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			server.Reset()

			s.run(tt.args...)

			require.Positive(t, server.Count("ListObjectsV2"))
			for _, req := range server.Requests() {
				if req.Operation == "ListObjectsV2" {
					require.True(t, strings.HasPrefix(req.Query.Get("prefix"), tt.prefix), req.Query)
				}
			}
		})
	}
}

// With wildcards, cp may copy into a folder above or below the source, as the cp of a shell does.
func TestWildcardsCopyIntoAndOutOfAFolder(t *testing.T) {
	tests := []struct{ name, source, destination, want string }{
		{
			name:        "into a folder beside",
			source:      "a/*",
			destination: "a/sub/",
			want:        "a/1 a/2 a/sub/1 a/sub/2 a/sub/deep/4 a/sub/sub/3",
		},
		{
			name:        "into a new folder",
			source:      "a/*",
			destination: "a/new/",
			want:        "a/1 a/2 a/new/1 a/new/2 a/sub/deep/4 a/sub/sub/3",
		},
		{name: "one level up", source: "a/*", destination: "", want: "1 2 a/1 a/2 a/sub/deep/4 a/sub/sub/3"},
		{
			name:        "into the folder above",
			source:      "a/sub/deep/*",
			destination: "a/sub/",
			want:        "a/1 a/2 a/sub/4 a/sub/deep/4 a/sub/sub/3",
		},
		{
			name:        "folders one level up",
			source:      "a/sub/deep/**",
			destination: "a/",
			want:        "a/1 a/2 a/4 a/sub/deep/4 a/sub/sub/3",
		},
	}
	for _, tt := range tests {
		for base, kind := range map[string]string{"./": "a directory", "box:": "a bucket"} {
			t.Run(tt.name+" in "+kind, func(t *testing.T) {
				s := newShell(t)
				dir := t.TempDir()
				t.Chdir(dir)
				// "./" and "box:" are the same directory, as a path and as a bucket.
				s.setLocation("box", "file://"+filepath.ToSlash(dir))
				writeFiles(t, dir, map[string]string{"a/1": "1", "a/2": "2", "a/sub/sub/3": "3", "a/sub/deep/4": "4"})

				s.run("cp", base+tt.source, base+tt.destination)
				require.Equal(t, strings.Fields(tt.want), strings.Fields(s.run("ls", "-r", "box:")))
			})
		}
	}
}

// cp -r refuses a copy that would replace its own source. Here, a/a/1 would become a/1.
func TestWildcardsOfOverlappingFolders(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"a/1": "1", "a/a/1": "other"})

	_, stderr := s.requireExit(exitUsage, "cp", "-r", "./a/*", "./")
	require.Contains(t, stderr, "must not overlap")
	require.Equal(t, "1", readFile(t, filepath.Join(dir, "a", "1")))

	s.run("cp", "./a/*", "./")
	require.Equal(t, "1", readFile(t, filepath.Join(dir, "1")))
}
