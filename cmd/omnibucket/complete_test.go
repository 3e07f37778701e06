package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completions returns what a shell would show for the last argument.
func (s *shell) completions(args ...string) []string {
	s.t.Helper()
	stdout, _ := s.requireExit(exitOK, append([]string{"__complete"}, args...)...)
	lines := splitLines(stdout)
	return lines[:len(lines)-1] // the last one is the directive
}

// Completions have nothing that a shell would execute or expand. In an address, such characters are escaped.
func TestCompletionsAreHarmless(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	// With this variable, the configuration is in the folder omnibucket of dir.
	s.env["XDG_CONFIG_HOME"] = dir

	bucket := newMemoryAddress(t)
	s.run("config", "add", "box", bucket)

	harmless := []string{"é 1", "year=2026", "a@b%+,c", "🙂"}
	// A shell, or a reader, may misunderstand each of these characters.
	var special []string
	for _, char := range []string{
		"$", "`", "'", `"`, "(", ")", "{", "}", "[", "]", "<", ">", "|", "&", ";", "*", "?", "!", "~",
		"#", "^", "\u2019", "\u201d", "\u2014", "\u00a0", "\u202e", "\u200b",
	} {
		special = append(special, "x"+char+"1")
	}

	keys := slices.Concat(harmless, special)
	for _, key := range keys {
		s.put("box:"+key, "")
	}
	// The directory also has files with these names.
	onlyFiles := []string{
		"-rf", "--all", " space", "space ", "line\nbreak", "tab\tx", `back\slash`, "\xff", "\x1b[2J",
	}
	for _, name := range slices.Concat(keys, onlyFiles) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}

	// Only keys and files with harmless names are completed.
	require.ElementsMatch(t,
		[]string{"box:a@b%+,c", "box:year=2026", "box:é 1", "box:🙂"},
		s.completions("ls", "box:"))
	require.ElementsMatch(t,
		[]string{"box:", "a@b%+,c", "omnibucket/", "year=2026", "é 1", "🙂"},
		s.completions("ls", ""))

	// Addresses of all objects are completed, because their special characters are escaped.
	addresses := s.completions("ls", bucket+"/")
	require.Len(t, addresses, len(keys))
	for _, address := range addresses {
		require.Regexp(t, `^[A-Za-z0-9_./:@%+,=-]+$`, address)
		require.Empty(t, s.run("cat", address), "must be the address of an object")
	}
}

// A shell completes the last argument of a command to a location, a path, a key, a bucket or a command.
func TestCompletions(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucketName := strings.TrimPrefix(newMemoryAddress(t), "mem://")
	bucket := "mem://" + bucketName
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{
		"reports/a.txt":    "",
		"rest":             "",
		".hidden":          "",
		"box/photos/1.jpg": "",
		"box/100%.txt":     "",
	})
	s.env["XDG_CONFIG_HOME"] = dir
	// The location box: is the directory box.
	s.run("config", "add", "box", "file://"+filepath.ToSlash(dir)+"/box")
	s.put(bucket+"/photos/a b.jpg", "")
	s.put(bucket+"/photos/c.jpg", "")
	s.put(bucket+"/plans", "")

	tests := []struct {
		name string
		args []string
		want []string
	}{
		{name: "locations and paths", args: []string{"ls", "b"}, want: []string{"box:", "box/"}},
		{name: "paths", args: []string{"cat", "re"}, want: []string{"reports/", "rest"}},
		{name: "a path below", args: []string{"cp", "reports/"}, want: []string{"reports/a.txt"}},
		{
			name: "a second argument",
			args: []string{"cp", "rest", "reports/"},
			want: []string{"reports/a.txt"},
		},
		{name: "keys of a location", args: []string{"ls", "box:p"}, want: []string{"box:photos/"}},
		{name: "keys of a location are not escaped", args: []string{"ls", "box:1"}, want: []string{"box:100%.txt"}},
		{
			name: "keys of an address",
			args: []string{"ls", bucket + "/p"},
			want: []string{bucket + "/photos/", bucket + "/plans"},
		},
		{
			name: "keys of an address are escaped",
			args: []string{"ls", bucket + "/photos/"},
			want: []string{bucket + "/photos/a%20b.jpg", bucket + "/photos/c.jpg"},
		},
		{
			name: "keys below a prefix",
			args: []string{"ls", bucket + "/c?prefix=photos/"},
			want: []string{bucket + "/c.jpg?prefix=photos/"},
		},
		{name: "buckets", args: []string{"ls", "mem://" + bucketName[:8]}, want: []string{bucket + "/"}},
		{
			name: "buckets, by all but the end of the name",
			args: []string{"ls", bucket[:len(bucket)-2]},
			want: []string{bucket + "/"},
		},
		{name: "a bucket that does not exist", args: []string{"ls", "mem://no-such-bucket/"}, want: nil},
		{name: "a location that is not set", args: []string{"ls", "nosuch:a"}, want: nil},
		{name: "commands for help", args: []string{"help", "syn"}, want: []string{"sync"}},
		{name: "locations of the configuration", args: []string{"config", "remove", ""}, want: []string{"box"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			var got []string
			for _, line := range s.completions(tt.args...) {
				text, _, _ := strings.Cut(line, "\t") // a description may follow
				got = append(got, text)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// completion prints a script for each shell that it knows.
func TestCompletionScripts(t *testing.T) {
	s := newShell(t)
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		require.NotEmpty(t, s.run("completion", name))
	}
}

// The script for PowerShell, which the tests cannot run, has the parts that matter, and balanced brackets and quotes.
func TestCompletionScriptForPowerShell(t *testing.T) {
	script := newShell(t).run("completion", "powershell")
	for _, part := range []string{
		"Register-ArgumentCompleter -CommandName 'omnibucket' -ScriptBlock",
		"$RequestComp=\"$Program __complete $Arguments\"",
		"[System.Management.Automation.CompletionResult]",
		"$ShellCompDirectiveNoSpace",
		"-replace",
	} {
		require.Contains(t, script, part)
	}
	requireBalanced(t, script)
}

// requireBalanced requires that each bracket of a PowerShell script has its counterpart, and that each string ends on its
// line.
func requireBalanced(t *testing.T, script string) {
	t.Helper()
	closing := map[byte]byte{'(': ')', '{': '}', '[': ']'}
	var expected []byte // the closing brackets of those that are open
	for number, line := range splitLines(script) {
		for i := 0; i < len(line); i++ {
			switch c := line[i]; c {
			case '#': // a comment
				i = len(line)
			case '`': // an escape
				i++
			case '\'', '"':
				for i++; i < len(line) && line[i] != c; i++ {
					if c == '"' && line[i] == '`' {
						i++
					}
				}
				require.Less(t, i, len(line), "line %d has an open quote: %s", number+1, line)
			case '(', '{', '[':
				expected = append(expected, closing[c])
			case ')', '}', ']':
				require.NotEmpty(t, expected, "line %d: %s", number+1, line)
				last := len(expected) - 1
				require.Equal(t, expected[last], c, "line %d: %s", number+1, line)
				expected = expected[:last]
			}
		}
	}
	require.Empty(t, expected)
}
