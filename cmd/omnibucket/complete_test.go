package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completions returns what a shell would show for the last argument.
func (s *shell) completions(args ...string) []string {
	s.t.Helper()
	stdout, _ := s.exits(0, append([]string{"__complete"}, args...)...)
	lines := splitLines(stdout)
	return lines[:len(lines)-1] // the last one is the directive
}

// Completions have nothing that a shell would execute.
func TestCompletionsAreHarmless(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	s.env["XDG_CONFIG_HOME"] = dir
	bucket := newMemoryAddress(t)
	s.ok("config", "add", "box", bucket)
	names := []string{"é 1", "year=2026", "a@b%+,c", "🙂"}
	for _, bad := range []string{"$", "`", "'", `"`, "(", ")", "{", "}", "[", "]", "<", ">", "|", "&", ";", "*", "?", "!", "~", "#", "^", "\u2019", "\u201d", "\u2014", "\u00a0", "\u202e", "\u200b"} {
		names = append(names, "x"+bad+"1")
	}
	for _, name := range names {
		s.put("box:"+name, "")
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}

	for _, name := range []string{"-rf", "--all", " space", "space ", "line\nbreak", "tab\tx", `back\slash`, "\xff", "\x1b[2J"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}

	require.ElementsMatch(t, []string{"box:a@b%+,c", "box:year=2026", "box:é 1", "box:🙂"}, s.completions("ls", "box:"))
	require.ElementsMatch(t, []string{"box:", "a@b%+,c", "omnibucket/", "year=2026", "é 1", "🙂"}, s.completions("ls", ""))
	all := s.completions("ls", bucket+"/")
	require.Len(t, all, len(names))

	for _, address := range all {
		require.Regexp(t, `^[A-Za-z0-9_./:@%+,=-]+$`, address)
		require.Empty(t, s.ok("cat", address), "the address is that of the object")
	}
}

func TestCompletions(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := newMemoryAddress(t)
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"reports/a.txt": "", "rest": "", ".hidden": "", "box/photos/1.jpg": "", "box/100%.txt": ""})
	s.env["XDG_CONFIG_HOME"] = dir
	s.ok("config", "add", "box", "file://"+filepath.ToSlash(dir)+"/box")
	s.put(bucket+"/photos/a b.jpg", "")
	s.put(bucket+"/photos/c.jpg", "")
	s.put(bucket+"/plans", "")

	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"names and paths", []string{"ls", "b"}, []string{"box:", "box/"}},
		{"paths", []string{"cat", "re"}, []string{"reports/", "rest"}},
		{"a path below", []string{"cp", "reports/"}, []string{"reports/a.txt"}},
		{"a second argument", []string{"cp", "rest", "reports/"}, []string{"reports/a.txt"}},
		{"keys of a name", []string{"ls", "box:p"}, []string{"box:photos/"}},
		{"keys of a name are literal", []string{"ls", "box:1"}, []string{"box:100%.txt"}},
		{"keys of an address", []string{"ls", bucket + "/p"}, []string{bucket + "/photos/", bucket + "/plans"}},
		{"keys of an address are escaped", []string{"ls", bucket + "/photos/"}, []string{bucket + "/photos/a%20b.jpg", bucket + "/photos/c.jpg"}},
		{
			"keys below a prefix", []string{"ls", bucket + "/c?prefix=photos/"},
			[]string{bucket + "/c.jpg?prefix=photos/"},
		},
		{"buckets", []string{"ls", bucket[:len(bucket)-2]}, []string{bucket + "/"}},
		{"buckets of an account", []string{"ls", "mem://" + strings.TrimPrefix(bucket, "mem://")[:8]}, []string{bucket + "/"}},
		{"a bucket that does not exist", []string{"ls", "mem://no-such-bucket/"}, nil},
		{"a name that is not set", []string{"ls", "nosuch:a"}, nil},
		{"commands for help", []string{"help", "syn"}, []string{"sync"}},
		{"names of the configuration", []string{"config", "remove", ""}, []string{"box"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			var got []string
			for _, line := range s.completions(tt.args...) {
				text, _, _ := strings.Cut(line, "\t")
				got = append(got, text)
			}
			require.Equal(t, tt.want, got)
		})
	}

	s.t = t
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		require.NotEmpty(t, s.ok("completion", name))
	}
}

// No machine of the tests has PowerShell. The script must register itself, ask the program in the
// way that the tests above do, and have balanced brackets and quotes.
func TestCompletionScriptForPowerShell(t *testing.T) {
	script := newShell(t).ok("completion", "powershell")
	for _, part := range []string{
		"Register-ArgumentCompleter -CommandName 'omnibucket' -ScriptBlock", "$RequestComp=\"$Program __complete $Arguments\"",
		"[System.Management.Automation.CompletionResult]", "$ShellCompDirectiveNoSpace", `-replace`,
	} {
		require.Contains(t, script, part)
	}

	var open []byte
	closing := map[byte]byte{'(': ')', '{': '}', '[': ']'}
	for number, line := range splitLines(script) {
		for i := 0; i < len(line); i++ {
			switch c := line[i]; c {
			case '#':
				i = len(line)
			case '`':
				i++
			case '\'', '"':
				for i++; i < len(line) && line[i] != c; i++ {
					if c == '"' && line[i] == '`' {
						i++
					}
				}
				require.Less(t, i, len(line), "line %d has an open quote: %s", number+1, line)
			case '(', '{', '[':
				open = append(open, closing[c])
			case ')', '}', ']':
				require.NotEmpty(t, open, "line %d: %s", number+1, line)
				require.Equal(t, open[len(open)-1], c, "line %d: %s", number+1, line)
				open = open[:len(open)-1]
			}
		}
	}
	require.Empty(t, open)
}
